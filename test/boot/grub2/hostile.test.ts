/** Configurations made to hurt: each ends, within its budget, and keeps what came before. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { matches } from '../../../lib/boot/grub2/glob';
import type { BootMenu } from '../../../lib/boot/model';
import { Budget } from '../../../lib/bytes/budget';
import { LIMITS } from '../../../lib/bytes/limits';
import { rounds, THOROUGH } from '../../support';
import { numbers, PRELUDE, Scripts } from './random';
import { CONFIGS, evaluate } from './tree';

const GOOD = 'menuentry before { linux /glob/file-1 }\n';
const grow = 'a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do a=$a$a; done; ';

/** Script, and what the warning says. The budget stops the work, or a bound of the language. */
const TOP: Record<string, [string, RegExp]> = {
  'an endless loop': ['while true; do true; done', /too much work/],
  'an endless loop of nothing': ['while true; do $none; done', /too much work/],
  'endless output': ['while true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaa; done', /too much work/],
  'endless output of much': [`${grow}while true; do echo $a; done`, /too much/],
  'a value that doubles': ['a=aaaaaaaa; while true; do a=$a$a; done', /too much memory/],
  'a quoted value that doubles': ['a="x x"; while true; do a="$a$a"; done', /too much memory/],
  'a list that doubles': ['a="x x"; while true; do a="$a $a"; for i in $a; do true; done; done', /too much/],
  'parameters that double': ['function f { f "$@" "$@"; }\nf a b', /too much/],
  'setparams that doubles': ['function f { while true; do setparams "$@" "$@"; done; }\nf a b', /too much/],
  'an eval that doubles': ['a="true;"; while true; do a="$a$a"; eval "$a"; done', /too much/],
  'recursion that branches': ['function f { f; f; f; }\nf', /too much work/],
  'a file that includes itself': [
    'source /boot/grub/grub.cfg',
    /configurations that include each other: 11, at most 10/,
  ],
  'a file that opens itself': [
    'configfile /boot/grub/grub.cfg',
    /configurations that include each other: 11, at most 10/,
  ],
  'more entries than anyone needs': ['while true; do menuentry x { linux /k; }; done', /menu entries/],
  'braces without end': [`menuentry a ${'{ x '.repeat(50_000)}`, /nested deeper/],
  'ifs without end': ['if '.repeat(50_000), /nested deeper/],
  'elifs without end': [`if false; then true; ${'elif false; then true; '.repeat(5000)}fi`, /nested deeper/],
  'new variables without end': ['i=; while true; do i=x$i; eval "v$i=1"; done', /too much/],
  'comparing long names': [`${grow}while true; do [ $a -pgt $a ]; done`, /too much work/],
  'looking for files without end': ['while [ -f /boot/grub/grub.cfg ]; do true; done', /too much work/],
  'a line of a million commands': ['true;'.repeat(2_500_000), /too much/],
};

/** The same bounds, met sooner. */
const SMALLER = THOROUGH
  ? undefined
  : {
      ...LIMITS,
      runSteps: LIMITS.runSteps / 4,
      runBytesAllocated: LIMITS.runBytesAllocated / 4,
      cpuSeconds: 1000,
      memory: 2 ** 40,
    };

for (const [name, [script, reason]] of Object.entries(TOP))
  t.test(name, async (t) => {
    const self = /configfile/.test(script);
    const menu = evaluate(self ? script : `${GOOD}${script}`, undefined, undefined, SMALLER);
    t.match(menu.warnings.join('\n'), reason);
    if (!self) {
      t.equal(menu.entries[0]?.title, 'before', 'what came before is kept');
      t.equal(menu.entries[0]?.resolve().problem, null, 'and boots');
    }
  });

/** These only must come back. */
const QUIET: Record<string, string> = {
  'eval in eval': 'a=\'eval "$a"\'; eval "$a"; echo here',
  parentheses: `[ ${'( '.repeat(50_000)} ]; echo here`,
  negations: `[ ${'! '.repeat(100_000)} ]; echo here`,
  'a long word': `echo ${'a\\b'.repeat(500_000)}; echo here`,
  'an open quote': `echo here\necho "${'\\a'.repeat(500_000)}`,
  'many variables in a word': `echo ${'$a'.repeat(300_000)}; echo here`,
  'a path of stars': `true /${'*/'.repeat(50_000)}; echo here`,
  'a pattern of stars': `true /glob/${'*a'.repeat(50_000)}; echo here`,
  'a number of a million digits': `[ ${'9'.repeat(1_000_000)} -eq 1 ]; echo here`,
  'open braces in a translated text': `echo here; echo $"${'${'.repeat(200_000)}"`,
  'lines that are none': `${'fi\n'.repeat(5_000)}echo here`,
};
for (const [name, script] of Object.entries(QUIET))
  t.test(name, async (t) => t.ok(evaluate(script).console.includes('here')));

t.test('a line that GRUB would not show to its end is cut', async (t) => {
  const menu = evaluate(`${grow}for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $a; done; echo behind`);
  t.ok(menu.console.length <= 1024 * 1024);
  t.match(menu.warnings.join(), /bytes are printed/);
});

t.test('an entry has a budget of its own', async (t) => {
  const menu = evaluate(
    [
      'menuentry a { linux /glob/file-1; while true; do true; done; }',
      'menuentry b { a=xxxxxxxx; while true; do a=$a$a; done; }',
      'submenu c { menuentry d { linux /glob/file-1; }; while true; do true; done; }',
      'menuentry e { linux /glob/file-2; }',
    ].join('\n'),
  );
  t.same(menu.warnings, []);
  t.match(menu.entries[0]!.resolve().problem, /too much work \(steps\) in menuentry 'a'/);
  t.match(menu.entries[1]!.resolve().problem, /too much memory/);
  const inner = menu.entries[2]!.open!();
  t.match(inner.warnings.join(), /too much work/);
  t.equal(inner.entries[0]!.resolve().problem, null);
  t.equal(menu.entries[3]!.resolve().problem, null);
  t.equal(menu.entries[3]!.resolve().kernel?.path, '/glob/file-2');
});

t.test('menus inside each other end', async (t) => {
  let menu: BootMenu = evaluate('submenu a { source /boot/grub/grub.cfg }\n');
  let depth = 0;
  while (menu.entries[0]?.open) {
    menu = menu.entries[0].open();
    depth++;
  }
  t.ok(depth > 5 && depth < 20, `${depth} levels`);
  t.match(menu.warnings.join(), /menus inside each other/);
  t.match(
    evaluate('menuentry a { configfile /boot/grub/grub.cfg }\n').entries[0]!.resolve().problem,
    /menus inside each other/,
  );
});

t.test('a pattern takes time in proportion to its length times the name', async (t) => {
  const budget = new Budget({ ...LIMITS, runSteps: 200_000 }, 'test');
  t.equal(matches(`${'*a'.repeat(1000)}b`, 'a'.repeat(4000), budget), false);
});

t.test('damaged scripts never break anything but themselves', async (t) => {
  const random = numbers(99);
  const tight = { ...LIMITS, runSteps: 30_000 };
  const texts = readdirSync(CONFIGS)
    .filter((name) => name.endsWith('.cfg'))
    .map((name) => readFileSync(join(CONFIGS, name), 'latin1'));
  for (const name of ['scopes.cfg', 'syntax.cfg'])
    texts.push(readFileSync(join(CONFIGS, 'menus', name), 'latin1'));
  const BYTES = '{}"\'\\$;|&<>#\n \t\0\r*?()[]!=xif\xff';
  for (let round = 0; round < rounds(1500); round++) {
    const whole = texts[round % texts.length]!;
    const from = Math.floor(random() * whole.length);
    let text = whole.slice(from, from + 1500);
    for (let i = 0; i < 3; i++) {
      const at = Math.floor(random() * text.length);
      text =
        text.slice(0, at) +
        BYTES[Math.floor(random() * BYTES.length)] +
        text.slice(at + (random() < 0.5 ? 1 : 0));
    }
    const menu = evaluate(text, undefined, undefined, tight);
    for (const entry of menu.entries) {
      t.type(entry.text, 'string');
      if (entry.open) for (const inner of entry.open().entries) inner.resolve();
      else entry.resolve();
    }
  }
  for (let seed = 0; seed < rounds(300); seed++) {
    const scripts = new Scripts(numbers(seed + 5000));
    evaluate(`${PRELUDE}${scripts.damaged()}`, undefined, undefined, tight);
  }
});
