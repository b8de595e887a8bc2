/** The image formats over their own fixtures: what lies at places all over the disk, as the program would read it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../lib/bytes/budget';
import { formats, type ImageChoice, type Member, openImage } from '../../lib/source';
import { CacheSource } from '../../lib/source/cache';
import { type BlockSource, readOnce } from '../../lib/source/types';
import { loadImage } from '../disk';
import { guarded, ImageTarget, type Parser, type Sample } from './images';

/** As the children of fixtures/images name their parents. */
const PARENTS: Readonly<Record<string, string>> = {
  vhd: './vhd-parent.vhd',
  vhdx: './vhdx-parent.vhdx',
};
const SNAPSHOT = 'snapshot:';

/** Without the cache: the survey knows a number's place by the buffer that was read. */
class Direct extends CacheSource {
  override read(at: number, into: Uint8Array): void {
    this.parent.read(at, into);
  }
}

interface Opened {
  readonly disk: BlockSource;
  open(choice: ImageChoice): BlockSource;
}

const piece = Buffer.alloc(40_000);

function look({ disk, open }: Opened, path: string): void {
  if (path.startsWith(SNAPSHOT)) {
    const old = open({ snapshot: path.slice(SNAPSHOT.length) });
    old.read(0, piece.subarray(0, Math.min(piece.length, old.size)));
    return;
  }
  const at = Number(path);
  if (at >= disk.size) return;
  const into = piece.subarray(0, Math.min(piece.length, disk.size - at));
  if (at % 3 === 0 && into.length > 100) disk.readMany?.(at, [into.subarray(0, 100), into.subarray(100)]);
  else if (at % 3 === 1) readOnce(disk, at, into);
  else disk.read(at, into);
}

const parser = (name: string): Parser<Opened> => ({
  open(file, ctx, others) {
    const members = new Map<string, Member>();
    for (const other of others()) members.set(PARENTS[name]!, { file: other, members: new Map() });
    const open = (choice: ImageChoice) =>
      openImage(new Direct(file), { ...choice, format: name, members }, ctx);
    const { references } = formats.find((f) => f.name === name)!.load();
    if (references) guarded(() => void references(file, ctx));
    return { disk: open({}), open };
  },
  use(opened, paths, _ctx: Context) {
    guarded(() => look(opened, '0'));
    for (const path of paths) guarded(() => look(opened, path));
  },
  paths({ disk }) {
    const places: string[] = name === 'qcow2' ? [`${SNAPSHOT}before`, `${SNAPSHOT}none`] : [];
    // Somewhere inside clusters of every size; what lies beyond the fixtures' 1.4 MB is little.
    for (let at = 0; at < Math.min(disk.size, 1_600_000); at += 32_771) places.push(String(at));
    return places;
  },
});

export function formatTargets(root: string): ImageTarget<unknown>[] {
  const images = readdirSync(join(root, 'fixtures/images'));
  return formats.map(({ name }) => {
    const samples = images
      .filter((file) => file.startsWith(`${name}-`) && file.endsWith('.img.gz'))
      .map(
        (file): Sample => ({
          name: file.replace('.img.gz', ''),
          load: () => loadImage(root, `fixtures/images/${file}`),
          ...(file.includes('-child')
            ? { members: () => [loadImage(root, `fixtures/images/${name}-parent.img.gz`)] }
            : {}),
        }),
      );
    return new ImageTarget(`format-${name}`, parser(name), samples) as ImageTarget<unknown>;
  });
}
