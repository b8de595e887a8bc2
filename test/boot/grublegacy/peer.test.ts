/**
 * The fixture disk's configurations against GRUB 0.97 itself: `grublegacy.expected.json` holds what its shell and, in QEMU,
 * its stage2 did with each (fixtures/recipes/grublegacy.sh).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { defaultChoice, namedChoice } from '../../../lib/boot/choose';
import { evaluate } from '../../../lib/boot/grublegacy/dialect';
import { Guest } from '../../../lib/boot/guest';
import type { BootContext, BootMenu, BootTarget } from '../../../lib/boot/model';
import { readWhole } from '../../../lib/fs/file';
import { walk } from '../../../lib/fs/walk';
import { readTable } from '../../../lib/volume';
import { context, ROOT, source } from '../../support';

interface Witnessed {
  readonly kernel: string;
  readonly cmdline: string;
  readonly ramdisk: number;
}
interface Outcome {
  readonly error: number | null;
  readonly message?: string;
  readonly loaded?: boolean;
  readonly ramdisk?: number;
  readonly modules?: readonly number[];
  readonly boots?: Witnessed | null;
}
interface Menu {
  readonly titles: readonly string[];
  readonly selected: number;
  readonly ran: readonly string[];
  readonly entries: readonly Outcome[];
  readonly boots?: Witnessed | null;
}

const expected: Record<string, Menu> = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/images/grublegacy.expected.json'), 'latin1'),
);

function open() {
  const base = context();
  const guest = new Guest(base, { readTable, openFileSystem });
  guest.addDisk('hd0', source('grublegacy.img'));
  const ctx: BootContext = { ...base, guest, quiet: true };
  const volume = guest.device('hd0,msdos1')!;
  const fs = volume.filesystem()!;
  const menu = (path: string) => evaluate({ volume, path, fs, node: walk(fs, path) }, ctx);
  return { ctx, menu };
}

/** What the witness kernel would say of a target. */
function seen(target: BootTarget, ctx: BootContext): Witnessed {
  const { fs, node } = target.kernel!.found!;
  const bytes = readWhole(fs, node, 1 << 20, ctx).toString('latin1');
  // The name is the last string in the kernel, see the recipe.
  const at = (name: string) => bytes.lastIndexOf(`${name}\0`);
  const kernel = ['one', 'two', 'boot'].sort((a, b) => at(b) - at(a))[0]!;
  const ramdisk = target.initrds.reduce((sum, { file }) => sum + file.found!.node.size, 0);
  return { kernel, cmdline: target.args, ramdisk };
}

/** Where the menus differ on purpose, and why. */
const DIFFERS: Record<string, string> = {
  // Error 32 without the password: the entry's `users` say it, and the menu asks.
  Locked: 'Must be authenticated',
};

/** The titles that run: the default, and fallbacks until one boots. */
function course(menu: BootMenu): { titles: string[]; target: BootTarget | undefined } {
  const titles: string[] = [];
  for (const choice of [defaultChoice(menu, () => {}), ...menu.fallback.map((n) => namedChoice(menu, n))]) {
    titles.push(choice!.entry.title);
    const target = choice!.entry.resolve();
    if (target.problem === null) return { titles, target };
  }
  return { titles, target: undefined };
}

for (const [name, want] of Object.entries(expected)) {
  t.test(name, async (t) => {
    const { ctx, menu: evaluated } = open();
    const menu = evaluated(`/boot/grub/${name}`);
    t.same(
      menu.entries.map((e) => e.title),
      want.titles,
      'titles',
    );
    t.same(menu.default, [want.selected], 'default');
    const { titles, target } = course(menu);
    t.same(titles, want.ran, 'entries that run');
    if (want.boots === null) t.notOk(target?.kernel?.path, 'nothing boots');
    else if (want.boots) t.same(target && seen(target, ctx), want.boots, 'what the kernel is given');
    for (const [i, outcome] of want.entries.entries()) {
      const entry = menu.entries[i]!;
      if (DIFFERS[entry.title] !== undefined) {
        t.equal(outcome.message, DIFFERS[entry.title], entry.title);
        continue;
      }
      const target = entry.resolve();
      const boots = outcome.error === null && outcome.loaded === true;
      t.equal(target.problem === null, boots, `${entry.title}: ${target.problem ?? 'boots'}`);
      if (!boots) continue;
      if (outcome.boots) t.same(seen(target, ctx), outcome.boots, entry.title);
      else if (outcome.modules!.length > 0)
        t.same(
          [target.kernel!, ...target.initrds.map((p) => p.file)].map((f) => f.found!.node.size),
          outcome.modules,
          'modules in their order',
        );
      else t.equal(seen(target, ctx).ramdisk, outcome.ramdisk, 'ramdisk');
    }
  });
}
