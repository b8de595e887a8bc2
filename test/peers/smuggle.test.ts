/** `sxp` read back by Python itself: whatever a guest's bytes are, they stay inside their literal. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { toUnicode } from '../../lib/bytes/text';
import { generator } from '../boot/dialect';
import { formatted } from '../output/formatted';

/** One line for each: the list of [word, value] that Python finds. */
const READER = `
import ast, json, re, sys
for line in sys.stdin.buffer.read().split(b'\\0'):
    text = line.decode('utf-8')
    assert text.startswith('linux ')
    # Python's own parser splits it: adjacent tuples are made a list
    body = re.sub(r'^linux ', '', text)
    tokens, at = [], 0
    import tokenize, io
    parts = list(tokenize.generate_tokens(io.StringIO(body).readline))
    kinds = [p for p in parts if p.type not in (tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.NL)]
    assert len(kinds) % 4 == 0, kinds
    out = []
    for i in range(0, len(kinds), 4):
        a, word, value, b = kinds[i:i + 4]
        assert (a.string, word.type, value.type, b.string) == ('(', tokenize.NAME, tokenize.STRING, ')'), kinds
        out.append([word.string, ast.literal_eval(value.string)])
    print(json.dumps(out))
`;

t.test('random bytes', async (t) => {
  const random = generator(66);
  const alphabet = [
    '\n',
    '\r',
    '\t',
    "'",
    '"',
    '\\',
    ')(',
    '\x1b',
    '\x7f',
    '\xc2\x85',
    '\xe2\x80\xa8',
    '\xff',
    '\xc2\xad',
    'kernel',
    ' ',
    'x27',
  ];
  const text = () => Array.from({ length: 1 + random(8) }, () => alphabet[random(alphabet.length)]).join('');
  const results = Array.from({ length: 3000 }, () => ({
    kernel: `<kernel:/${text()}>`,
    ramdisk: random(2) ? `<ramdisk:/${text()}>` : undefined,
    args: text(),
    entry: undefined,
  }));
  const python = spawnSync('python3', ['-c', READER], {
    input: Buffer.concat(
      results.flatMap((result, i) => [...(i > 0 ? [Buffer.from([0])] : []), formatted(result, 'sxp')]),
    ),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  t.equal(python.status, 0, python.stderr);
  const lines = python.stdout.trimEnd().split('\n');
  t.equal(lines.length, results.length);
  const wrong = results.filter(({ kernel, ramdisk, args }, i) => {
    const wanted = [
      ['kernel', kernel],
      ...(ramdisk === undefined ? [] : [['ramdisk', ramdisk]]),
      ['args', args],
    ];
    return (
      lines[i] !== undefined &&
      JSON.stringify(JSON.parse(lines[i])) !== JSON.stringify(wanted.map(([w, v]) => [w, toUnicode(v!)]))
    );
  });
  t.same(wrong, []);
});
