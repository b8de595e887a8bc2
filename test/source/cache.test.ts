import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { CacheSource } from '../../lib/source/cache';
import { type BlockSource, MemorySource, readOnce, SliceSource } from '../../lib/source/types';
import { counting } from '../sources';

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) ^ (i >> 8)));

function at(source: BlockSource, place: number, length: number): Buffer {
  const into = Buffer.alloc(length);
  source.read(place, into);
  return into;
}

t.test('small reads share pages, large ones go past', async (t) => {
  const disk = counting(new MemorySource(bytes, 'disk'));
  const cache = new CacheSource(disk);
  for (const [place, length] of [
    [0, 1],
    [16_000, 1000],
    [5, 40_000],
    [299_990, 10],
    [0, 300_000],
    [100, 0],
  ] as const)
    t.same(at(cache, place, length), bytes.subarray(place, place + length), `${place}+${length}`);
  const { reads } = disk;
  at(cache, 20, 30);
  at(cache, 299_999, 1);
  t.equal(disk.reads, reads, 'from memory');
  t.throws(() => at(cache, 299_999, 2), { code: 'corrupt' });
});

t.test('what is read once is not kept', async (t) => {
  const disk = counting(new MemorySource(bytes, 'disk'));
  const part = new SliceSource(new CacheSource(disk), 1000, 200_000, 'part');
  const into = Buffer.alloc(50);
  for (let i = 0; i < 2; i++) readOnce(part, 10, into);
  t.same(into, bytes.subarray(1010, 1060));
  t.same([disk.reads, disk.bytesRead], [2, 100]);
  t.throws(() => readOnce(part, 199_960, into), { code: 'corrupt' });
  readOnce(disk, 5, into);
  t.same(into, bytes.subarray(5, 55), 'a source without a cache');
});

t.test('old pages make room', async (t) => {
  const disk = counting(new MemorySource(Buffer.alloc(16 * 1024 * 600, 3), 'disk'));
  const cache = new CacheSource(disk);
  for (let round = 0; round < 2; round++)
    for (let page = 0; page < 600; page++) t.equal(at(cache, page * 16 * 1024 + 5, 1)[0], 3);
  t.equal(disk.reads, 1200, 'no more than 256 are kept');
});

t.test('a bad sector takes only itself', async (t) => {
  const good = new MemorySource(bytes, 'disk');
  const disk: BlockSource = {
    ...good,
    label: 'disk',
    size: good.size,
    sectorSize: 512,
    read(place, into) {
      if (place < 1024 && place + into.length > 512) throw new GuestError('io', 'EIO');
      good.read(place, into);
    },
  };
  const cache = new CacheSource(disk);
  t.same(at(cache, 1024, 100), bytes.subarray(1024, 1124));
  t.same(at(cache, 0, 512), bytes.subarray(0, 512));
  t.throws(() => at(cache, 500, 100), { code: 'io' });
});
