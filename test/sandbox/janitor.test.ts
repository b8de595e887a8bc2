import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Janitor } from '../../lib/sandbox/janitor';
import { Outputs, outputDirectory } from '../../lib/sandbox/outputs';

const dir = mkdtempSync(join(tmpdir(), 'nodegrub-janitor-'));
t.teardown(() => rmSync(dir, { recursive: true }));

const tried = ['18', '20', '22'].includes(process.versions.node.split('.')[0]!);

t.test('the binding is used where it was tried, and only there', async (t) => {
  if (!tried) t.throws(() => new Janitor([], 'binding'), { code: 'io' });
  else t.doesNotThrow(() => new Janitor([], 'binding').release([]));
});

for (const how of tried ? (['binding', 'module'] as const) : (['module'] as const)) {
  t.test(`started by ${how}: removes what is not kept`, async (t) => {
    const files = ['a', "b c'$(touch x)\n", '-rf', '*'].map((name) => join(dir, name));
    for (const keep of [[], [0], [1, 3], [0, 1, 2, 3]]) {
      for (const file of files) writeFileSync(file, 'x');
      const janitor = new Janitor(files, how);
      t.ok(files.every(existsSync), 'nothing is removed before it is time');
      janitor.release(keep);
      janitor.release([0, 1, 2, 3]);
      await janitor.gone;
      t.same(
        files.map(existsSync),
        files.map((_, n) => keep.includes(n)),
        `keep ${keep}`,
      );
    }
  });
}

t.test('outputs', async (t) => {
  const outputs = new Outputs(dir, []);
  t.match(outputs.kernel.path, /\/boot_kernel\.[a-z0-9_]{8}$/);
  t.ok(existsSync(outputs.kernel.path) && existsSync(outputs.ramdisk.path));
  await outputs.end('kernel');
  t.same([outputs.kernel.path, outputs.ramdisk.path].map(existsSync), [true, false]);
  t.throws(() => outputDirectory(join(dir, 'absent'), true), { code: 'io' });
  t.throws(() => outputDirectory(outputs.kernel.path, true), /not a directory/);
  t.equal(outputDirectory(join(dir, 'made', 'here'), false), join(dir, 'made', 'here'));
  t.equal(spawnSync('stat', ['-c', '%a', join(dir, 'made', 'here')]).stdout.toString(), '700\n');
});
