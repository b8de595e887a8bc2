import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { deviceNumber, FileSource, openDisk, sizeByReading } from '../../lib/source/file';

const dir = t.testdir({ 'disk.img': 'x'.repeat(1000), empty: '', sub: {} });
const at = (name: string) => join(dir, name);

t.test('a regular file', (t) => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
  writeFileSync(at('disk.img'), bytes);
  symlinkSync('disk.img', at('link'));
  for (const name of ['disk.img', 'link']) {
    const disk = openDisk(at(name));
    t.equal(disk.label, name);
    t.equal(disk.size, 1000, 'any size, not only whole sectors');
    t.equal(disk.sectorSize, 512);
    t.equal(disk.isBlockDevice, false);
    const into = Buffer.alloc(300);
    disk.read(700, into);
    t.same(into, bytes.subarray(700));
    disk.read(1000, Buffer.alloc(0));
    t.equal(disk.reads, 1);
    t.equal(disk.bytesRead, 300);
    t.throws(() => disk.read(701, into), { code: 'corrupt' });
    t.throws(() => disk.read(-1, into), { code: 'corrupt' });
    t.throws(() => disk.read(Number.NaN, into), { code: 'corrupt' });
    disk.close();
    disk.close();
    t.throws(() => disk.read(0, into), { code: 'io' });
  }
  t.equal(openDisk(at('empty')).size, 0);
  t.end();
});

t.test('from a descriptor, with what was known before', (t) => {
  const disk = new FileSource(openSync(at('disk.img'), 'r'), 'given', { size: 512, sectorSize: 4096 });
  t.equal(disk.size, 512);
  t.equal(disk.sectorSize, 4096);
  disk.close();
  t.end();
});

t.test('one read into several buffers', (t) => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
  writeFileSync(at('many.img'), bytes);
  const disk = openDisk(at('many.img'));
  const into = [Buffer.alloc(10), Buffer.alloc(0), Buffer.alloc(200), Buffer.alloc(1)];
  disk.readMany(50, into);
  t.same(Buffer.concat(into), bytes.subarray(50, 261));
  t.same([disk.reads, disk.bytesRead], [1, 211]);
  t.throws(() => disk.readMany(800, into), { code: 'corrupt' });
  ftruncateSync(openSync(at('many.img'), 'r+'), 100);
  t.throws(() => disk.readMany(50, into), { code: 'io' }, 'cut while it is open');
  disk.close();
  t.throws(() => disk.readMany(0, into), { code: 'io' });
  t.end();
});

t.test('a file that is cut while it is open', (t) => {
  const fd = openSync(at('cut'), 'w+');
  ftruncateSync(fd, 4096);
  const disk = openDisk(at('cut'));
  ftruncateSync(fd, 1000);
  t.throws(() => disk.read(0, Buffer.alloc(2000)), { code: 'io', message: /ends at byte 1000 of 4096/ });
  closeSync(fd);
  disk.close();
  t.end();
});

t.test('what is no disk is refused, and nothing blocks', async (t) => {
  execFileSync('mkfifo', [at('fifo')]);
  const server = createServer().listen(at('socket'));
  await new Promise((done) => server.on('listening', done));
  t.throws(() => openDisk(at('fifo')), { code: 'unsupported', message: /fifo: it is a FIFO/ });
  t.throws(() => openDisk(at('socket')), { code: 'unsupported', message: /it is a socket/ });
  t.throws(() => openDisk(at('sub')), { code: 'unsupported', message: /sub: it is a directory/ });
  t.throws(() => openDisk('/dev/zero'), { code: 'unsupported', message: /zero: it is a character device/ });
  t.throws(() => openDisk(at('nothing')), {
    code: 'io',
    message: /nothing: no such file or directory \(ENOENT\)/,
  });
  t.throws(() => openDisk(at('disk.img/x')), { code: 'io', message: /ENOTDIR/ });
  t.throws(() => new FileSource(openSync('/dev/zero', 'r'), 'zero'), { code: 'unsupported' });
  server.close();
});

t.test('names are shown without control characters', (t) => {
  writeFileSync(at('a\x1b[31mb'), 'x');
  t.equal(openDisk(at('a\x1b[31mb')).label, 'a\\x1b[31mb');
  t.end();
});

t.test('device numbers', (t) => {
  t.equal(deviceNumber(0x801), '8:1');
  t.equal(deviceNumber(0x700), '7:0');
  // major 259, minor 0x12345: makedev() of glibc
  t.equal(deviceNumber(0x12310345), '259:74565');
  t.equal(deviceNumber(0xfff0_0000 + 0xfd05), '253:1048325');
  t.end();
});

t.test('a size found by reading', (t) => {
  for (const sectors of [0, 1, 2, 3, 7, 8, 1000, 2 ** 31 + 5, 2 ** 44 - 1]) {
    let reads = 0;
    const size = sizeByReading((place) => {
      reads++;
      return place < sectors * 512;
    });
    t.equal(size, sectors * 512);
    t.ok(reads < 100);
  }
  t.end();
});
