/** GRUB's regular expressions: the C library's own answers (recipe grub2-oracles.sh), and expressions meant to hurt. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compileRegex } from '../../../lib/boot/grub2/ere';
import { GuestError } from '../../../lib/bytes/errors';
import { MOST, ran } from '../../hostile/growth';
import { context, ROOT } from '../../support';
import { type Answer, answer, plain } from './answer';

t.test('as the C library', async (t) => {
  const path = join(ROOT, 'fixtures', 'configs', 'grub2-commands', 'regex.json');
  const cases = JSON.parse(readFileSync(path, 'utf8')) as [string, string, Answer][];
  t.ok(cases.length > 500);
  for (const [pattern, text, want] of cases)
    t.same(
      plain(answer(pattern, text)),
      plain(want),
      `${JSON.stringify(pattern)} on ${JSON.stringify(text)}`,
    );
});

t.test('bombs', async (t) => {
  const a = 'a'.repeat(2000);
  t.equal(answer('(a*)*b', a), null, 'nested stars');
  t.equal(answer(`${'a?'.repeat(500)}${'a'.repeat(500)}`, 'a'.repeat(500)) === null, false, 'a?^n a^n');
  t.equal(answer('(((((a{99}){99}){99}){99}){99})', 'a'), 'Regular expression too big');
  t.equal(answer('('.repeat(100_000), ''), 'Regular expression too big', 'deep parentheses');
  t.equal(answer('(a|b|c)'.repeat(1000), 'x'), 'Regular expression too big', 'many groups');
  t.throws(
    () => compileRegex('(a*)*(a*)*\\1b').match(a, context()),
    GuestError,
    'back references are bounded',
  );
  t.throws(() => compileRegex('(x+x+)+y').match('x'.repeat(100_000), context(1000)), GuestError, 'spends');
});

t.test('work grows with the text, not with its ways to match', async (t) => {
  const found = ran(500, (n) => () => {
    compileRegex('^(a+)+(b|a)*(a|aa)*$').match(`${'a'.repeat(n)}c`, context());
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
});
