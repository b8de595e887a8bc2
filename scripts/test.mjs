/**
 * Runs tests on tap. Every test file is a process; the sources that it needs are bundled for it beforehand, all files in one go: with
 * tap's own loaders (TypeScript, mocks, coverage) a process takes 1.5 to 3 s before its first assertion, so 0.2. Types are
 * checked by `npm run typecheck`. `npx tap run FILE` does the same the slow way.
 *
 *   test.mjs [--jobs=N] [--timeout=SECONDS] [--reporter=NAME] [--first=NAME,…] [FILE or FOLDER …]
 *     --jobs      files at a time, default package.json's
 *     --timeout   of a file, default package.json's
 *     --reporter  of tap's, default `base` on a terminal and `tap` elsewhere
 *     --first     files, as a piece of their path, to begin with: the long ones, so that none is left for the end
 *   Without files: all of `npm test`, which are those that need nothing but Node.
 *
 * In a bundle, __dirname and __filename are those of the source; JavaScript and packages are required, not bundled.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import t from 'tap';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** Of this run alone: a second one may be under way. */
const out = join(root, '.tap/bundles', String(process.pid));
/** What `npx tap run` goes by. */
const { tap } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: `${tap.jobs}` },
    timeout: { type: 'string', default: `${tap.timeout}` },
    reporter: { type: 'string', default: process.stdout.isTTY ? 'base' : 'tap' },
    first: { type: 'string', default: '' },
  },
});

const NEED_PEERS = tap.exclude.map((pattern) => join(root, pattern.replace(/\/\*\*$/, '')));
function* testsIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!NEED_PEERS.includes(path)) yield* testsIn(path);
    } else if (entry.name.endsWith('.test.ts')) yield path;
  }
}
const named = (positionals.length > 0 ? positionals : [join(root, 'test')]).map((name) => resolve(name));
const found = named.flatMap((path) => (statSync(path).isDirectory() ? [...testsIn(path)] : [path]));
const first = values.first.split(',').filter(Boolean);
const place = (path) => {
  const at = first.findIndex((piece) => path.includes(piece));
  return at < 0 ? first.length : at;
};
const files = [...new Set(found)].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
if (files.length === 0) throw new Error(`no *.test.ts in ${positionals}`);

// In one file, tap loads in half the time. From such a folder it leaves its own functions out of what it shows of a stack.
const bundledTap = join(out, 'node_modules', '@tapjs', 'core', 'tap.cjs');

const ofTheSource = {
  name: 'the places that a source names are its own',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const names = { __dirname: dirname(path), __filename: path };
      const used = Object.keys(names).filter((name) => text.includes(name));
      const head = used.map((name) => `const ${name} = ${JSON.stringify(names[name])};`).join('');
      return { contents: head + text, loader: 'ts', resolveDir: dirname(path) };
    });
    onResolve({ filter: /^tap$/ }, () => ({ path: bundledTap, external: true }));
    onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
      return /\.c?js$/.test(path) ? { path: resolve(resolveDir, path), external: true } : undefined;
    });
  },
};
process.on('exit', () => rmSync(out, { recursive: true, force: true }));
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'es2022',
  logLevel: 'warning',
};
await build({
  ...common,
  stdin: { contents: "module.exports = require('tap')", resolveDir: root },
  outfile: bundledTap,
});
await build({
  ...common,
  entryPoints: files,
  outbase: root,
  outdir: out,
  outExtension: { '.js': '.cjs' },
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  plugins: [ofTheSource],
});

// Of this process; a file's own is in the environment of each.
t.setTimeout(0);
t.jobs = Number(values.jobs);
if (values.reporter !== 'tap') {
  const { report } = await import('@tapjs/reporter');
  // As much of tap's configuration as the reporters ask for.
  await report(values.reporter, t, { values: {}, get: () => undefined, globCwd: root });
}
for (const path of files) {
  const name = relative(root, path);
  const bundle = join(out, name.replace(/\.ts$/, '.cjs'));
  if (!existsSync(bundle)) throw new Error(`${bundle} was not written`);
  const timeout = Number(values.timeout) * 1000;
  const env = { ...process.env, TAP_TIMEOUT: values.timeout };
  const options = { buffered: true, cwd: root, env, timeout };
  // `env`: tap's spawn puts a hook for coverage into NODE_OPTIONS, a quarter of a second each.
  t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps', bundle], options, name);
}
