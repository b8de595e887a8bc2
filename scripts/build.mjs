/**
 * Builds dist/: the launcher (nodegrub.js), one CommonJS core (at most 100 kB), chunks that it loads when they are
 * needed, V8's code cache of them for the Node that builds, and the script `nodegrub` that an xl.cfg names; the library (index.js,
 * index.d.ts); what of other people's is in it (sbom.mjs).
 *
 *   --quiet           no list of sizes
 *   --outdir=DIR      instead of dist/
 *   --portable        nothing that depends on this machine: no cache, and a `nodegrub` that takes any Node. Every build of the
 *                     same sources then gives the same bytes (the packages; `make-cache.js` is run where they are installed)
 *
 * In the sources, `require('./x/y')` inside a function marks a chunk; `import` never does. A chunk holds no module of
 * the core: its imports of core modules become `require('./core.js').modules[…]`, so that classes such as
 * GuestError exist once and `instanceof` works across files.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { declarations } from './api-types.mjs';
import { notices, packagesIn, sbom } from './sbom.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const option = (name) => process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const outdir = resolve(option('outdir') ?? join(root, 'dist'));
const quiet = process.argv.includes('--quiet');
const portable = process.argv.includes('--portable');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** DESIGN: bare Node starts in 22 ms, with a 95 kB core in 28, with a 480 kB one in 41. */
const CORE_LIMIT = 100_000;

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node18',
  minify: true,
  keepNames: false,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  define: { NODEGRUB_VERSION: JSON.stringify(version) },
};

const keyOf = (path) => relative(root, path).replace(/\.ts$/, '');
/** What the core calls a module of its own: each letter is there once for every module. */
const shortKey = (key) => key.replace(/^lib\//, '');
/** `fsdrivers/ext/driver` → `fsdrivers-ext.js` */
const chunkName = (path) =>
  `${keyOf(path)
    .replace(/\/(driver|index)$/, '')
    .replaceAll('/', '-')}.js`;

/** Chunk entries that were met: absolute path of the source → file name. */
const chunks = new Map();

const findChunks = {
  name: 'chunks',
  setup(b) {
    b.onResolve({ filter: /^\.{1,2}\// }, async (args) => {
      if (args.kind !== 'require-call' || args.namespace === 'core' || args.pluginData === 'resolving')
        return undefined;
      const found = await b.resolve(args.path, {
        resolveDir: args.resolveDir,
        kind: 'import-statement',
        pluginData: 'resolving',
      });
      if (found.errors.length > 0) return found;
      chunks.set(found.path, chunkName(found.path));
      return { path: `./${chunkName(found.path)}`, external: true };
    });
  },
};

const coreEntry = (used) => ({
  contents: `export { main } from './lib/cli/main';
${used.map((key, i) => `import * as m${i} from './${key}';`).join('\n')}
export const modules = { ${used.map((key, i) => `${JSON.stringify(shortKey(key))}: m${i}`).join(', ')} };
`,
  resolveDir: root,
  sourcefile: 'core-entry.ts',
  loader: 'ts',
});

// What belongs to the core, and which chunks there are.
const survey = await build({ ...common, stdin: coreEntry([]), write: false, plugins: [findChunks] });
const core = new Set(Object.keys(survey.metafile.inputs).map((p) => resolve(root, p)));

rmSync(outdir, { recursive: true, force: true });
mkdirSync(outdir, { recursive: true });

/** The names that a source module exports. */
async function exportsOf(key) {
  const options = {
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    outdir: 'x',
  };
  const external = ['node:*', './*', '../*'];
  const r = await build({ ...options, entryPoints: [`${key}.ts`], external, packages: 'external' });
  return Object.values(r.metafile.outputs)[0].exports;
}

const used = new Set();
const fromCore = {
  name: 'from-core',
  setup(b) {
    b.onResolve({ filter: /^\.{1,2}\// }, async (args) => {
      if (args.kind === 'entry-point' || args.pluginData === 'resolving') return undefined;
      const found = await b.resolve(args.path, {
        resolveDir: args.resolveDir,
        kind: args.kind,
        pluginData: 'resolving',
      });
      if (found.errors.length > 0 || !core.has(found.path)) return undefined;
      used.add(keyOf(found.path));
      return { path: keyOf(found.path), namespace: 'core' };
    });
    // ES exports by name, so that esbuild does not copy whole modules when the chunk starts.
    b.onLoad({ filter: /.*/, namespace: 'core' }, async (args) => {
      const names = await exportsOf(args.path);
      const values = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => core.${name})();`);
      return {
        contents: `const core = require('./core.js').modules[${JSON.stringify(shortKey(args.path))}];\n${values.join('\n')}`,
        loader: 'js',
      };
    });
    b.onResolve({ filter: /^\.\/core\.js$/ }, (args) => ({ path: args.path, external: true }));
  },
};

const sizes = [];
/** Built file → its sources, relative to the root. */
const inputs = new Map();
const built = ({ metafile }) => {
  const [[path, output]] = Object.entries(metafile.outputs);
  inputs.set(basename(path), Object.keys(output.inputs));
};
// The library (package.json: main): over the same core and the same chunks.
const library = join(outdir, 'index.js');
built(
  await build({
    ...common,
    entryPoints: [join(root, 'lib/api/index.ts')],
    outfile: library,
    plugins: [findChunks, fromCore],
  }),
);
writeFileSync(join(outdir, 'index.d.ts'), declarations(root));
sizes.push(['index.js', statSync(library).size]);
for (const done = new Set(); done.size < chunks.size; ) {
  for (const [entry, name] of [...chunks]) {
    if (done.has(entry)) continue;
    done.add(entry);
    const outfile = join(outdir, name);
    built(await build({ ...common, entryPoints: [entry], outfile, plugins: [findChunks, fromCore] }));
    sizes.push([name, statSync(outfile).size]);
  }
}

const outfile = join(outdir, 'core.js');
// In order: plugins are called in parallel.
built(await build({ ...common, stdin: coreEntry([...used].sort()), outfile, plugins: [findChunks] }));
const size = statSync(outfile).size;

// The thread of NBD's connection: a file of its own, without the core, not one of the chunks (whose names have a dash).
const nbdWorker = join(root, 'lib/source/nbd/worker.ts');
await build({ ...common, entryPoints: [nbdWorker], outfile: join(outdir, 'nbdworker.js') });

// The launcher and the maker of the cache stand on Node alone; shell scripts are text to the maker.
const nodegrub = join(outdir, 'nodegrub.js');
const alone = { ...common, loader: { '.sh': 'text' }, external: ['./nodegrub.js'] };
const banner = { js: '#!/usr/bin/env node' };
built(await build({ ...alone, entryPoints: [join(root, 'lib/cli/launcher.ts')], outfile: nodegrub, banner }));
chmodSync(nodegrub, 0o755);
const maker = join(outdir, 'make-cache.js');
built(await build({ ...alone, entryPoints: [join(root, 'lib/cli/make-cache.ts')], outfile: maker }));
const images = join(root, 'fixtures/images');
copyFileSync(join(images, 'fat-32.img.gz'), join(outdir, 'warm-0.img.gz'));
writeFileSync(
  join(outdir, 'warm-1.img.gz'),
  gzipSync(readFileSync(join(images, 'example.img')), { level: 9 }),
);
const packages = packagesIn(root, inputs);
writeFileSync(join(outdir, 'sbom.cdx.json'), sbom(root, packages));
writeFileSync(join(outdir, 'THIRD-PARTY-NOTICES.txt'), notices(root, packages));
if (portable) {
  copyFileSync(join(root, 'packaging/nodegrub.sh'), join(outdir, 'nodegrub'));
  chmodSync(join(outdir, 'nodegrub'), 0o755);
} else execFileSync(process.execPath, [maker], { stdio: 'inherit' });

if (!quiet) {
  for (const [name, bytes] of [['core.js', size], ...sizes])
    console.log(`${String(bytes).padStart(8)}  dist/${name}`);
}
if (size > CORE_LIMIT) {
  console.error(`dist/core.js is ${size} bytes, the limit is ${CORE_LIMIT}`);
  process.exit(1);
}
