/** The tree on which the scripts of fixtures/configs/grub2 run; fixtures/recipes/grub2-language.sh makes the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { grub2 } from '../../../lib/boot/grub2/dialect';
import type { BootMenu } from '../../../lib/boot/model';
import { Budget } from '../../../lib/bytes/budget';
import type { Limits } from '../../../lib/bytes/limits';
import { context, ROOT, type TestContext } from '../../support';
import { extentFile, link, MemoryFs, type MemoryTree, memoryGuest } from '../memfs';

export const CONFIGS = join(ROOT, 'fixtures', 'configs', 'grub2');

const content = 'content\n';

export function tree(config: string): MemoryTree {
  const inc: Record<string, string> = {};
  for (const name of readdirSync(join(CONFIGS, 'tree', 'inc')).sort())
    inc[name] = readFileSync(join(CONFIGS, 'tree', 'inc', name), 'latin1');
  const glob: Record<string, MemoryTree | string> = {};
  for (const name of [
    'file-1',
    'file-2',
    'file-10',
    'a*b',
    'axb',
    'sp ace',
    '[q]',
    '.hidden',
    'a.b',
    'a+b',
    '(p)',
  ])
    glob[name] = content;
  return {
    boot: { grub: { 'grub.cfg': config } },
    inc,
    glob: { ...glob, empty: '', d1: { x: content }, d2: { x: content }, d3: {} },
    t: {
      old: extentFile(8, () => [], 1600000000),
      new: extentFile(8, () => [], 1600001000),
      link: link('/glob/file-1'),
      dirlink: link('/glob'),
      dangling: link('nowhere'),
    },
  };
}

/** Evaluates a grub.cfg that lies in `/boot/grub` of the whole disk `hd0`. */
export function evaluate(
  config: string,
  files: (config: string) => MemoryTree = tree,
  ctx: TestContext = context(),
  limits?: Limits,
): BootMenu {
  const fs = new MemoryFs(files(config));
  const guest = memoryGuest(ctx, [fs]);
  const volume = guest.disks[0]!.whole;
  const walk = ['boot', 'grub', 'grub.cfg'].reduce((node, name) => fs.lookup(node, name)!, fs.root);
  return grub2.evaluate(
    { volume, path: '/boot/grub/grub.cfg', fs, node: walk },
    { ...ctx, ...(limits ? { budget: new Budget(limits, 'test') } : {}), guest, quiet: true },
  );
}
