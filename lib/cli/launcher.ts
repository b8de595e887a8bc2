/**
 * dist/nodegrub.js: loads the core and the chunks through V8's code cache.
 *
 * Compiling 90 kB of source and then, lazily, each function that is called costs about 10 ms of the 50 that a boot
 * takes; with the cache it is 3. `FILE.ARCH.cache` lies beside each file, made by `make-cache.js` at build or installation for
 * the Node that is there. V8 checks version, flags and source length, and where they differ the source is compiled as
 * usual. It does not check the architecture: a program folder copied to another machine would crash there, if ARCH were not in the name. The cache is code: whoever can write it could as well write the program.
 *
 * The shell script `nodegrub`, which `make-cache.js` writes too, starts this with flags of V8's (make-cache.ts), and then the
 * cache is `FILE.flags.ARCH.cache`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

const CACHE = `${process.execArgv.length > 0 ? '.flags' : ''}.${process.arch}.cache`;

interface Loaded {
  exports: Record<string, unknown>;
  script?: Script;
}

/** By file name. `make-cache.js` takes the scripts from here once they have run. */
export const loaded = new Map<string, Loaded>();

function fileOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** A file of dist/ by its name, as `require` would load it. */
export function load(name: string): Record<string, unknown> {
  const known = loaded.get(name);
  if (known) return known.exports;
  const filename = join(__dirname, name);
  const module: Loaded = { exports: {} };
  loaded.set(name, module);
  // The build writes ASCII: latin1 spares the decoder.
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, 'latin1')}\n})`;
  const cachedData = fileOrNothing(filename + CACHE);
  module.script = new Script(source, cachedData ? { filename, cachedData } : { filename });
  const body = module.script.runInThisContext() as (...args: unknown[]) => void;
  const inner = (id: string) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  body.call(module.exports, module.exports, inner, module, filename, __dirname);
  return module.exports;
}

if (require.main === module) {
  const core = load('core.js') as { main(argv: readonly string[], program: string): Promise<number> };
  // Without it Node takes its heap to pieces first: 4 ms. Everything was written synchronously. `exit` takes 0.5 ms longer, in
  // which the files are handed over and a SIGKILL would still be a failure.
  const { reallyExit = process.exit } = process as { reallyExit?: (status: number) => void };
  core
    .main(process.argv.slice(2), process.argv[1]?.replace(/\.js$/, '') ?? 'nodegrub')
    .then((status) => reallyExit.call(process, status));
}
