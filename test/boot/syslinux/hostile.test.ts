/** Damaged and hostile configurations: only GuestError from evaluate, never one from resolve, all within bounds. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { allChoices, defaultChoice } from '../../../lib/boot/choose';
import type { BootDialect, BootMenu } from '../../../lib/boot/model';
import { evaluate as evaluateConfig } from '../../../lib/boot/syslinux/dialect';
import { GuestError } from '../../../lib/bytes/errors';
import { cpuMs, image, ROOT, rounds } from '../../support';
import { evaluate, mutations } from '../dialect';

const dialect: BootDialect = { name: 'syslinux', paths: [], evaluate: evaluateConfig };
const CONFIGS = join(ROOT, 'fixtures', 'configs', 'syslinux');
const text = (name: string) => readFileSync(join(CONFIGS, name), 'latin1');
const files = {
  vmlinuz: 'k',
  'vmlinuz-a': 'k',
  'vmlinuz-b': 'k',
  i1: 'x',
  'labels.inc': text('files/labels.inc'),
};

/** Everything that list and menu ask of a menu. */
function walkMenu(menu: BootMenu): void {
  defaultChoice(menu, () => {})?.entry.resolve();
  let left = 200;
  for (const { entry } of allChoices(menu)) {
    entry.resolve();
    entry.resolve(`${entry.text} single`);
    void [entry.hotkey, entry.users, entry.password, entry.id];
    if (--left === 0) return;
  }
}

t.test('mutations', async (t) => {
  const names = readdirSync(CONFIGS).filter((f) => f.endsWith('.cfg') && f !== 'long.cfg');
  let slowest = 0;
  let booted = 0;
  for (const [i, name] of names.entries()) {
    for (const damaged of mutations(text(name), 200, i + 1)) {
      const start = cpuMs();
      try {
        const { menu } = evaluate(dialect, '/syslinux.cfg', {
          ...files,
          'syslinux.cfg': damaged,
          sub: { 'other.cfg': damaged },
        });
        walkMenu(menu);
        booted++;
      } catch (error) {
        if (!(error instanceof GuestError))
          throw new Error(`${name}: ${JSON.stringify(damaged)}`, { cause: error });
      }
      slowest = Math.max(slowest, cpuMs() - start);
    }
  }
  t.equal(booted, names.length * rounds(200), 'a readable file always gives a menu');
  t.ok(slowest < 2000, `slowest: ${slowest} ms`);
});

t.test('what stood before a broken line still boots', async (t) => {
  for (const broken of [
    'INCLUDE syslinux.cfg',
    '\0\xff\x01',
    'MENU BEGIN',
    'LABEL',
    'MENU INCLUDE',
    'TEXT HELP',
    'x'.repeat(9000),
  ]) {
    const config = `DEFAULT good\nLABEL good\n LINUX /vmlinuz\n APPEND good\n${broken}\n`;
    const { menu } = evaluate(dialect, '/syslinux.cfg', { ...files, 'syslinux.cfg': config });
    const target = defaultChoice(menu, t.fail)?.entry.resolve();
    t.same([target?.problem, target?.args], [null, 'good'], JSON.stringify(broken.slice(0, 20)));
  }
});

t.test('hostile samples', async (t) => {
  const folder = join(ROOT, 'fixtures', 'malformed');
  const samples = readdirSync(folder).filter((f) => f.startsWith('syslinux-'));
  t.equal(samples.length, 6);
  for (const sample of samples) {
    const name = sample.replace(/\.gz$/, '');
    const config = image(name, 'malformed').toString('latin1');
    const start = cpuMs();
    const { menu } = evaluate(dialect, `/${name}`, { ...files, [name]: config });
    walkMenu(menu);
    t.ok(cpuMs() - start < 5000, `${name}: ${cpuMs() - start} ms`);
    const good = [...allChoices(menu)].find((c) => c.entry.id === 'good');
    t.equal(good?.entry.resolve().args, 'good', `${name}: the good entry boots`);
    const told = [...menu.warnings, ...menu.entries.slice(0, 3).map((e) => e.resolve().problem)].join();
    const wanted: Record<string, RegExp> = {
      'syslinux-limit-include-itself.cfg': /files that include each other: 11, at most 10/,
      'syslinux-limit-menus-deep.cfg': /menus inside each other: \d+, at most 10/,
      'syslinux-limit-steps.cfg': /too much work/,
      'syslinux-limit-memory.cfg': /at most 20000 \(NODEGRUB_MAX_MENU_ENTRIES/,
      'syslinux-limit-commands-in-a-circle.cfg': /commands that run each other: 11, at most 10/,
      'syslinux-not-found-config-of-itself.cfg': /leads back to the menu/,
    };
    t.match(told, wanted[name] ?? /no pattern/, name);
  }
});

t.test('time grows with size, not with its square', async (t) => {
  const time = (labels: number) => {
    const config = `UI menu.c32\n${Array.from({ length: labels }, (_, i) => `LABEL l${i}\n MENU LABEL ^n${i}\n LINUX /vmlinuz\n`).join('')}`;
    const start = cpuMs();
    const { menu } = evaluate(dialect, '/syslinux.cfg', { ...files, 'syslinux.cfg': config });
    for (const { entry } of allChoices(menu)) entry.resolve();
    return cpuMs() - start;
  };
  time(1000);
  const [small, large] = [time(2000), time(16000)];
  t.ok(large < 40 * small + 200, `${small} ms, ${large} ms`);
});
