/** Orders of versions: rpm's and coreutils' own answers (recipe grub2-oracles.sh), and Red Hat's rule for `+`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  compareFileVersions,
  compareNameVersionRelease,
  compareRpm,
  splitNameVersionRelease,
} from '../../../lib/boot/bls/version';
import { ROOT } from '../../support';

const path = join(ROOT, 'fixtures', 'configs', 'grub2-commands', 'versions.json');
const recorded = JSON.parse(readFileSync(path, 'utf8')) as {
  rpm: [string, string, number][];
  file: string[];
};

t.test('as rpm', async (t) => {
  t.ok(recorded.rpm.length > 300);
  for (const [a, b, want] of recorded.rpm) {
    t.equal(compareRpm(a, b), want, `${a} and ${b}`);
    t.equal(compareRpm(b, a) + want, 0, `${b} and ${a}`);
  }
});

t.test('plus: after the end, before everything else', async (t) => {
  t.equal(compareRpm('5.14.0', '5.14.0+debug'), -1);
  t.equal(compareRpm('5.14.0+debug', '5.14.0'), 1);
  t.equal(compareRpm('5.14.0+debug', '5.14.0.1'), -1);
  t.equal(compareRpm('1+2', '1+10'), -1);
});

t.test('as sort -V', async (t) => {
  const sorted = [...recorded.file].reverse().sort(compareFileVersions);
  t.same(sorted, recorded.file);
});

t.test('names in three parts', async (t) => {
  t.same(splitNameVersionRelease('9af7-4.18.0-240.el8.x86_64'), {
    name: '9af7',
    version: '4.18.0',
    release: '240.el8.x86_64',
  });
  t.same(splitNameVersionRelease('a-b-c-d'), { name: 'a-b', version: 'c', release: 'd' });
  t.same(splitNameVersionRelease('ostree-1'), { name: 'ostree', version: '1', release: '' });
  t.same(splitNameVersionRelease('plain'), { name: 'plain', version: '', release: '' });
  t.same(splitNameVersionRelease('-x'), { name: '', version: 'x', release: '' });
  t.same(splitNameVersionRelease('--'), { name: '', version: '', release: '' });
  const order = (a: string, b: string) =>
    compareNameVersionRelease(splitNameVersionRelease(a), splitNameVersionRelease(b));
  t.equal(order('id-5.9.0-1', 'id-5.10.0-1'), -1, 'numbers as numbers');
  t.equal(order('id-0-rescue', 'id-5.10.0-1'), -1, 'the rescue entry is the oldest');
  t.equal(order('b-1-1', 'a-2-2'), 1, 'the name first');
});
