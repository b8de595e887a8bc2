import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { crc32 } from '../../lib/bytes/crc32';

t.test('the check value of the catalogue, and that of zlib', (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  t.equal(crc32(), 0);
  for (const size of [0, 1, 92, 512, 5000, 16384, 100_000]) {
    const bytes = randomBytes(size);
    const zipped = gzipSync(bytes);
    t.equal(crc32(bytes), zipped.readUInt32LE(zipped.length - 8), `${size} bytes`);
    for (let at = 0; at < size; at += 1300) bytes.fill(0, at, Math.min(size, at + 900 + (at >> 3)));
    const sparse = gzipSync(bytes);
    t.equal(crc32(bytes), sparse.readUInt32LE(sparse.length - 8), `${size} bytes with zeros`);
    t.equal(crc32(bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)), crc32(bytes));
  }
  t.end();
});
