/** Is it UDF? The volume recognition sequence, and the anchors that lead to the descriptors. */
import type { Context } from '../../lib/bytes/budget';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  AnchorVolumeDescriptorPointer,
  RECOGNITION_AT,
  RECOGNITION_MOST,
  RECOGNITION_SIZE,
  SECTOR_SIZES,
  TAG,
  Tag,
} from './layout';
import { checksumFits } from './tag';

/** An extent of the volume: bytes, first sector. */
export interface VolumeExtent {
  readonly length: number;
  readonly sector: number;
}

export interface Anchor {
  readonly sectorSize: number;
  readonly sector: number;
  readonly sequences: readonly [main: VolumeExtent, reserve: VolumeExtent];
}

/** What the descriptors say, `step` bytes apart. */
function recognised(source: BlockSource, step: number, ctx: Context): { udf: boolean; bridge: boolean } {
  let bridge = false;
  for (let i = 0; i < RECOGNITION_MOST; i++) {
    const at = RECOGNITION_AT + i * step;
    if (at + 7 > source.size) break;
    const id = readBytes(source, at + 1, 5, ctx).toString('latin1');
    if (/^NSR0[23]$/.test(id)) return { udf: true, bridge };
    if (id === 'CD001') bridge = true;
    // An extended area may end (TEA01) before the descriptor that counts, up to UDF 2.00.
    else if (!/^(BEA01|BOOT2|CDW02|TEA01)$/.test(id)) break;
  }
  return { udf: false, bridge };
}

/** Both an ISO 9660 and a UDF: they share the files' bytes. */
export const isBridge = (source: BlockSource, ctx: Context): boolean =>
  recognised(source, RECOGNITION_SIZE, ctx).bridge;

/** Every sound anchor (3/8.4.2.1), the usual places of all sector sizes first; none: it is no UDF. */
export function* anchors(source: BlockSource, ctx: Context): Generator<Anchor> {
  const steps = new Map<number, boolean>();
  const sizes = [...new Set([source.sectorSize, ...SECTOR_SIZES])].filter((size) => {
    const step = Math.max(RECOGNITION_SIZE, size);
    if (!steps.has(step)) steps.set(step, recognised(source, step, ctx).udf);
    return steps.get(step);
  });
  const at = (sectorSize: number, sector: number): Anchor | undefined => {
    if (sector < 16 || (sector + 1) * sectorSize > source.size) return undefined;
    const b = readBytes(source, sector * sectorSize, 512, ctx);
    const tag = Tag.read(b);
    if (tag.TagIdentifier !== TAG.anchor || tag.TagLocation !== sector || !checksumFits(b)) return undefined;
    const a = AnchorVolumeDescriptorPointer.read(b);
    return {
      sectorSize,
      sector,
      sequences: [
        { length: a.MainLength, sector: a.MainLocation },
        { length: a.ReserveLength, sector: a.ReserveLocation },
      ],
    };
  };
  for (const places of [
    () => [256, 512],
    (size: number) => {
      const last = Math.floor(source.size / size) - 1;
      return [last - 256, last];
    },
  ])
    for (const size of sizes)
      for (const sector of places(size)) {
        const anchor = at(size, sector);
        if (anchor) yield anchor;
      }
}
