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
    'lvm',
    'md',
    'luks',
    'policy-arguments',
    'signature-pe',
    'sandbox-answer',
    'kernel-pe',
    'dialect-grub2',
    'lz4',
    'nbd-handshake',
    'nbd-replies',
    'program',
  ];
  const { status, stdout, stderr } = run('--rounds=16', `--target=${targets}`);
  t.equal(status, 0, stdout + stderr);
  for (const target of targets) {
    const row = stdout.split('\n').find((line) => line.startsWith(`| ${target} |`)) ?? '';
    t.match(row, /\| 16 \| [1-9]\d* % \|/, `${target}: ${row}`);
  }
  t.same(readdirSync(out), [], 'no findings');
  t.end();
});

t.test('the same seed and round are the same input', (t) => {
  // Time and the growth of the heap are of the machine, not of the input.
  const fates = (...names: readonly string[]) => {
    const { status, stdout, stderr } = run(...names.map((name) => `--replay=${name}`));
    t.equal(status, 0, stdout + stderr);
    const found = [...stdout.matchAll(/^nothing: (accepted|refused), .* input ([0-9a-f]{64})$/gm)];
    t.equal(found.length, names.length, stdout);
    return found.map(([, what, input]) => `${what} ${input}`);
  };
  const [first, second] = fates('1:ext:7', '1:ext:8');
  t.same(fates('1:ext:7'), [first], 'in another process');
  t.not(second, first, 'another round is another input');
  t.end();
});
