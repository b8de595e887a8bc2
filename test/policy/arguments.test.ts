/** Words of command lines as Linux sees them, and what rules make of them. */
import t from 'tap';
import { type ArgumentRules, judgeArguments } from '../../lib/policy/arguments';
import { globMatches, kernelWords, wordMatches } from '../../lib/policy/words';
import { cpuMs } from '../support';

const words = (line: string) => kernelWords(line).map(({ text }) => text);

t.test('the kernel takes a line apart', async (t) => {
  // Expected: what `next_arg` of Linux' lib/cmdline.c gave, compiled and run over these and 200,000 random lines.
  t.same(words('a b=c  d\te'), ['a', 'b=c', 'd', 'e']);
  t.same(words('a="b c" d'), ['a=b c', 'd']);
  t.same(words('"a=b c" d'), ['a=b c', 'd']);
  t.same(words('"init=/bin/sh"'), ['init=/bin/sh']);
  t.same(words('"a b" c'), ['a b', 'c']);
  t.same(words('in"it=x'), ['in"it=x']);
  t.same(words('x="unclosed lockdown=integrity'), ['x=unclosed lockdown=integrity']);
  t.same(words('a\xa0b\x0bc'), ['a', 'b', 'c']);
  t.same(words('=a =b =="x" =="x'), ['=a', '=b', '==x', '==x']);
  t.same(words('"a="b"" ""x'), ['a=b"', '"x']);
  t.same(words(''), []);
});

t.test('patterns', async (t) => {
  t.ok(wordMatches('quiet', 'quiet'));
  t.notOk(wordMatches('quiet', 'quiet=1'));
  t.ok(wordMatches('init=', 'init=/bin/sh'));
  t.ok(wordMatches('init=', 'init='));
  t.notOk(wordMatches('init=', 'rdinit=x'));
  t.notOk(wordMatches('init=', 'init'));
  t.ok(wordMatches('init=/bin/*', 'init=/bin/sh'));
  t.notOk(wordMatches('init=/bin/*', 'init=/sbin/init'));
  t.ok(wordMatches('sysrq-always-enabled', 'sysrq_always_enabled'), '- and _ are one in names');
  t.notOk(wordMatches('a=x-y', 'a=x_y'), 'and two in values');
  t.ok(globMatches('hd0,gpt*', 'hd0,gpt12'));
  t.ok(globMatches('*a*b*', 'xxaxxbxx'));
  t.notOk(globMatches('a*a', 'a'));
  t.notOk(globMatches('*ab*ab', 'xab'));
  const start = cpuMs();
  t.notOk(globMatches('*a'.repeat(500), 'a'.repeat(499) + 'b'.repeat(100_000)));
  t.ok(cpuMs() - start < 500, 'no pattern takes long');
});

const judge = (line: string, rules: Partial<ArgumentRules>) => {
  const result = judgeArguments(line, {
    removed: [],
    refused: [],
    required: [],
    added: [],
    appended: [],
    ...rules,
  });
  return 'line' in result ? result.line : `${result.rule}: ${result.what}`;
};

t.test('refused', async (t) => {
  const refused = ['init=', 'rdinit=', 'single'];
  t.equal(judge('root=/dev/xvda1 ro', { refused }), 'root=/dev/xvda1 ro');
  for (const line of [
    'ro init=/bin/sh',
    'ro "init=/bin/sh"',
    'ro\xa0init=/bin/sh',
    'ro\0init=/bin/sh',
    'ro\ninit=/bin/sh',
    'x="a init=/bin/sh b"',
    "x='a init=/bin/sh'",
    'i"nit"=/bin/sh',
    'in\\it=/bin/sh',
    'ro -- single',
    'init=',
  ])
    t.match(judge(line, { refused }), /^arguments\.refused: '/, JSON.stringify(line));
});

t.test('removed, added, appended', async (t) => {
  t.equal(judge('ro quiet splash=1 x', { removed: ['quiet', 'splash='] }), 'ro x');
  t.equal(judge('ro  x', { removed: ['quiet'] }), 'ro  x', 'a line without is not touched');
  t.match(judge('a="b quiet c"', { removed: ['quiet'] }), /arguments\.removed: 'quiet' cannot be taken out/);
  t.equal(
    judge('lockdown=none ro', {
      removed: ['lockdown='],
      refused: ['lockdown='],
      appended: ['lockdown=integrity'],
    }),
    'ro lockdown=integrity',
  );
  t.equal(judge('ro', { added: ['ro', 'console=hvc0'] }), 'ro console=hvc0');
  t.equal(judge('', { appended: ['ro'] }), 'ro');
  t.equal(judge('ro ro', { appended: ['ro'] }), 'ro ro ro');
  t.equal(
    judge('ro -- 3', { appended: ['x=1'], added: ['y'] }),
    'ro y x=1 -- 3',
    'what follows -- is for init',
  );
  t.match(judge('a="b', { appended: ['x=1'] }), /arguments\.appended: 'x=1' would stand inside quotes/);
  t.match(judge('a="b', { added: ['x=1'] }), /arguments\.added: 'x=1' would stand inside quotes/);
});

t.test('required', async (t) => {
  t.equal(judge('ro root=x', { required: ['ro', 'root='] }), 'ro root=x');
  t.match(judge('root=x', { required: ['ro'] }), /arguments\.required: 'ro' is missing/);
  t.match(judge('x="a ro"', { required: ['ro'] }), /is missing/, 'inside quotes it is no parameter');
  t.match(judge('x -- ro', { required: ['ro'] }), /is missing/, 'nor behind --');
  t.match(judge('x ro', { removed: ['ro'], required: ['ro'] }), /is missing/, 'after what is removed');
});

t.test('what the domain builder would cut', async (t) => {
  t.match(judge(`${'x'.repeat(1020)} y`, { appended: ['ro'] }), /^arguments: 1025 bytes/);
  t.equal(judge('x'.repeat(1020), { appended: ['ro'] }).length, 1023);
});
