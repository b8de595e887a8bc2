/**
 * grub-emu and grub-script-check themselves, over the recorded scripts and over random ones.
 * `SEEDS=N` tries more of them.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseLine } from '../../lib/boot/grub2/parser';
import { numbers, PRELUDE, Scripts } from '../boot/grub2/random';
import { CONFIGS, evaluate } from '../boot/grub2/tree';
import { ROOT } from '../support';
import { CLEAN_ENV, scratch } from './support';

const SEEDS = Number(process.env.SEEDS ?? 4);
const RECIPE = join(ROOT, 'fixtures', 'recipes', 'grub2-language.sh');

/** What grub-emu prints for the script in `file`. */
function grubEmu(file: string): string {
  const run = spawnSync(RECIPE, ['--run', file], {
    env: CLEAN_ENV,
    encoding: 'latin1',
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`grub-emu: ${run.error ?? run.stderr}`);
  return run.stdout;
}

t.test('the recorded scripts are what grub-emu says today', async (t) => {
  for (const name of readdirSync(CONFIGS).filter((n) => n.endsWith('.cfg')))
    t.equal(
      grubEmu(join(CONFIGS, name)),
      readFileSync(join(CONFIGS, name.replace(/cfg$/, 'expected')), 'latin1'),
      name,
    );
});

t.test('random scripts print the same', async (t) => {
  const file = join(scratch(t), 'random.cfg');
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scripts = new Scripts(numbers(seed));
    let text = PRELUDE;
    for (let i = 0; i < 60; i++) text += `echo "== ${i}"\n${scripts.snippet()}\n`;
    writeFileSync(file, text, 'latin1');
    // grub-emu has two devices more than the disk.
    const printed = grubEmu(file)
      .replaceAll("`(proc)'", "`(hd0)'")
      .replaceAll('(proc) (hd0) (host)', '(hd0)');
    const wanted = printed.trimEnd().split(/^(?=== \d+$)/m);
    const got = evaluate(text)
      .console.trimEnd()
      .split(/^(?=== \d+$)/m);
    const at = wanted.findIndex((section, i) => section !== got[i]);
    if (at >= 0) {
      const number = /^== (\d+)$/m.exec(wanted[at]!)?.[1];
      const from = text.indexOf(`echo "== ${number}"`);
      t.comment(text.slice(from, text.indexOf('echo "== ', from + 5)));
    }
    t.equal(at < 0 ? undefined : got[at], at < 0 ? undefined : wanted[at], `seed ${seed}`);
  }
});

t.test('grub-script-check takes and refuses the same', async (t) => {
  const file = join(scratch(t), 'check.cfg');
  let refused = 0;
  for (let seed = 1; seed <= SEEDS * 50; seed++) {
    const scripts = new Scripts(numbers(seed + 1000));
    const body = scripts.chance(0.8) ? scripts.damaged() : scripts.list(3);
    // Lines that start with `#` go before the parser sees them; the damage may make one.
    const text = `menuentry x {\n${body}\n}\n`.replace(/^#.*\n/gm, '');
    writeFileSync(file, text, 'latin1');
    const run = spawnSync('grub-script-check', [file], { env: CLEAN_ENV, encoding: 'latin1' });
    if (run.status === null) return t.fail('grub-script-check cannot be started');
    let errors = false;
    for (let at = 0; at < text.length; ) {
      const line = parseLine(text, at, () => {});
      errors ||= line.errors !== undefined;
      at = line.next;
    }
    if (run.status !== 0) refused++;
    if (errors !== (run.status !== 0)) {
      t.comment(text);
      t.equal(errors, run.status !== 0, `seed ${seed}: ${run.stderr.trim().split('\n', 1)[0]}`);
    }
  }
  t.ok(refused > SEEDS * 10, `${refused} were refused`);
});
