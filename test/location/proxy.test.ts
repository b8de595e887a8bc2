/** Proxies by environment: curl's rules, a proxy for http, a tunnel for https. */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { credentials, proxyFor } from '../../lib/location/proxy';
import { CA, fetchFrom, INITRD, KERNEL, serve } from './server';

t.test('which proxy', async (t) => {
  const at = (url: string, environment: Record<string, string>) => proxyFor(new URL(url), environment)?.host;
  const http = { http_proxy: 'http://p:3128/' };
  t.equal(at('http://x/', http), 'p:3128');
  t.equal(at('https://x/', http), undefined);
  t.equal(at('https://x/', { https_proxy: 'p:1' }), 'p:1');
  t.equal(at('https://x/', { HTTPS_PROXY: 'p:1' }), 'p:1');
  t.equal(at('http://x/', { HTTP_PROXY: 'p:1' }), undefined, 'a CGI client could set it');
  t.equal(at('http://x/', { all_proxy: 'p:1' }), 'p:1');
  t.equal(at('http://x/', { http_proxy: '' }), undefined);
  for (const [list, host, excepted] of [
    ['*', 'x.org', true],
    ['x.org', 'x.org', true],
    ['x.org', 'a.x.org', true],
    ['.x.org', 'a.x.org', true],
    ['*.x.org', 'a.x.org', true],
    ['x.org', 'ax.org', false],
    ['a, b ,x.org', 'x.org', true],
    ['x.org:80', 'x.org', true],
    ['x.org:8080', 'x.org', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['::1', '[::1]', true],
    ['[::1]:80', '[::1]', true],
    ['X.ORG', 'x.org', true],
    ['', 'x.org', false],
  ] as const)
    t.equal(
      at(`http://${host}/`, { ...http, no_proxy: list }),
      excepted ? undefined : 'p:3128',
      `${list}: ${host}`,
    );
  t.throws(() => at('http://x/', { http_proxy: 'socks5://p:1' }), /another kind than http: 'socks5:'/);
  t.throws(() => at('http://x/', { http_proxy: 'http://[' }), /no URL/);
  t.equal(credentials(new URL('http://u%40:p%3a@p/')), `Basic ${Buffer.from('u@:p:').toString('base64')}`);
  t.equal(credentials(new URL('http://p/')), undefined);
});

const SITE = { '/os/images/pxeboot/vmlinuz': KERNEL, '/os/images/pxeboot/initrd.img': INITRD };

t.test('http through a proxy: whole URLs are asked for', async (t) => {
  const site = Object.fromEntries(Object.entries(SITE).map(([k, v]) => [k, v]));
  const proxy = await serve(t, site);
  const r = await fetchFrom(t, ['--location=http://tree.invalid/os/'], {
    env: { http_proxy: proxy.url.replace('://', '://user:word@') },
  });
  t.equal(r.status, 0, r.err);
  t.ok(r.kernel?.equals(KERNEL));
  t.ok(proxy.requests.includes('GET http://tree.invalid/os/images/pxeboot/vmlinuz'));
  t.equal(proxy.headers[0]!['proxy-authorization'], `Basic ${Buffer.from('user:word').toString('base64')}`);
  t.equal(proxy.headers[0]!.host, 'tree.invalid');
  t.notMatch(r.err, /word/);
});

t.test('https through a tunnel: the certificate is still the server’s', async (t) => {
  const { url } = await serve(t, SITE, true);
  const asked: string[] = [];
  let status = 200;
  const proxy = createServer().on('connect', (request, socket, head) => {
    asked.push(request.url!);
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const upstream = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
    return undefined;
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  t.teardown(() => proxy.close());
  const env = {
    https_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    NODE_EXTRA_CA_CERTS: CA,
  };
  const r = await fetchFrom(t, ['--location=https://localhost/os/'], { env });
  t.equal(r.status, 0, r.err);
  t.ok(r.kernel?.equals(KERNEL) && r.ramdisk?.equals(INITRD));
  t.ok(asked.every((target) => target === 'localhost:443') && asked.length > 0);
  const other = await fetchFrom(t, ['--location=https://other.invalid/os/'], { env });
  t.match(other.err, /RuntimeError: .*(altnames|ERR_TLS_CERT_ALTNAME_INVALID)/, 'the name is checked');
  t.equal(other.status, 1);
  status = 403;
  const refused = await fetchFrom(t, ['--location=https://localhost/os/'], { env });
  t.match(refused.err, /the proxy answers 403/);
  t.same([refused.status, refused.left], [1, []]);
});
