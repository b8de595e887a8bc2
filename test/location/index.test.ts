/** The readers of indexes by themselves. Hashes are of node:crypto; forms as sha256sum, sha256sum --tag and cksum print them. */
import t from 'tap';
import { checksum, checksumOf, checksums } from '../../lib/location/sums';
import { safePath } from '../../lib/location/tree';
import { parseIni } from '../../lib/location/treeinfo';
import { context } from '../support';
import { hash } from './server';

const sum = (algorithm: string) => hash(Buffer.from('abc'), algorithm);

t.test('lists of checksums', async (t) => {
  const text = [
    `${sum('sha256')}  ./netboot/xen/vmlinuz`,
    `${sum('sha256').toUpperCase()} *binary`,
    `${sum('md5')}  weak`,
    `${sum('sha512')}  with a blank`,
    `SHA256 (tagged) = ${sum('sha256')}`,
    `SHA1 (lies) = ${sum('sha256')}`,
    `HASH SHA1 ${sum('sha1')}  boot/x86_64/loader/linux`,
    'META SHA256 x  y',
    '# comment',
    `${sum('sha256').slice(1)}  short`,
    `${sum('sha256')}  crlf\r`,
    `${sum('sha256')}  ${'x'.repeat(5000)}`,
    `${sum('sha1')}  last`,
  ].join('\n');
  t.same(
    [...checksums(text, 'L', context())].map(([name, { algorithm, hex }]) => [
      name,
      algorithm,
      hex === sum(algorithm),
    ]),
    [
      ['netboot/xen/vmlinuz', 'sha256', true],
      ['binary', 'sha256', true],
      ['weak', 'md5', true],
      ['with a blank', 'sha512', true],
      ['tagged', 'sha256', true],
      ['boot/x86_64/loader/linux', 'sha1', true],
      ['crlf', 'sha256', true],
      ['last', 'sha1', true],
    ],
  );
  const both = `${sum('md5')}  a\n${sum('sha512')}  a\n${sum('sha1')}  ./a\n`;
  t.equal(checksumOf(both, ['a'], 'L', context())?.algorithm, 'sha512', 'the strongest');
  t.equal(checksumOf(undefined, ['a'], 'L', context()), undefined);
  t.equal(checksum(sum('sha256'), 'L', 'sha512'), undefined);
  t.equal(checksum('g'.repeat(64), 'L'), undefined);
});

t.test('an index costs what its length says', async (t) => {
  const ctx = context(1000);
  t.throws(() => [...checksums('\n'.repeat(2000), 'L', ctx)], /too much work/);
  t.throws(() => parseIni('\n'.repeat(2000), context(1000)), /too much work/);
  const long = `${'0'.repeat(64)}  ${'a'.repeat(1e6)}`;
  t.same([...checksums(long, 'L', context())], []);
});

t.test('INI as configparser reads it', async (t) => {
  const ini = parseIni(
    '\ufeffa = lost\n[general]\r\nFamily = Fedora\r\n; x = y\n# x = y\nurl: http://a=b\n  continued = no\n[images-xen]\nkernel=a = b\n[general]\nversion = 40\n[__proto__]\nx = y\n[open\ny = z\n',
    context(),
  );
  t.same([...ini.keys()], ['general', 'images-xen', '__proto__']);
  t.same(
    [...ini.get('general')!],
    [
      ['family', 'Fedora'],
      ['url', 'http://a=b'],
      ['version', '40'],
    ],
  );
  t.equal(ini.get('images-xen')!.get('kernel'), 'a = b');
});

t.test('paths', async (t) => {
  t.equal(safePath('./images/a', 'x'), 'images/a');
  for (const bad of [
    '',
    '.',
    '..',
    './',
    '/a',
    '//a',
    'a/',
    'a//b',
    'a/./b',
    'a/../b',
    'http:a',
    'C:a',
    'a?b',
    'a#b',
    'a\\b',
    'a\nb',
    'a\0',
  ])
    t.throws(() => safePath(bad, 'x'), { code: 'corrupt' }, JSON.stringify(bad));
});
