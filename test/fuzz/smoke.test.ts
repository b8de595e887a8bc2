/** The fuzzing harness (fuzz/): it builds, every target makes inputs and gets some of them past, and it finds a seeded defect. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';

const out = mkdtempSync(join(tmpdir(), 'nodegrub-fuzz-smoke-'));
t.teardown(() => rmSync(out, { recursive: true }));
const run = (...args: string[]) =>
  spawnSync(process.execPath, [join(ROOT, 'fuzz/run.mjs'), '--jobs=1', `--out=${out}`, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });

t.test('a few rounds of every kind of target', (t) => {
  const targets = [
    'fat',
    'iso9660',
    'squashfs',
    'table-gpt',
    'format-qcow2',
    'format-vhdx',
    'kernel-pe',
    'dialect-grub2',
    'lz4',
    'program',
  ];
  const { status, stdout, stderr } = run('--rounds=40', `--target=${targets}`);
  t.equal(status, 0, stdout + stderr);
  for (const target of targets) {
    const row = stdout.split('\n').find((line) => line.startsWith(`| ${target} |`)) ?? '';
    t.match(row, /\| 40 \| [1-9]\d* % \|/, `${target}: ${row}`);
  }
  t.same(readdirSync(out), [], 'no findings');
  t.end();
});

t.test('the same seed and round are the same input', (t) => {
  const [one, other] = [run('--replay=1:ext:7'), run('--replay=1:ext:7')];
  const fate = (text: string) => text.replace(/[\d.]+ ms/, '');
  t.equal(one.status, 0, one.stdout + one.stderr);
  t.equal(fate(one.stdout), fate(other.stdout));
  t.end();
});
