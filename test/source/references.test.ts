/** What --image-references=directory opens: regular files in the image's own directory by their bare names, and nothing else. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { image } from '../support';
import { hashOf, openPath } from './images';

const dir = t.testdir({ sub: {}, elsewhere: {} });
const at = (name: string) => join(dir, name);
const raw = image('example.img');
const HASH = createHash('sha256').update(raw).digest('hex');
writeFileSync(at('base.raw'), raw);
writeFileSync(at('sub/base.raw'), raw);

/** An empty qcow2 of the example's size on a backing file. */
function qcow2(backing: string, format?: string): Buffer {
  const bytes = image('qcow2-plain.img');
  bytes.fill(0, Number(bytes.readBigUInt64BE(40)), Number(bytes.readBigUInt64BE(40)) + 8);
  if (format !== undefined) {
    bytes.writeUInt32BE(0xe2792aca, 112);
    bytes.writeUInt32BE(format.length, 116);
    bytes.write(format, 120, 'latin1');
  }
  bytes.writeBigUInt64BE(512n, 8);
  bytes.writeUInt32BE(Buffer.byteLength(backing), 16);
  bytes.write(backing, 512);
  return bytes;
}

let made = 0;
/** @param format null: nothing is said */
function top(backing: string, format: string | null = 'raw'): string {
  const path = at(`top${made++}.qcow2`);
  writeFileSync(path, qcow2(backing, format ?? undefined));
  return path;
}

/** What opening says, or the disk's hash. */
function got(path: string, format = 'qcow2'): string {
  try {
    return hashOf(openPath(path, { format }, true).disk, 0, raw.length);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return `${error.code}: ${error.describe()}`;
  }
}

t.test('a file beside the image', async (t) => {
  for (const name of ['base.raw', './base.raw', './/base.raw', join(dir, 'base.raw'), 'file:base.raw'])
    t.equal(got(top(name)), HASH, name);
  linkSync(at('base.raw'), at('hard'));
  t.equal(got(top('hard')), HASH, 'another name of the same file');
  writeFileSync(at('nbd:x'), raw);
  t.equal(got(top('./nbd:x')), HASH, 'a colon behind a slash is no protocol');
  // The directory may itself be reached through a link: the caller's own doing.
  symlinkSync(dir, at('elsewhere/link'));
  const path = top(join(dir, 'base.raw'));
  t.equal(got(join(at('elsewhere/link'), path.slice(dir.length + 1))), HASH);
});

t.test('nothing without both permissions', async (t) => {
  const path = top('base.raw');
  const words = /'base.raw' is not read: this needs --image-format=qcow2 and --image-references=directory/;
  t.throws(() => openPath(path), { code: 'unsupported', message: words });
  t.throws(() => openPath(path, { format: 'qcow2' }), { code: 'unsupported', message: words });
});

t.test('what is refused', async (t) => {
  symlinkSync('base.raw', at('link'));
  symlinkSync('/etc/passwd', at('out'));
  symlinkSync('/dev/zero', at('zero'));
  execFileSync('mkfifo', [at('fifo')]);
  const outside = /^unsupported: .*is not a file in the image's own directory, and is not read/;
  for (const name of [
    '../base.raw',
    '/etc/passwd',
    '/dev/zero',
    'sub/base.raw',
    './sub/../base.raw',
    '..',
    '.',
  ])
    t.match(got(top(name)), outside, name);
  for (const name of [
    `${dir}/../base.raw`,
    `${dir}/`,
    `${dir}x/base.raw`,
    'base.raw\0',
    '/',
    'x'.repeat(256),
  ])
    t.match(got(top(name)), outside, name);
  for (const name of [
    'nbd:localhost:10809',
    'nbd:unix:/run/x',
    'nbd+unix:///?socket=x',
    'json:{"driver":"raw","file":{"driver":"file","filename":"base.raw"}}',
    'json:{}',
    'ssh://host/base.raw',
    'https://host/base.raw',
    'fat:rw:sub',
    'host_device:/dev/sda',
    'rbd:pool/image',
    'C:base.raw',
    'nbd:x',
  ])
    t.match(got(top(name)), /^unsupported: .*is not a file's name, and is not read/, name);
  for (const name of ['link', 'out', 'zero'])
    t.match(got(top(name)), /^unsupported: .*is a symbolic link, and is not followed/, name);
  for (const name of ['fifo', 'sub']) t.match(got(top(name)), /^unsupported: .*is no regular file/, name);
  t.match(got(top('missing')), /^io: .*cannot open its backing file 'missing'.*ENOENT/);
});

t.test('a device node', async (t) => {
  try {
    execFileSync('mknod', [at('node'), 'c', '1', '5'], { stdio: 'ignore' });
  } catch {
    t.comment('this user makes no device nodes');
    return;
  }
  t.match(got(top('node')), /^unsupported: .*is no regular file/);
});

t.test('circles', async (t) => {
  writeFileSync(at('self.qcow2'), qcow2('self.qcow2', 'qcow2'));
  t.match(got(at('self.qcow2')), /^corrupt: .*'self.qcow2' leads back to itself/);
  writeFileSync(at('one.qcow2'), qcow2('two.qcow2', 'qcow2'));
  writeFileSync(at('two.qcow2'), qcow2('one.qcow2', 'qcow2'));
  t.match(got(at('one.qcow2')), /^corrupt: .*'one.qcow2' leads back to itself/);
  linkSync(at('self.qcow2'), at('other-name.qcow2'));
  t.match(got(at('other-name.qcow2')), /^corrupt: .*leads back to itself/, 'by another name');
});

t.test('depth and number', async (t) => {
  mkdirSync(at('deep'));
  for (let i = 1; i <= 40; i++) {
    const [name, format] = i === 1 ? ['../x', undefined] : [`${i - 1}.qcow2`, 'qcow2'];
    writeFileSync(at(`deep/${i}.qcow2`), i === 1 ? image('qcow2-plain.img') : qcow2(name!, format));
  }
  t.equal(got(at('deep/33.qcow2')), HASH, '32 below the first');
  t.match(got(at('deep/34.qcow2')), /^limit: .*NODEGRUB_MAX_IMAGE_DEPTH/);
  mkdirSync(at('many'));
  for (let i = 0; i < 601; i++) writeFileSync(at(`many/${i}`), Buffer.alloc(512));
  const line = (i: number) => `RW 1 FLAT "${i}" 0\n`;
  const descriptor = (count: number) =>
    `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n${Array.from({ length: count }, (_, i) => line(i)).join('')}`;
  writeFileSync(at('many/ok.vmdk'), descriptor(600));
  t.equal(openPath(at('many/ok.vmdk'), { format: 'vmdk' }, true).disk.size, 600 * 512);
  writeFileSync(at('many/over.vmdk'), descriptor(601));
  const before = readdirSync('/proc/self/fd').length;
  t.match(got(at('many/over.vmdk'), 'vmdk'), /^limit: .*NODEGRUB_MAX_IMAGE_FILES/);
  t.ok(readdirSync('/proc/self/fd').length < before + 5, 'what was opened is closed again');
});

t.test('a backing file of a format that nobody names is read, what it names is not', async (t) => {
  writeFileSync(at('middle.qcow2'), qcow2('base.raw', 'raw'));
  t.equal(got(top('middle.qcow2', 'qcow2')), HASH);
  t.match(
    got(top('middle.qcow2', null)),
    /^unsupported: .*'base.raw' is not read: the format of this file is not named in the one that names it/,
  );
  t.match(got(top('base.raw', 'nbd')), /^unsupported: .*backing file of format 'nbd'/);
});

t.test('a guest that writes a qcow2 header into its raw base gains nothing', async (t) => {
  writeFileSync(at('evil.raw'), qcow2('/etc/passwd', 'raw'));
  // The one that names it says raw.
  const { disk } = openPath(top('evil.raw'), { format: 'qcow2' }, true);
  const head = Buffer.alloc(4);
  disk.read(0, head);
  t.equal(head.toString('latin1'), 'QFI\xfb', 'its own bytes');
});
