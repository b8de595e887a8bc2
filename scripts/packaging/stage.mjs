/** A folder in which a package's files are laid out, with modes and times that depend on nothing. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export const read = (...path) => readFileSync(join(ROOT, ...path), 'utf8');

export class Stage {
  #work = mkdtempSync(join(tmpdir(), 'nodegrub-package-'));
  /** The package's root. */
  root = join(this.#work, 'root');
  /** A portable build (build.mjs). */
  dist = join(this.#work, 'dist');
  version = JSON.parse(read('package.json')).version;
  /** Seconds since 1970. */
  epoch;
  out;

  constructor(out) {
    this.out = resolve(out);
    mkdirSync(this.out, { recursive: true });
    mkdirSync(this.root);
    const date = /^ -- .*> {2}(.*)$/m.exec(read('packaging/deb/changelog'))[1];
    this.epoch = Number(process.env.SOURCE_DATE_EPOCH ?? Date.parse(date) / 1000);
    if (!Number.isSafeInteger(this.epoch)) throw new Error(`SOURCE_DATE_EPOCH or the changelog: no time`);
    this.run(process.execPath, [
      join(ROOT, 'scripts/build.mjs'),
      '--quiet',
      '--portable',
      `--outdir=${this.dist}`,
    ]);
  }

  run(program, args, options = {}) {
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(this.epoch), LC_ALL: 'C', TZ: 'UTC' };
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env, ...options });
  }

  /** @param {string} to path in the package; a file of the project, or a folder with all that is in it */
  copy(from, to) {
    const target = join(this.root, to);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(resolve(ROOT, from), target, { recursive: true });
  }

  write(to, content) {
    const target = join(this.root, to);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    return target;
  }

  /** Compressed as Debian wants its documentation: without name and time. */
  gzip(to, content) {
    this.write(to, this.run('gzip', ['-9nc'], { input: content, stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** Paths of all files and links, sorted. */
  files(folder = this.root) {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? this.files(path) : [path];
      })
      .sort();
  }

  /**
   * The last step: 0755 for folders and what is to be run, 0644 for the others, and the same time for all.
   * @param {(path: string) => boolean} runs
   */
  settle(runs, folder = this.root) {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const stat = lstatSync(path);
      if (stat.isDirectory()) this.settle(runs, path);
      else if (!stat.isSymbolicLink()) {
        chmodSync(path, runs(path.slice(this.root.length + 1)) ? 0o755 : 0o644);
        lutimesSync(path, this.epoch, this.epoch);
      }
    }
    chmodSync(folder, 0o755);
    lutimesSync(folder, this.epoch, this.epoch);
  }

  remove() {
    rmSync(this.#work, { recursive: true, force: true });
  }
}

/** What an administrator reads, beside the manual page. */
export const DOCUMENTS = ['README.md', 'SECURITY.md'];
