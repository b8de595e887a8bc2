import type { BlockSource } from '../lib/source/types';

export interface CountingSource extends BlockSource {
  reads: number;
  bytesRead: number;
}

/** Counts what is read from a source. */
export function counting(inner: BlockSource): CountingSource {
  return {
    label: inner.label,
    size: inner.size,
    sectorSize: inner.sectorSize,
    reads: 0,
    bytesRead: 0,
    read(at, into) {
      this.reads++;
      this.bytesRead += into.length;
      inner.read(at, into);
    },
    readMany(at, into) {
      this.reads++;
      let place = at;
      for (const buffer of into) {
        this.bytesRead += buffer.length;
        inner.read(place, buffer);
        place += buffer.length;
      }
    },
  };
}
