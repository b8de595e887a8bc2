import t from 'tap';
import { getopt } from '../../lib/cli/getopt';
import { parseOptions } from '../../lib/cli/options';

// What Python's gnu_getopt gives pygrub for the same command lines (run with python3 -c 'import getopt …').
t.test('GNU getopt rules', async (t) => {
  t.match(parseOptions(['disk', '-q']), { operands: ['disk'], interactive: false }, 'operands anywhere');
  t.match(parseOptions(['--output-f', 'simple0', 'd']), { format: 'simple0' }, 'unique abbreviation');
  t.match(parseOptions(['--output-format=simple', 'd']), { format: 'simple' });
  t.match(parseOptions(['--output=x', 'd']), { output: 'x' }, 'an exact name wins over longer ones');
  t.throws(() => parseOptions(['--output-', 'x', 'd']), /not unique/);
  t.throws(() => parseOptions(['--o', 'x', 'd']), /not unique/);
  t.match(
    parseOptions(['--e', '2', 'd']),
    { entry: '2' },
    "our own --extra-disk does not spoil pygrub's --e",
  );
  t.match(parseOptions(['--ex=b', 'a']), { operands: ['a', 'b'] });
  t.match(parseOptions(['-qn', 'd']), { action: 'dry-run', interactive: false }, 'bundled');
  t.match(parseOptions(['-q', '--', '-l']), { operands: ['-l'], action: 'boot' });
  t.match(parseOptions(['-']), { operands: ['-'] });
  t.match(parseOptions(['--args=a=b c', 'd']), { args: 'a=b c' }, 'only the first = divides');
  t.match(parseOptions(['--args=', 'd']), { args: '' });
  for (const bad of [[], ['-q'], ['--nonsense', 'd'], ['-z', 'd'], ['d', '--entry'], ['--quiet=1', 'd']])
    t.throws(() => parseOptions(bad), { name: 'UsageError' }, bad.join(' '));
});

t.test('the last of -q, -i and --entry wins', async (t) => {
  t.equal(parseOptions(['-q', '-i', 'd']).interactive, true);
  t.equal(parseOptions(['-i', '-q', 'd']).interactive, false);
  t.equal(parseOptions(['-i', '--entry=1', 'd']).interactive, false);
  t.equal(parseOptions(['--entry=1', '-i', 'd']).interactive, true);
});

t.test('values', async (t) => {
  t.throws(() => parseOptions(['--output-format=xml', 'd']), /unknown output format/);
  t.throws(() => parseOptions(['--offset=ten', 'd']), /number of bytes/);
  t.throws(() => parseOptions(['--offset=-1', 'd']), /number of bytes/);
  t.equal(parseOptions(['--offset=1048576', 'd']).offset, 1048576);
  t.throws(() => parseOptions(['-q', '--runas=nobody', 'd']), /numeric user id/);
  t.throws(() => parseOptions(['--runas=1000', 'd']), /unattended/, 'with the menu: refused');
  t.equal(parseOptions(['--runas=1000', '-q', 'd']).runas, 1000);
  t.type(parseOptions(['-h']).run, 'function');
  t.type(parseOptions(['-qh']).run, 'function', 'bundled');
  t.type(parseOptions(['--version']).run, 'function');
  t.equal(parseOptions(['--entry=Grüß', 'd']).entry, 'Gr\xc3\xbc\xc3\x9f', 'titles are compared as bytes');
  t.equal(parseOptions(['d']).directory, '/var/run/xen/pygrub/');
  t.match(parseOptions(['a', 'b', '--extra-disk=c']), { operands: ['a', 'b', 'c'] });
});

t.test('short options that take a value', async (t) => {
  const specs = [
    { long: 'all', short: 'a' },
    { long: 'file', short: 'f', takesValue: true },
  ];
  t.same(getopt(['-affile', 'x', '-f', 'y'], specs), {
    options: [
      { name: 'all', value: '' },
      { name: 'file', value: 'file' },
      { name: 'file', value: 'y' },
    ],
    operands: ['x'],
  });
  t.throws(() => getopt(['-f'], specs), /requires an argument/);
});
