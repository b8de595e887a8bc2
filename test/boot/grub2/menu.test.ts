/** What entries hand to `linux` and `initrd`, against what grub-emu was seen to do (fixtures/configs/grub2/menus). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { splitDefault } from '../../../lib/boot/choose';
import { commandLine } from '../../../lib/boot/grub2/commands/loader';
import type { BootMenu } from '../../../lib/boot/model';
import { CONFIGS, evaluate, tree } from './tree';

const MENUS = join(CONFIGS, 'menus');
const FILES = ['k', 'k1', 'k2', 'show', 'again', 'src', 'end', 'end1', 'end2'];
const files = (config: string) => ({
  ...tree(config),
  ...Object.fromEntries(FILES.map((name) => [name, 'content'])),
});

interface Wanted {
  entry: string;
  linux: string[];
  initrd: string[];
}

/** The last `linux` and `initrd` of each entry, their arguments one a line. */
function recorded(text: string): Wanted[] {
  return text.split(/^== /m).flatMap((part) => {
    if (part === '') return [];
    const wanted: Wanted = { entry: part.split('\n', 1)[0]!, linux: [], initrd: [] };
    for (const call of part.split(/^@(?=linux$|initrd$)/m).slice(1)) {
      // An argument may go over several lines; the first of each starts with `@ `.
      const [name, ...args] = call.replace(/\n$/, '').split(/\n@ /);
      wanted[name as 'linux' | 'initrd'] = args;
    }
    return [wanted];
  });
}

for (const file of readdirSync(MENUS).filter((name) => name.endsWith('.cfg'))) {
  t.test(file, async (t) => {
    const config = readFileSync(join(MENUS, file), 'latin1');
    const entries = recorded(readFileSync(join(MENUS, file.replace(/cfg$/, 'expected')), 'latin1'));
    t.equal(entries.length, config.split('\n', 1)[0]!.split(' ').length - 2, 'entries recorded');
    for (const { entry, linux, initrd } of entries) {
      let menu: BootMenu = evaluate(`${config}timeout=0\ndefault="${entry}"\n`, files);
      const numbers = splitDefault(entry).map(Number);
      for (const n of numbers.slice(0, -1)) menu = menu.entries[n]!.open!();
      const target = menu.entries[numbers.at(-1)!]!.resolve();
      t.equal(target.kernel?.path, linux[0], `${entry}: kernel`);
      t.equal(target.args, commandLine(linux.slice(1)), `${entry}: args`);
      t.same(
        target.initrds.map((part) => part.file.path),
        initrd,
        `${entry}: initrd`,
      );
    }
  });
}
