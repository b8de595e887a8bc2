/** The specification's version order against `systemd-analyze compare-versions`. `SEEDS=N` tries more random pairs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareVersions } from '../../lib/boot/bls/version';
import { generator } from '../boot/dialect';
import { THOROUGH } from '../support';
import { must, scratch } from './support';

const PAIRS = process.env.SEEDS ? 1000 * Number(process.env.SEEDS) : THOROUGH ? 2000 : 200;

t.test(`${PAIRS} pairs of versions`, async (t) => {
  const dir = scratch(t);
  const random = generator(20);
  // ASCII alone: the library takes other bytes for negative numbers, systemd-boot has UTF-16.
  const some = () => {
    let text = '';
    for (let n = random(9); n > 0; n--)
      text += [
        '0',
        '1',
        '9',
        '10',
        '007',
        '123',
        'a',
        'b',
        'B',
        'rc',
        'fc39',
        '.',
        '.',
        '-',
        '-',
        '~',
        '^',
        '_',
        '+',
        ' ',
        '\xc3\xa9',
        ':',
        '/',
      ][random(22)];
    return text;
  };
  const pairs: [string, string][] = [];
  while (pairs.length < PAIRS) {
    const a = some();
    // Half of them are near each other, so that what decides stands far behind.
    const b = random(2)
      ? some()
      : a.slice(0, random(a.length + 1)) + some() + (random(2) ? a.slice(random(a.length + 1)) : '');
    // An option to the program otherwise.
    if (a !== '' && b !== '') pairs.push([a, b]);
  }
  const quote = (s: string) => `'${s}'`;
  const script = join(dir, 'compare.sh');
  writeFileSync(
    script,
    pairs
      .map(([a, b]) => `systemd-analyze compare-versions -- ${quote(a)} ${quote(b)} >/dev/null; echo $?\n`)
      .join(''),
    'latin1',
  );
  // systemd-analyze(1): 0 equal, 11 the first is newer, 12 the second is.
  const said = must('bash', script)
    .trimEnd()
    .split('\n')
    .map((status) => ({ '0': 0, '11': 1, '12': -1 })[status]);
  t.equal(said.length, pairs.length);
  let equal = 0;
  for (const [i, [a, b]] of pairs.entries()) {
    if (said[i] === 0) equal++;
    if (said[i] !== compareVersions(a, b))
      t.equal(compareVersions(a, b), said[i], `${JSON.stringify(a)} and ${JSON.stringify(b)}`);
    if (compareVersions(b, a) + compareVersions(a, b) !== 0) t.fail(`both ways: ${a} and ${b}`);
  }
  t.ok(equal > PAIRS / 100 && equal < PAIRS / 2, `${equal} count as equal`);
});
