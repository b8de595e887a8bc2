/** The layouts of fixtures/images/partition-tables.json.gz, labels.json.gz and further-tables.json.gz as sources. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type BlockSource, checkRange } from '../../lib/source/types';
import type { PartitionTable } from '../../lib/volume/types';
import { ROOT } from '../support';

export interface Layout {
  readonly size: number;
  readonly sectorSize: number;
  readonly oracle: string;
  readonly expected: PartitionTable | 'corrupt' | null;
  /** Byte offset → sector without its trailing zeros, base64. */
  readonly data: Record<string, string>;
}

/** @param files of the three, without their endings */
export function layouts(
  files: readonly string[] = ['partition-tables', 'labels', 'further-tables'],
): Map<string, Layout> {
  const read = (name: string): Record<string, Layout> =>
    JSON.parse(gunzipSync(readFileSync(join(ROOT, 'fixtures/images', `${name}.json.gz`))).toString());
  return new Map(files.flatMap((name) => Object.entries(read(name))));
}

/** A disk of any size of which only some 512-byte sectors are not zero. */
export class SparseSource implements BlockSource {
  readonly sectors = new Map<number, Buffer>();
  constructor(
    readonly size: number,
    readonly label = 'disk',
    readonly sectorSize = 512,
  ) {}

  static from(layout: Layout, sectorSize = 512): SparseSource {
    const source = new SparseSource(layout.size, 'disk', sectorSize);
    for (const [at, text] of Object.entries(layout.data)) {
      const sector = Buffer.alloc(512);
      Buffer.from(text, 'base64').copy(sector);
      source.sectors.set(Number(at) / 512, sector);
    }
    return source;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    into.fill(0);
    for (let sector = Math.floor(at / 512); sector * 512 < at + into.length; sector++) {
      const bytes = this.sectors.get(sector);
      if (!bytes) continue;
      const from = Math.max(at, sector * 512);
      const to = Math.min(at + into.length, sector * 512 + 512);
      into.set(bytes.subarray(from - sector * 512, to - sector * 512), from - at);
    }
  }
}
