/** Compares a menu with the `.expected` file beside a configuration of fixtures/configs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { BootDialect, BootMenu } from '../../lib/boot/model';
import { ROOT } from '../support';
import { evaluate } from './dialect';
import type { MemoryTree } from './memfs';

interface ExpectedEntry {
  readonly title: string;
  readonly kernel?: string;
  readonly initrds?: readonly string[];
  readonly args?: string;
  readonly problem?: string;
  readonly hotkey?: string;
  readonly password?: string;
}

interface Expected extends Pick<BootMenu, 'default' | 'timeout' | 'timeoutStyle' | 'warnings'> {
  readonly entries: readonly ExpectedEntry[];
}

export const config = (dialect: string, name: string): string =>
  readFileSync(join(ROOT, 'fixtures/configs', dialect, name), 'latin1');

/** What `.expected` says of a menu, of this one. */
export function described(menu: BootMenu): Expected {
  return {
    default: menu.default,
    timeout: menu.timeout,
    timeoutStyle: menu.timeoutStyle,
    warnings: menu.warnings,
    entries: menu.entries.map((entry) => {
      const target = entry.resolve();
      const { hotkey, password } = entry;
      return {
        title: entry.title,
        ...(target.problem === null
          ? {
              kernel: target.kernel!.path,
              initrds: target.initrds.map(({ file }) => file.path),
              args: target.args,
            }
          : { problem: target.problem }),
        ...(hotkey === undefined ? {} : { hotkey }),
        ...(password ? { password: password.value } : {}),
      };
    }),
  };
}

/** Evaluates `fixtures/configs/DIALECT/NAME` as `path` among the other files of `tree`. */
export function sameAsExpected(
  t: Test,
  dialect: BootDialect,
  name: string,
  path: string,
  tree: (text: string) => MemoryTree,
): BootMenu {
  const expected = JSON.parse(config(dialect.name, name.replace(/\.\w+$/, '.expected')));
  const { menu } = evaluate(dialect, path, tree(config(dialect.name, name)));
  t.same(described(menu), expected, name);
  for (const entry of menu.entries) {
    // Its own text, unchanged, means the same; but for what a section has from elsewhere.
    const [own, again] = [entry.resolve(), entry.resolve(entry.text)];
    t.same([again.args, again.problem], [own.args, own.problem], `${name}: the text of ${entry.title}`);
  }
  return menu;
}
