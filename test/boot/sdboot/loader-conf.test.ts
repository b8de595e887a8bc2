/** loader.conf: what loader.conf(5) says of each key, and of patterns. */
import t from 'tap';
import { matchesGlob } from '../../../lib/boot/sdboot/glob';
import { parseLoaderConf } from '../../../lib/boot/sdboot/loader-conf';
import { context } from '../../support';
import { evaluate } from '../dialect';
import { dialect } from './support';

function parsed(text: string) {
  const warnings: string[] = [];
  return { ...parseLoaderConf(text, context(), (m) => void warnings.push(m)), warnings };
}

t.test('timeout', async (t) => {
  for (const [value, timeout, timeoutStyle] of [
    ['5', 5, 'menu'],
    ['0', 0, 'hidden'],
    ['menu-hidden', 0, 'hidden'],
    ['menu-disabled', 0, 'hidden'],
    ['menu-force', -1, 'menu'],
    ['4294967295', -1, 'menu'],
    ['-1', 0, 'hidden'],
    ['4294967296', 0, 'hidden'],
    ['5s', 0, 'hidden'],
    ['99999999999999999999999', 0, 'hidden'],
  ] as const) {
    const conf = parsed(`timeout ${value}\n`);
    t.same([conf.timeout, conf.timeoutStyle], [timeout, timeoutStyle], value);
    t.equal(
      conf.warnings.length,
      ['-1', '4294967296', '5s'].includes(value) || value.length > 20 ? 1 : 0,
      value,
    );
  }
  t.same([parsed('').timeout, parsed('').timeoutStyle], [0, 'hidden'], 'unset: not shown');
  t.equal(parsed('timeout 5\ntimeout x\n').timeout, 5);
});

t.test('other keys', async (t) => {
  t.equal(parsed('').editor, true);
  for (const no of ['no', 'n', 'false', 'f', 'off', '0']) t.equal(parsed(`editor ${no}`).editor, false, no);
  t.equal(parsed('editor no\neditor t').editor, true);
  t.match(parsed('editor maybe'), { editor: true, warnings: [/editor maybe/] });
  t.match(parsed('default a*\ndefault "b c"\n# default d\n'), { default: 'b c', warnings: [] });
  t.match(parsed('default @other'), { default: undefined, warnings: [/@other/] });
  t.match(parsed('default @SAVED\npreferred x'), { default: '@SAVED', preferred: 'x', warnings: [] });
  t.same(
    parsed(
      'console-mode max\nbeep yes\nauto-entries no\nrandom-seed-mode off\nreboot-for-bitlocker 1\nsecure-boot-enroll force\n',
    ).warnings,
    [],
  );
});

t.test('patterns', async (t) => {
  const yes = [
    ['*', ''],
    ['*', 'x'],
    ['a?c', 'abc'],
    ['a*c', 'ac'],
    ['a*b*c', 'aXbYbZc'],
    ['*.conf', 'x.conf'],
    ['[a-c]x', 'bx'],
    ['[]a]', ']'],
    ['[-a]', '-'],
    ['[a-]', '-'],
    ['[a-c-f]', '-'],
    ['[a-c-f]', 'f'],
    ['[\\]]', ']'],
    ['[!a]', '!'],
    ['\\*', '*'],
    ['**', 'ab'],
  ] as const;
  const no = [
    ['', 'x'],
    ['x', ''],
    ['?', ''],
    ['a?c', 'ac'],
    ['a*c', 'acb'],
    ['[a-c]', 'd'],
    ['[a-c-f]', 'e'],
    ['[!a]', 'b'],
    ['[a', 'a'],
    ['[', '['],
    ['a\\', 'a\\'],
    ['\\*', 'x'],
  ] as const;
  for (const [pattern, name] of yes) t.equal(matchesGlob(pattern, name), true, `${pattern} matches ${name}`);
  for (const [pattern, name] of no)
    t.equal(matchesGlob(pattern, name), false, `${pattern} does not match ${name}`);
  const before = process.cpuUsage().user;
  t.equal(matchesGlob(`${'a*'.repeat(200)}b`, 'a'.repeat(5000)), false);
  t.ok(process.cpuUsage().user - before < 2_000_000, 'no backtracking without end');
});

t.test('the default', async (t) => {
  const menu = (conf: string, names = ['a.conf', 'b+0-3.conf', 'c+2.conf', 'D.conf']) =>
    evaluate(dialect('sdboot'), '/loader/loader.conf', {
      loader: { 'loader.conf': conf, entries: Object.fromEntries(names.map((n) => [n, 'linux /k'])) },
      k: 'kernel',
    }).menu;
  const chosen = (conf: string) => {
    const { entries, default: at, warnings } = menu(conf);
    return [entries[(at as number[])[0]!]!.id, warnings.length];
  };
  t.same(chosen(''), ['D.conf', 0]);
  t.same(chosen('default a.conf'), ['a.conf', 0]);
  t.same(chosen('default A.*'), ['a.conf', 0]);
  t.same(chosen('default d.conf'), ['D.conf', 0]);
  t.same(chosen('default a'), ['D.conf', 1], 'the id has its suffix');
  t.same(chosen('default b*'), ['b.conf', 0], 'default may take a bad one');
  t.same(chosen('default c.conf'), ['c.conf', 0]);
  t.same(chosen('default c+2.conf'), ['c.conf', 0], 'as versions before counters left the id');
  t.same(chosen('preferred b*\ndefault a*'), ['a.conf', 1], 'preferred does not');
  t.same(chosen('preferred a*\ndefault c*'), ['a.conf', 0]);
  t.same(chosen('default @saved'), ['D.conf', 1]);
  t.match(menu('default @saved').warnings, [/EFI variable/]);
  t.same(chosen('default [ab'), ['D.conf', 1]);
  t.equal(menu('editor no').editable, false);
  t.equal(menu('').editable, undefined);
  t.equal(menu('default x', []).entries.length, 0);
});
