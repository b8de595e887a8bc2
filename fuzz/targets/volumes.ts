/** Volume groups, arrays and LUKS headers. The members of a set are one image, so that changes fall on any of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '../../lib/boot/assemble';
import { type Disk, Guest } from '../../lib/boot/guest';
import type { Context } from '../../lib/bytes/budget';
import { type BlockSource, SliceSource } from '../../lib/source/types';
import { readTable } from '../../lib/volume';
import { type LuksHeader, readHeader } from '../../lib/volume/luks/luks';
import { loadImage } from '../disk';
import { editJson, editMetadata, editSuperblocks, type Part } from '../edits';
import type { Target } from '../target';
import { guarded, ImageTarget, type Parser, type Sample } from './images';

/** Without a cache before it: the survey knows a number's place by the buffer that was read. */
class MemberSource extends SliceSource {
  readonly cached = true;
}

/** Of an image that was cut, what is left. */
function membersOf(disk: BlockSource, parts: readonly Part[]): BlockSource[] {
  return parts.map(({ start, size }, i) => {
    const at = Math.min(start, disk.size);
    return new MemberSource(disk, at, Math.min(size, disk.size - at), `member${i}`);
  });
}

const piece = Buffer.alloc(20_000);

function look(guest: Guest, made: readonly Disk[], place: number): void {
  for (const { whole } of made.slice(0, 4))
    guarded(() => {
      const at = place % Math.max(1, whole.source.size);
      const into = piece.subarray(0, Math.min(piece.length, whole.source.size - at));
      if (place % 2 === 0) whole.source.read(at, into);
      else whole.source.readOnce?.(at, into);
    });
  // What a member shows is what the array holds.
  for (const disk of guest.disks.slice(0, 3)) guarded(() => void disk.whole.filesystem());
}

interface Opened {
  readonly guest: Guest;
  readonly made: readonly Disk[];
}

const sets = (partsOf: ReadonlyMap<string, readonly Part[]>): Parser<Opened> => ({
  open(disk, ctx: Context) {
    const guest: Guest = new Guest(ctx, {
      readTable,
      openFileSystem: () => undefined,
      assemble: (of) => assemble(of, ctx),
    });
    for (const [i, member] of membersOf(disk, partsOf.get(disk.label)!).entries())
      guest.addDisk(`hd${i}`, member);
    guest.assemble();
    const made = guest.disks.filter(({ name }) => /^(lvm|md)\//.test(name));
    return made.length > 0 ? { guest, made } : undefined;
  },
  use({ guest, made }, paths) {
    look(guest, made, 0);
    for (const path of paths) look(guest, made, Number(path));
  },
  paths: () => Array.from({ length: 24 }, (_, i) => String(i * 262_147)),
});

function setTarget(root: string, kind: 'lvm' | 'md'): ImageTarget<unknown> {
  const { sets: all } = JSON.parse(readFileSync(join(root, `fixtures/images/${kind}.json`), 'utf8')) as {
    sets: readonly { name: string; members: readonly number[] }[];
  };
  const partsOf = new Map<string, Part[]>();
  const samples: Sample[] = [];
  for (const { name, members } of all) {
    // Those of controllers are told from the rest, and not read.
    if (/^md-(ddf|imsm)$/.test(name)) continue;
    let start = 0;
    const parts = members.map((size) => {
      start += size;
      return { start: start - size, size };
    });
    partsOf.set(name, parts);
    samples.push({
      name,
      load: () => loadImage(root, `fixtures/images/${name}.img.gz`),
      edit: kind === 'lvm' ? editMetadata(parts) : editSuperblocks(parts),
    });
  }
  return new ImageTarget(kind, sets(partsOf), samples) as ImageTarget<unknown>;
}

/** Headers of LUKS, the damaged ones too; what lies behind them needs keys, and is a matter of test/volume/luks. */
function luksTarget(root: string): ImageTarget<unknown> {
  const parser: Parser<LuksHeader> = {
    open: (disk, ctx) => readHeader(disk, ctx, true),
    use() {},
    paths: () => [],
  };
  const samples = ['luks-1', 'luks-2', 'luks-2-essiv'].map(
    (name): Sample => ({
      name,
      load: () => loadImage(root, `fixtures/images/${name}.img.gz`),
      ...(name === 'luks-1' ? {} : { edit: editJson }),
    }),
  );
  return new ImageTarget('luks', parser, samples, 0.5, 0.4) as ImageTarget<unknown>;
}

export const volumeTargets = (root: string): Target[] => [
  setTarget(root, 'lvm'),
  setTarget(root, 'md'),
  luksTarget(root),
];
