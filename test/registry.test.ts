/** Every registered part explains itself and has a fixture and a malformed sample. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { drivers } from '../fsdrivers';
import { dialects, furtherDialects } from '../lib/boot';
import { schemes } from '../lib/volume';
import { labelSchemes } from '../lib/volume/labels';
import { ROOT } from './support';
import { layouts } from './volume/sparse';

const files = (...path: string[]) => {
  const folder = join(ROOT, ...path);
  return existsSync(folder) ? readdirSync(folder) : [];
};
const folders = (...path: string[]) =>
  files(...path).filter((f) => statSync(join(ROOT, ...path, f)).isDirectory());

function explained(t: Test, kind: string[], name: string): void {
  const readme = join(ROOT, ...kind, name, 'README.md');
  t.ok(
    existsSync(readme) && readFileSync(readme, 'utf8').length > 300,
    `${kind.join('/')}/${name}/README.md`,
  );
}

const startsWith = (prefix: string) => (f: string) =>
  f.startsWith(`${prefix}-`) || f.startsWith(`${prefix}.`);

function sampled(t: Test, prefix: string): void {
  for (const folder of ['images', 'malformed', 'recipes'])
    t.ok(files('fixtures', folder).some(startsWith(prefix)), `fixtures/${folder}/${prefix}-*`);
}

t.test('filesystem drivers', async (t) => {
  t.same([...drivers()].map((d) => d.name).sort(), folders('fsdrivers').sort(), 'each folder is registered');
  for (const { name } of drivers()) {
    explained(t, ['fsdrivers'], name);
    sampled(t, name);
    t.ok(existsSync(join(ROOT, 'fsdrivers', name, 'layout.ts')), `fsdrivers/${name}/layout.ts`);
  }
});

/** Not tables: what lib/boot/assemble.ts puts together; `raid` is what the others have in common. */
const ASSEMBLED = ['lvm', 'md', 'raid'];

t.test('arrays and logical volumes', async (t) => {
  for (const name of ASSEMBLED) {
    explained(t, ['lib', 'volume'], name);
    if (name !== 'raid') sampled(t, name);
  }
});

t.test('partition tables', async (t) => {
  const tables = [...schemes.map((s) => s.scheme).filter((name) => name !== 'label'), ...labelSchemes];
  t.same(
    // Encryption is no table: it is opened with a key, or not.
    [...tables, 'luks'].sort(),
    folders('lib', 'volume')
      .filter((f) => !ASSEMBLED.includes(f))
      .sort(),
    'each folder is registered',
  );
  explained(t, ['lib', 'volume'], 'luks');
  for (const scheme of tables) {
    explained(t, ['lib', 'volume'], scheme);
    t.ok(files('fixtures', 'malformed').some(startsWith(scheme)), `fixtures/malformed/${scheme}-*`);
    t.ok(
      [...layouts().values()].some(
        ({ expected }) => typeof expected === 'object' && expected?.scheme === scheme,
      ),
      'a layout in partition-tables.json.gz, labels.json.gz or further-tables.json.gz',
    );
  }
});

t.test('dialects', async (t) => {
  const names = new Set([...dialects, ...furtherDialects()].map((d) => d.name));
  // `guess` is no dialect, and needs the same.
  const folders_ = folders('lib', 'boot').sort();
  t.same([...names, 'guess'].sort(), folders_, 'each folder is registered');
  for (const name of folders_) {
    explained(t, ['lib', 'boot'], name);
    t.ok(files('fixtures', 'configs', name).length > 0, `fixtures/configs/${name}`);
    // GRUB 2's disks are the example, and those of the filesystems.
    if (name !== 'grub2') sampled(t, name);
  }
});
