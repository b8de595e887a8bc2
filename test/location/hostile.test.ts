/** Servers and trees that mean ill: each ends the run with its reason, and nothing stays behind. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { CA, fetchFrom, folder, type How, hash, INITRD, KERNEL, type Ran, type Site, serve } from './server';

const MANY = Buffer.alloc(64 * 1024, 'x\n');

/** Writes for as long as somebody reads. */
function endless(response: ServerResponse, piece: Uint8Array = MANY): void {
  const more = () => {
    while (!response.destroyed) if (!response.write(piece)) return void response.once('drain', more);
  };
  more();
}

const index = (kernel: string, initrd = 'images/initrd.img', sums = '') =>
  `[general]\nfamily = Fedora\nversion = 40\narch = x86_64\n[images-x86_64]\nkernel = ${kernel}\ninitrd = ${initrd}\n[checksums]\n${sums}`;

const SOUND: Site = {
  '/.treeinfo': index('images/vmlinuz'),
  '/images/vmlinuz': KERNEL,
  '/images/initrd.img': INITRD,
};

const head =
  (headers: Record<string, string | number>, status = 200) =>
  (_: unknown, response: ServerResponse) => {
    response.writeHead(status, headers);
    response.end();
  };

interface Case {
  readonly name: string;
  readonly site: Site;
  readonly reason: RegExp;
  readonly env?: Record<string, string>;
  /** Milliseconds that it may take. */
  readonly within?: number;
}

const SILENT = { NODEGRUB_MAX_SILENT_SECONDS: '1' };

const cases: Case[] = [
  {
    name: 'an index without end',
    site: { '/.treeinfo': (_, r) => endless(r) },
    reason: /\.treeinfo: bytes: \d+, at most 1048576 \(NODEGRUB_MAX_SMALL_FILE_BYTES\)/,
  },
  {
    name: 'an index that is too long by its length',
    site: { '/.treeinfo': head({ 'Content-Length': 1e12 }) },
    reason: /\.treeinfo: bytes: 1000000000000, at most 1048576/,
  },
  {
    name: 'a list of checksums without end',
    site: { '/CHECKSUMS': (_, r) => endless(r) },
    reason: /CHECKSUMS: bytes: \d+, at most 33554432 \(NODEGRUB_MAX_CONFIG_BYTES\)/,
  },
  {
    name: 'a huge list of checksums',
    site: { '/CHECKSUMS': Buffer.alloc(30e6, `${'0'.repeat(64)}  a\n`) },
    reason: /no installer that is known here/,
  },
  {
    name: 'a kernel without end',
    site: { ...SOUND, '/images/vmlinuz': (_, r) => endless(r) },
    env: { NODEGRUB_MAX_PAYLOAD_BYTES: '5M' },
    reason: /images\/vmlinuz: bytes: \d+, at most 5242880 \(NODEGRUB_MAX_PAYLOAD_BYTES\)/,
  },
  {
    name: 'a ramdisk without end',
    site: { ...SOUND, '/images/initrd.img': (_, r) => endless(r) },
    env: { NODEGRUB_MAX_PAYLOAD_BYTES: '5M' },
    reason: /images\/initrd\.img: bytes: \d+, at most 5242880/,
  },
  {
    name: 'a kernel that is too long by its length',
    site: { ...SOUND, '/images/vmlinuz': head({ 'Content-Length': 3 * 2 ** 30 }) },
    reason: /bytes: 3221225472, at most 2147483648/,
  },
  {
    name: 'a kernel that is shorter than its length',
    site: {
      ...SOUND,
      '/images/vmlinuz': (_, r) => {
        r.writeHead(200, { 'Content-Length': 100_000 });
        r.write(KERNEL);
        setTimeout(() => r.destroy(), 50);
      },
    },
    reason: /images\/vmlinuz: the connection ended too early/,
  },
  { name: 'an empty kernel', site: { ...SOUND, '/images/vmlinuz': '' }, reason: /images\/vmlinuz is empty/ },
  {
    name: 'a page in place of a kernel',
    site: { ...SOUND, '/images/vmlinuz': '<html>'.repeat(1000) },
    reason: /images\/vmlinuz is no kernel/,
  },
  {
    name: 'another kernel than the index says',
    site: {
      ...SOUND,
      '/.treeinfo': index('images/vmlinuz', 'images/initrd.img', `images/vmlinuz = sha256:${hash(INITRD)}`),
    },
    reason: /images\/vmlinuz is not what \.treeinfo says: sha256 [0-9a-f]{64} in place of [0-9a-f]{64}/,
  },
  {
    name: 'another ramdisk than the index says',
    site: {
      ...SOUND,
      '/.treeinfo': index(
        'images/vmlinuz',
        'images/initrd.img',
        `images/initrd.img = sha256:${hash(KERNEL)}`,
      ),
    },
    reason: /images\/initrd\.img is not what \.treeinfo says/,
  },
  {
    name: 'a weak checksum that is wrong',
    site: {
      ...SOUND,
      '/.treeinfo': index(
        'images/vmlinuz',
        'images/initrd.img',
        `images/vmlinuz = md5:${hash(INITRD, 'md5')}`,
      ),
    },
    reason: /is not what \.treeinfo says: md5/,
  },
  {
    name: 'gzip that nobody asked for',
    site: {
      ...SOUND,
      '/images/vmlinuz': (_, r) => {
        r.writeHead(200, { 'Content-Encoding': 'gzip' });
        r.end(gzipSync(Buffer.alloc(1e7)));
      },
    },
    reason: /comes with Content-Encoding gzip, which was not asked for/,
  },
  {
    name: 'an index in gzip',
    site: {
      '/.treeinfo': (_, r) => {
        r.writeHead(200, { 'Content-Encoding': 'x-gzip' });
        r.end(gzipSync(Buffer.alloc(1e7)));
      },
    },
    reason: /Content-Encoding x-gzip/,
  },
  {
    name: 'a redirect to itself',
    site: { '/.treeinfo': head({ Location: '/.treeinfo' }, 302) },
    reason: /more than 10 redirects/,
  },
  {
    name: 'a redirect to a file',
    site: { ...SOUND, '/images/vmlinuz': head({ Location: 'file:///etc/passwd' }, 302) },
    reason: /redirects to file:, which is refused/,
  },
  {
    name: 'a redirect to data',
    site: { ...SOUND, '/images/vmlinuz': head({ Location: 'data:text/plain,x' }, 307) },
    reason: /redirects to data:, which is refused/,
  },
  {
    name: 'a redirect to nowhere',
    site: { ...SOUND, '/images/vmlinuz': head({}, 301) },
    reason: /redirects to no URL/,
  },
  {
    name: 'redirects with bodies without end',
    site: {
      '/.treeinfo': (_, r) => {
        r.writeHead(302, { Location: '/.treeinfo' });
        endless(r);
      },
    },
    reason: /more than 10 redirects/,
  },
  { name: 'a server that fails', site: { '/.treeinfo': head({}, 503) }, reason: /the server answers 503/ },
  {
    name: 'a part of the file',
    site: { ...SOUND, '/images/vmlinuz': head({}, 206) },
    reason: /the server answers 206/,
  },
  {
    name: 'a header of 100 kB',
    site: { '/.treeinfo': head({ X: 'x'.repeat(100_000) }) },
    reason: /Header overflow/i,
  },
  {
    name: 'no answer',
    site: { '/.treeinfo': () => {} },
    env: SILENT,
    within: 4000,
    reason: /no answer within 1 s/,
  },
  {
    name: '100 Continue without end',
    site: {
      '/.treeinfo': (_, r) => {
        const timer = setInterval(() => (r.destroyed ? clearInterval(timer) : r.writeContinue()), 20);
        r.once('close', () => clearInterval(timer));
      },
    },
    env: SILENT,
    within: 4000,
    reason: /no answer within 1 s/,
  },
  {
    name: 'silence in the middle',
    site: { ...SOUND, '/images/vmlinuz': (_, r) => void r.write(KERNEL) },
    env: SILENT,
    within: 4000,
    reason: /nothing came for 1 s/,
  },
  {
    name: 'a byte now and then',
    site: {
      ...SOUND,
      '/images/vmlinuz': (_, r) => {
        const timer = setInterval(() => (r.destroyed ? clearInterval(timer) : r.write('x')), 100);
        r.once('close', () => clearInterval(timer));
      },
    },
    env: SILENT,
    within: 5000,
    reason: /less than 256 bytes a second for 1 s/,
  },
  ...[
    '../../etc/passwd',
    '/etc/passwd',
    'http://127.0.0.2/vmlinuz',
    '//127.0.0.2/vmlinuz',
    'images/../../x',
    'a\\b',
    'a?b',
    '..',
    `a/${'b'.repeat(2000)}`,
  ].map(
    (path): Case => ({
      name: `an index that names ${path.slice(0, 30)}`,
      site: { ...SOUND, '/.treeinfo': index(path) },
      reason: /\.treeinfo names a path outside the tree: '/,
    }),
  ),
  {
    name: 'a ramdisk outside the tree',
    site: { ...SOUND, '/.treeinfo': index('images/vmlinuz', '../x') },
    reason: /names a path outside the tree: '\.\.\/x'/,
  },
  {
    name: "xapi's word and an escape sequence in a path",
    site: { ...SOUND, '/.treeinfo': index('\x1b[2JRuntimeError: x/../y') },
    reason: /path outside the tree: '\\x1b\[2JRuntimeError\\x3a x/,
  },
];

async function ends(
  t: Test,
  name: string,
  reason: RegExp,
  args: string[],
  how: How,
  within = 20_000,
): Promise<Ran> {
  const began = Date.now();
  const r = await fetchFrom(t, args, how);
  t.match(r.err, reason, `${name}: ${r.err}`);
  t.match(r.err.trimEnd().split('\n').pop(), /^RuntimeError: /, `${name}: the reason is the last line`);
  t.equal(r.err.match(/RuntimeError: /g)?.length, 1, name);
  t.notMatch(r.err, /of its own|\x1b/, name);
  t.same([r.status, r.out, r.left], [1, '', []], `${name}: nothing is printed or left`);
  const took = Date.now() - began;
  t.ok(took < within, `${name}: ${took} ms`);
  return r;
}

for (const { name, site, reason, env = {}, within } of cases)
  t.test(name, async (t) => {
    const { url } = await serve(t, site);
    await ends(t, name, reason, [`--location=${url}/`], { env }, within);
  });

t.test('a server that closes the connections it promised to keep', async (t) => {
  const { url } = await serve(t, {
    ...SOUND,
    // By the time of the next request the connection is gone, or is about to.
    '/.treeinfo': (_, response) => {
      const { socket } = response;
      response.end(index('images/vmlinuz'), () => setImmediate(() => socket?.destroy()));
    },
  });
  for (let i = 0; i < 5; i++) {
    const r = await fetchFrom(t, [`--location=${url}/`]);
    t.equal(r.status, 0, r.err);
  }
});

t.test('a sound tree, as a check on the above', async (t) => {
  const { url } = await serve(t, SOUND);
  t.equal((await fetchFrom(t, [`--location=${url}/`])).status, 0);
});

t.test('https: an unknown authority is refused, a known one is not, and it never becomes http', async (t) => {
  const plain = await serve(t, SOUND);
  const site: Site = { ...SOUND };
  const { url } = await serve(t, site, true);
  await ends(t, 'unknown', /certificate/, [`--location=${url}/`], {});
  const good = await fetchFrom(t, [`--location=${url}/`], { env: { NODE_EXTRA_CA_CERTS: CA } });
  t.equal(good.status, 0, good.err);
  t.ok(good.kernel?.equals(KERNEL));
  const name = url.replace('127.0.0.1', '127.0.0.2');
  t.ok(name);
  site['/images/vmlinuz'] = head({ Location: `${plain.url}/images/vmlinuz` }, 302);
  await ends(t, 'down', /redirects from https to http/, [`--location=${url}/`], {
    env: { NODE_EXTRA_CA_CERTS: CA },
  });
  // The other way is what mirrors do.
  const up = await serve(t, { ...SOUND, '/images/vmlinuz': head({ Location: `${url}/images/x` }, 302) });
  site['/images/x'] = KERNEL;
  const r = await fetchFrom(t, [`--location=${up.url}/`], { env: { NODE_EXTRA_CA_CERTS: CA } });
  t.equal(r.status, 0, r.err);
});

/** A server that speaks no sound HTTP. */
async function raw(t: Test, answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('what is no HTTP', async (t) => {
  const flood = (socket: Socket, line: string) => {
    const more = () => {
      while (!socket.destroyed) if (!socket.write(line)) return void socket.once('drain', more);
    };
    more();
  };
  for (const [name, answer, reason, env] of [
    [
      'headers without end',
      (s) => {
        s.write('HTTP/1.1 200 OK\r\n');
        flood(s, 'X: y\r\n'.repeat(1000));
      },
      /Header overflow/i,
      {},
    ],
    ['a status line without end', (s) => flood(s, 'HTTP/1.1 200 '.padEnd(10_000, 'x')), /overflow/i, SILENT],
    ['noise', (s) => flood(s, '\0\x01\x02'.repeat(1000)), /Parse Error/, {}],
    [
      'two lengths',
      (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
      /Parse Error/,
      {},
    ],
    [
      'a negative length',
      (s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello'),
      /Parse Error/,
      {},
    ],
    ['nothing at all', (s) => s.destroy(), /socket hang up|closes the connection/, {}],
    [
      'chunks of no sound size',
      (s) => s.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
      /Parse Error|ended too early/,
      {},
    ],
  ] as [string, (s: Socket) => void, RegExp, Record<string, string>][]) {
    const url = await raw(t, answer);
    await ends(t, name, reason, [`--location=${url}/`], { env });
  }
});

t.test('links in a directory lead out of it', async (t) => {
  const top = folder(t);
  const secret = join(top, 'secret');
  writeFileSync(secret, KERNEL);
  for (const target of [secret, '../secret', '/etc/passwd', '/dev/zero']) {
    const tree = join(folder(t), 'tree');
    mkdirSync(join(tree, 'images/pxeboot'), { recursive: true });
    writeFileSync(join(top, 'x'), '');
    symlinkSync(target === '../secret' ? '../../../secret' : target, join(tree, 'images/pxeboot/vmlinuz'));
    if (target === '../secret') writeFileSync(join(tree, '..', 'secret'), KERNEL);
    writeFileSync(join(tree, 'images/pxeboot/initrd.img'), INITRD);
    await ends(t, target, /vmlinuz is a link that leads out of the tree/, [`--location=${tree}`], {});
  }
  const inside = join(folder(t), 'tree');
  mkdirSync(join(inside, 'images/pxeboot'), { recursive: true });
  writeFileSync(join(inside, 'images/real'), KERNEL);
  symlinkSync('../real', join(inside, 'images/pxeboot/vmlinuz'));
  writeFileSync(join(inside, 'images/pxeboot/initrd.img'), INITRD);
  t.equal((await fetchFrom(t, [`--location=${inside}`])).status, 0, 'a link that stays inside is followed');
  const fifo = join(folder(t), 'tree');
  mkdirSync(join(fifo, 'images/pxeboot'), { recursive: true });
  execFileSync('mkfifo', [join(fifo, 'images/pxeboot/vmlinuz')]);
  writeFileSync(join(fifo, 'images/pxeboot/initrd.img'), INITRD);
  await ends(t, 'fifo', /vmlinuz is no regular file/, [`--location=${fifo}`], {}, 5000);
});

t.test('signals in the middle of the copy leave nothing, the result file included', async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGKILL'] as const) {
    const directory = join(folder(t), 'out');
    const result = join(directory, '..', 'result');
    let pid = 0;
    const { url } = await serve(t, {
      ...SOUND,
      '/images/vmlinuz': (_, response) => {
        response.write(KERNEL);
        setTimeout(() => {
          t.equal(readdirSync(directory).length, 2, 'both files are there before the signal');
          process.kill(pid, signal);
        }, 200);
      },
    });
    const r = await fetchFrom(t, [`--location=${url}/`, `--output=${result}`], {
      directory,
      // `env` becomes the program.
      started: (child) => {
        pid = child.pid!;
      },
    });
    t.equal(r.signal, signal);
    // The helper that removes them outlives us by a moment.
    for (let i = 0; i < 250 && (readdirSync(directory).length > 0 || existsSync(result)); i++)
      await new Promise((f) => setTimeout(f, 20));
    t.same(readdirSync(directory), []);
    t.notOk(existsSync(result));
  }
});

t.test(
  'the network is touched after root was given up',
  { skip: process.getuid?.() !== 0 && 'not root' },
  async (t) => {
    for (const [option, uid] of [
      [[], 65534],
      [['--user=1234'], 1234],
      [['--runas=4321'], 4321],
    ] as [string[], number][]) {
      let pid = 0;
      const seen: string[] = [];
      const directory = join(folder(t), 'out');
      const { url } = await serve(t, {
        ...SOUND,
        '/.treeinfo': (_, response) => {
          const status = readFileSync(`/proc/${pid}/status`, 'utf8');
          seen.push(
            /^Uid:\s+(.*)$/m.exec(status)![1]!,
            /^Groups:[ \t]*(.*?)[ \t]*$/m.exec(status)![1]!,
            /^CapEff:\s+(.*)$/m.exec(status)![1]!,
          );
          response.end(index('images/vmlinuz'));
        },
      });
      const r = await fetchFrom(t, [`--location=${url}/`, ...option], {
        directory,
        started: (child) => (pid = child.pid!),
      });
      t.equal(r.status, 0, r.err);
      t.same(seen, [Array(4).fill(uid).join('\t'), '', '0000000000000000']);
      t.equal(/--runas=4321 changes the user only/.test(r.err), option[0]?.startsWith('--runas') === true);
    }
  },
);
