/** Every registered part explains itself and has a fixture and a malformed sample. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { drivers } from '../fsdrivers';
import { dialects } from '../lib/boot';
import { schemes } from '../lib/volume';
import { ROOT } from './support';

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

function sampled(t: Test, prefix: string): void {
  const mine = (f: string) => f.startsWith(`${prefix}-`) || f.startsWith(`${prefix}.`);
  t.ok(files('fixtures', 'images').some(mine), `fixtures/images/${prefix}-*`);
  t.ok(files('fixtures', 'malformed').some(mine), `fixtures/malformed/${prefix}-*`);
  t.ok(files('fixtures', 'recipes').some(mine), `fixtures/recipes/${prefix}-*`);
}

t.test('filesystem drivers', async (t) => {
  t.same([...drivers.map((d) => d.name)].sort(), folders('fsdrivers').sort(), 'each folder is registered');
  for (const { name } of drivers) {
    explained(t, ['fsdrivers'], name);
    sampled(t, name);
    t.ok(existsSync(join(ROOT, 'fsdrivers', name, 'layout.ts')), `fsdrivers/${name}/layout.ts`);
  }
});

t.test('partition tables', async (t) => {
  t.same(
    [...schemes.map((s) => s.scheme)].sort(),
    folders('lib', 'volume').sort(),
    'each folder is registered',
  );
  for (const { scheme } of schemes) {
    explained(t, ['lib', 'volume'], scheme);
    sampled(t, scheme);
  }
});

t.test('dialects', async (t) => {
  for (const { name } of dialects) {
    explained(t, ['lib', 'boot'], name);
    t.ok(files('fixtures', 'configs', name).length > 0, `fixtures/configs/${name}`);
  }
});
