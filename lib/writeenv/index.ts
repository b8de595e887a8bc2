/**
 * `--write-env`: what the configuration's own `save_env` statements wrote is written to the guest's grubenv, as GRUB would have done,
 * once the entry's kernel and ramdisk are copied. A chunk. docs/write-env.md
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Saved } from '../boot/model';
import type { Context } from '../bytes/budget';
import { GuestError, unsupported } from '../bytes/errors';
import { fromHost, printable, toBytes } from '../bytes/text';
import { readWhole } from '../fs/file';
import type { FileSource } from '../source/file';
import type { BlockSource } from '../source/types';
import type { Identity, Wanted } from './helper';
import { placeOf } from './place';
import { BLOCK } from './plan';

/** Milliseconds; libxl allows 120 s for all. */
const PATIENCE = 20_000;

/** The program's side of the helper. */
export class EnvWriter {
  readonly #child: ChildProcess;
  readonly #disks: readonly BlockSource[];
  readonly #answer: Promise<string>;

  /**
   * Starts the helper, while this process is what it was started as.
   * @param paths of `disks`, which are open
   */
  constructor(paths: readonly string[], disks: readonly BlockSource[]) {
    this.#disks = disks;
    const words = disks.map((disk, i) => {
      const { fd } = disk as Partial<FileSource>;
      if (fd === undefined) throw unsupported('--write-env: a disk behind a URI is only read', disk.label);
      const { dev, ino, rdev } = fstatSync(fd);
      return JSON.stringify({ path: resolve(paths[i]!), dev, ino, rdev } satisfies Identity);
    });
    const program = join(__dirname, 'nodegrub.js');
    // A session of its own: a hang-up or Ctrl-C of the console does not reach it.
    this.#child = spawn(process.execPath, [...process.execArgv, program, '--inside=env', ...words], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
    });
    this.#child.stdin!.on('error', () => {});
    this.#answer = new Promise((done) => {
      let said = '';
      this.#child.stdout!.on('data', (bytes: Buffer) => {
        said += bytes.toString('utf8');
      });
      this.#child.once('error', (error) => done(error.message));
      this.#child.once('close', () => done(said || 'the helper died'));
    });
  }

  /**
   * Writes what the booted entry saved. A failure does not keep the guest from booting, as in GRUB.
   * @param say one printable line
   */
  async save(saves: Iterable<Saved>, ctx: Context, say: (line: string) => void): Promise<void> {
    let written = false;
    for (const saved of saves) {
      const name = `${saved.file.volume?.name ?? ''}: ${printable(saved.file.path)}`;
      try {
        const before = readWhole(saved.fs, saved.node, BLOCK, ctx);
        const after = toBytes(saved.block);
        if (before.equals(after)) continue;
        const { disk, at } = placeOf(saved, ctx);
        if (written) throw new GuestError('unsupported', 'another environment block was written already');
        written = true;
        const [from, to] = [before, after].map((bytes) => bytes.toString('base64')) as [string, string];
        const wanted: Wanted = { disk: this.#disks.indexOf(disk), at, before: from, after: to };
        this.#child.stdin!.end(`${JSON.stringify(wanted)}\n`);
        const answer = await this.#answered();
        if (answer !== 'ok') throw new GuestError('io', printable(fromHost(answer)));
        say(`${name} is written, as the configuration asks`);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        say(
          `warning: ${name} is not written, what was meant for one boot only will be used again next time: ${error.describe()}`,
        );
      }
    }
  }

  async #answered(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((done) => {
      timer = setTimeout(done, PATIENCE, `no answer within ${PATIENCE / 1000} s`);
    });
    const answer = await Promise.race([this.#answer, late]);
    clearTimeout(timer);
    return answer;
  }

  /** The helper is not needed any more; it ends with this process in any case. */
  end(): void {
    this.#child.stdin!.end();
    this.#child.stdout!.destroy();
    this.#child.unref();
  }
}
