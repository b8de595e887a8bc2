/** docs/api.md is what the sources say; the examples of docs/library.md run as they are printed. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { EXAMPLE, imageFile, library, work } from './library';

const expected = JSON.parse(readFileSync(EXAMPLE.replace('.img', '.expected.json'), 'utf8'));
const page = readFileSync(join(ROOT, 'docs/library.md'), 'utf8');
const examples = [...page.matchAll(/^```js example\n(.*?)^```$/gms)].map(([, text]) => text!);

t.test('docs/api.md is up to date, and has every name', async (t) => {
  const r = spawnSync(process.execPath, [join(ROOT, 'scripts/api-reference.mjs'), '--check'], {
    encoding: 'utf8',
  });
  t.equal(r.status, 0, r.stderr);
  const text = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
  for (const name of Object.keys(library)) t.match(text, new RegExp(`^### ${name}$`, 'm'));
  // What a user may call or read is described.
  for (const [, signature, words] of text.matchAll(/^#### (.*)\n(.*)$/gm))
    t.ok(/constructor|dispose/.test(signature!) || words !== '', signature!);
});

function run(example: string, ...words: readonly string[]): string {
  const modules = join(work, 'example', 'node_modules');
  mkdirSync(modules, { recursive: true });
  try {
    symlinkSync(ROOT, join(modules, 'nodegrub'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const file = join(work, 'example', 'example.mjs');
  writeFileSync(file, example);
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', file, ...words], {
    encoding: 'utf8',
  });
  t.equal(r.stderr, '');
  t.equal(r.status, 0);
  return r.stdout;
}

t.test('the examples', async (t) => {
  t.equal(examples.length, 2);
  const data = imageFile('ext-ext2.img');
  const lines = run(examples[0]!, EXAMPLE, data, join(work, 'none.img')).trimEnd().split('\n');
  t.equal(lines[0], `${EXAMPLE}: boots ${expected.titles[0]}`);
  t.match(lines[1], /^\/.*ext-ext2\.img: \S/);
  t.match(lines[2], /none\.img: cannot open none\.img: no such file or directory \(ENOENT\)$/);
  t.equal(lines.length, 3);

  const out = join(work, 'files');
  mkdirSync(out);
  const told = run(examples[1]!, EXAMPLE, out).trimEnd().split('\n');
  t.equal(told[0], `hd0,gpt1: ${expected.filesystem.type} ${expected.filesystem.uuid}`);
  for (const { path, size, sha256 } of [expected.kernel, expected.ramdisk])
    t.ok(told.includes(`  ${size} ${sha256} ${JSON.stringify(path.replace('/boot/', ''))}`), path);
  const { kernel, args } = JSON.parse(told.at(-1)!);
  t.equal(args, expected.args);
  t.equal(createHash('sha256').update(readFileSync(kernel)).digest('hex'), expected.kernel.sha256);
});
