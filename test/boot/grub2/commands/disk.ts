/** Configurations run on the disk of fixtures/recipes/grub2-commands.sh, through the real table and driver code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSystem } from '../../../../fsdrivers';
import { grub2 } from '../../../../lib/boot/grub2/dialect';
import { Guest } from '../../../../lib/boot/guest';
import type { BootMenu } from '../../../../lib/boot/model';
import type { FileSystem } from '../../../../lib/fs/types';
import { readTable } from '../../../../lib/volume';
import { context, ROOT, source, type TestContext } from '../../../support';
import { MemoryFs, type MemoryTree, memoryGuest } from '../../memfs';

export const CONFIGS = join(ROOT, 'fixtures', 'configs', 'grub2-commands');

export interface Ran {
  readonly console: string;
  readonly warnings: readonly string[];
  readonly menu: BootMenu;
}

/** Runs `config` as if it lay on (hd0,gpt2)/boot/grub of the disk that was recorded. */
export function onDisk(config: string, image = source('grub2-commands.img')): Ran {
  const ctx = context();
  const guest = new Guest(ctx, { readTable, openFileSystem });
  guest.addDisk('hd0', image);
  return evaluate(guest, ctx, config, 'hd0,gpt2', '/boot/grub/grub.cfg');
}

/** Runs `config` on a disk in memory: one filesystem, or one on each row of a table. */
export function inMemory(
  config: string,
  files: MemoryTree | FileSystem[],
  ctx: TestContext = context(),
): Ran & { readonly guest: Guest } {
  const list = Array.isArray(files) ? files : [new MemoryFs(files, { uuid: 'abcd-1234', label: 'root' })];
  const guest = memoryGuest(
    ctx,
    Array.isArray(files) ? [{ scheme: 'gpt', partitions: list.map((fs) => ({ fs })) }] : list,
  );
  const home = Array.isArray(files) ? 'hd0,gpt1' : 'hd0';
  return { guest, ...evaluate(guest, ctx, config, home, '/boot/grub2/grub.cfg') };
}

/** Runs `config` on a guest of the test's own making. */
export const evaluateOn = (guest: Guest, ctx: TestContext, config: string, home: string): Ran =>
  evaluate(guest, ctx, config, home, '/boot/grub2/grub.cfg');

function evaluate(guest: Guest, ctx: TestContext, config: string, home: string, path: string): Ran {
  const volume = guest.device(home)!;
  const fs = new MemoryFs({ cfg: config });
  const node = fs.lookup(fs.root, 'cfg')!;
  const menu = grub2.evaluate({ volume, path, fs, node }, { ...ctx, guest, quiet: true });
  return { console: menu.console, warnings: [...ctx.warnings, ...menu.warnings], menu };
}

/** What a terminal makes of tabs. */
export const expandTabs = (text: string): string =>
  text.replace(/[^\n]*\t[^\n]*/g, (line) => {
    let out = '';
    for (const c of line) out += c === '\t' ? ' '.repeat(8 - (out.length % 8)) : c;
    return out;
  });

/** The script NAME.cfg, and what grub-emu printed. */
export function recorded(name: string): { config: string; expected: string } {
  return {
    config: readFileSync(join(CONFIGS, `${name}.cfg`), 'latin1'),
    expected: readFileSync(join(CONFIGS, `${name}.expected`), 'latin1'),
  };
}
