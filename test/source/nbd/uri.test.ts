import t from 'tap';
import { parseUri } from '../../../lib/source/nbd/uri';
import { MemorySource, NBD_URI } from '../../../lib/source/types';
import { EnvWriter } from '../../../lib/writeenv';

t.test('the examples of the specification', async (t) => {
  const names = {
    'nbd://example.com/disk': 'disk',
    'nbd+unix:///disk?socket=sock': 'disk',
    'nbd://example.com/': '',
    'nbd://example.com': '',
    'nbd://example.com//disk': '/disk',
    'nbd://example.com/hello%20world': 'hello world',
  };
  for (const [uri, name] of Object.entries(names)) t.equal(parseUri(uri).name, name, uri);
  t.match(parseUri('nbd://example.com:10809/export'), { host: 'example.com', port: 10809, tls: undefined });
  t.match(parseUri('nbd+unix:///export?socket=nbd.sock'), { socket: 'nbd.sock', name: 'export' });
  t.equal(parseUri('nbd+unix:///?socket=%00/abstract').socket, '\0/abstract');
});

t.test('hosts and ports', async (t) => {
  t.match(parseUri('nbd://h'), { host: 'h', port: 10809 });
  t.match(parseUri('nbd://h:/'), { host: 'h', port: 10809 });
  t.match(parseUri('nbd://[::1]:5/x'), { host: '::1', port: 5 });
  t.match(parseUri('nbd://[fe80::1%25eth0]/x'), { host: 'fe80::1%eth0' });
  t.match(parseUri('nbds://1.2.3.4/x'), { host: '1.2.3.4', tls: { hostname: '1.2.3.4', verify: true } });
});

t.test('TLS', async (t) => {
  t.same(parseUri('nbds://h/x?tls-certificates=/etc/pki%2Fnbd&tls-hostname=n&tls-verify-peer=0').tls, {
    certificates: '/etc/pki/nbd',
    hostname: 'n',
    verify: false,
  });
  t.same(parseUri('nbds+unix:///?socket=/s').tls, {
    certificates: undefined,
    hostname: undefined,
    verify: true,
  });
  t.equal(parseUri('nbds://h/x?tls-type=x509').tls?.hostname, 'h');
});

t.test('what cannot be meant', async (t) => {
  const bad = {
    'nbd:///x': /no host/,
    'nbd://h:0/x': /port/,
    'nbd://h:70000/x': /port/,
    'nbd://h:1x/x': /no host/,
    'nbd://u@h/x': /user/,
    'nbd://h/x#y': /not an NBD URI/,
    'nbd://h/%zz': /hexadecimal/,
    'nbd://h/%': /hexadecimal/,
    'nbd://h/a%00b': /NUL/,
    'nbd://h/x?socket=/s': /goes with nbd\+unix/,
    'nbd+unix:///x': /no socket=/,
    'nbd+unix:///x?socket=': /no socket=/,
    'nbd+unix://h/x?socket=/s': /a host is named/,
    'nbd://h/x?tls-certificates=/d': /nbds:/,
    'nbds://h/x?tls-type=psk': /x509/,
    'nbds://h/x?tls-verify-peer=2': /neither/,
    'nbd://h/x?y=1': /unknown parameter 'y'/,
    'nbd+unix:///x?socket=a&socket=b': /said twice/,
    'nbd://h h/x': /no host/,
  };
  for (const [uri, message] of Object.entries(bad))
    t.throws(() => parseUri(uri), { code: 'unsupported', message }, uri);
  t.throws(() => parseUri(`nbd://h/${'a'.repeat(4097)}`), /at most 4096/);
  t.throws(() => parseUri('nbd://h\x1b/x?z'), /^[^\x1b]*$/);
});

t.test('what is one on the command line', async (t) => {
  for (const uri of ['nbd://h', 'nbds://h', 'nbd+unix:///?socket=x', 'nbds+unix://x'])
    t.ok(NBD_URI.test(uri), uri);
  for (const path of ['nbd', './nbd://h', '/nbd://h', 'nbd:/h', 'nbd+tcp://h', 'http://h'])
    t.notOk(NBD_URI.test(path), path);
});

t.test('nothing is written to a disk that is no file', async (t) => {
  t.throws(() => new EnvWriter(['nbd://h/x'], [new MemorySource(Buffer.alloc(9), 'nbd://h/x')]), {
    code: 'unsupported',
    message: /only read/,
  });
});
