/**
 * `--jobs`: which of many guests would not boot, and why. The supervisor: it gives batches of disks to processes of its own
 * (batch.ts), which open them, give root up and look at them in threads; it prints what they say, and outlives whatever hangs or
 * dies. It reads no byte of a guest's. A chunk. docs/audit.md
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { Progress } from '../../../menu/progress';
import { GuestError, unsupported } from '../../bytes/errors';
import { writeAll } from '../../output/write';
import { readPolicy } from '../../policy/read';
import { NOBODY } from '../../sandbox/drop';
import { openResult } from '../../sandbox/outputs';
import { log } from '../main';
import type { Options } from '../options';
import { disksFrom } from './disks';
import { LONGEST, type Order, understood } from './protocol';
import { type Seen, unseen } from './record';

/** What the three options say. */
export interface JobsOptions {
  /** Undefined: as many as there are processors. */
  readonly workers?: number | undefined;
  readonly from?: string | undefined;
  /** Wall-clock seconds for one disk. */
  readonly seconds?: number | undefined;
}

/** Disks that one process opens, if it may: a start takes 60 ms. */
const BATCH = 500;
/** Descriptors that a process needs for itself. */
const OWN_DESCRIPTORS = 64;
const SECONDS = 60;
/** A batch says something each time a disk's time is over, at the latest so many seconds after. */
const GRACE = 5;

interface Disk {
  readonly number: number;
  readonly path: string;
}

/** How many descriptors a process may have (getrlimit(2); Node raises its own limit to the hard one). */
function descriptors(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    return Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}

/** @throws GuestError for what is said of one disk, and where a list shows nothing of it */
function check(options: Options): void {
  const refuse = (what: string) => unsupported(`--jobs: ${what}`);
  if (options.action !== 'list') throw refuse('needs -l: many disks are looked at, none is booted');
  if (options.format !== 'json' && options.format !== 'sxp')
    throw refuse(`--output-format is json, or is not given`);
  if (options.kernel !== undefined) throw refuse('--kernel is for one disk');
  if (options.keys.length > 0) throw refuse('keys are for one disk');
  if (options.image?.references === 'directory') throw refuse('--image-references is for one disk');
  if (options.sandbox === 'strict' || options.runas !== undefined)
    throw refuse(
      'the strict sandbox holds one disk: nodegrub -l --sandbox=strict for each; --user= says what root becomes here',
    );
}

/** @returns the exit status: 0 all boot, 1 some do not, 2 some could not be looked at */
export async function jobs(options: Options, asked: JobsOptions): Promise<number> {
  let supervisor: Supervisor;
  try {
    check(options);
    const paths = [...options.operands, ...(asked.from === undefined ? [] : disksFrom(asked.from))];
    if (paths.length === 0) throw unsupported('--jobs: no disk is named');
    const { fd } = openResult(options.output);
    supervisor = new Supervisor(options, asked, paths, fd);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    log(`RuntimeError: ${error.describe()}`);
    return 2;
  }
  return supervisor.run();
}

class Supervisor {
  readonly #options: Options;
  readonly #order: Omit<Order, 'disks'>;
  readonly #fd: number;
  readonly #total: number;
  readonly #batch: number;
  readonly #waiting: Disk[];
  /** Whose process died while they were looked at: each gets one of its own. */
  readonly #suspects: Disk[] = [];
  readonly #counts = [0, 0, 0];
  readonly #began = Date.now();
  readonly #progress = new Progress();
  readonly #shows = isatty(2);
  #shown = 0;
  #child: ChildProcess | undefined;

  constructor(options: Options, asked: JobsOptions, paths: readonly string[], fd: number) {
    const { run: _, ...rest } = options;
    this.#options = options;
    this.#fd = fd;
    this.#total = paths.length;
    this.#waiting = paths.map((path, i) => ({ number: i + 1, path }));
    const processors = availableParallelism?.() ?? cpus().length;
    this.#batch = Math.max(1, Math.min(BATCH, descriptors() - OWN_DESCRIPTORS));
    const root = process.geteuid!() === 0;
    this.#order = {
      // The operands are in the order of each batch.
      options: { ...rest, operands: [] },
      policy: options.policy === undefined ? undefined : readPolicy(options.policy),
      workers: Math.min(asked.workers ?? Math.max(1, processors), paths.length),
      seconds: asked.seconds ?? SECONDS,
      user: options.sandbox === 'off' ? undefined : (options.user ?? (root ? NOBODY : undefined)),
    };
  }

  async run(): Promise<number> {
    const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    const ended = (signal: NodeJS.Signals) => {
      this.#child?.kill('SIGKILL');
      this.#progress.end();
      log(`interrupted: ${this.#summary()}`);
      for (const name of signals) process.off(name, ended);
      process.kill(process.pid, signal);
    };
    for (const signal of signals) process.on(signal, ended);
    while (this.#waiting.length > 0) await this.#one(this.#waiting.splice(0, this.#batch), false);
    for (const disk of this.#suspects) await this.#one([disk], true);
    for (const signal of signals) process.off(signal, ended);
    this.#progress.end();
    log(this.#summary());
    return this.#counts[2]! > 0 ? 2 : this.#counts[1]! > 0 ? 1 : 0;
  }

  #summary(): string {
    const [boot = 0, not = 0, unseen = 0] = this.#counts;
    const done = boot + not + unseen;
    const of = done < this.#total ? ` of ${this.#total}` : '';
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(1);
    return `${done}${of} disk${this.#total === 1 ? '' : 's'} in ${seconds} s: ${boot} boot, ${not} do not, ${unseen} could not be looked at`;
  }

  #print({ verdict, line }: Seen): void {
    this.#counts[verdict]!++;
    if (this.#shows && isatty(this.#fd)) this.#progress.end();
    writeAll(this.#fd, Buffer.from(`${line}\n`), 'the result');
    if (!this.#shows || Date.now() - this.#shown < 100) return;
    this.#shown = Date.now();
    const done = this.#counts.reduce((a, b) => a + b);
    const part = Math.floor((done * 20) / this.#total);
    this.#progress.say(
      `[${'#'.repeat(part).padEnd(20, '.')}] ${done} of ${this.#total}, ${this.#counts[1]! + this.#counts[2]!} with problems`,
    );
  }

  #failed({ number, path }: Disk, reason: string): void {
    this.#print(unseen(number, path, this.#options.format === 'json', reason));
  }

  /**
   * A batch from its start to its end, or to where it is given up.
   * @param alone a suspect: when this process dies, it is known of what
   */
  async #one(disks: readonly Disk[], alone: boolean): Promise<void> {
    const left = new Map<number, Disk>(disks.map((disk) => [disk.number, disk]));
    /** Looked at, or being opened. */
    const busy = new Map<number, 'o' | 's'>();
    const child = spawn(
      process.execPath,
      [...process.execArgv, join(__dirname, 'nodegrub.js'), '--inside=jobs'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#child = child;
    child.stdin!.on('error', () => {});
    child.stdin!.write(`${JSON.stringify({ ...this.#order, disks } satisfies Order)}\n`);
    let over = false;
    let lie = '';
    let heard = Date.now();
    const hear = (line: string): void => {
      heard = Date.now();
      const what = lie === '' ? understood(line) : undefined;
      const disk = what && what.kind !== 'e' ? left.get(what.number) : undefined;
      if (what?.kind === 'e') over = true;
      else if (what?.kind === 'r' && disk) {
        left.delete(disk.number);
        busy.delete(disk.number);
        this.#print(what as Seen);
      } else if (what && what.kind !== 'r' && disk) {
        // All are opened before one is looked at.
        for (const [number, doing] of busy) if (doing === 'o') busy.delete(number);
        busy.set(disk.number, what.kind);
      } else {
        lie ||= 'the process that looked at it broke its protocol';
        child.kill('SIGKILL');
      }
    };
    let rest: Buffer[] = [];
    let length = 0;
    const how = await new Promise<string>((done) => {
      const limit = (this.#order.seconds + GRACE) * 1000;
      // The end of a process that hangs in the kernel is not waited for.
      const timer = setInterval(() => {
        if (over || Date.now() - heard < limit) return;
        setImmediate(() => {
          if (over || Date.now() - heard < limit) return;
          child.kill('SIGKILL');
          finish('silence');
        });
      }, 250);
      const finish = (how: string) => {
        clearInterval(timer);
        child.stdout!.destroy();
        child.stdin!.destroy();
        child.unref();
        done(how);
      };
      child.stdout!.on('data', (bytes: Buffer) => {
        let at = 0;
        for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
          rest.push(bytes.subarray(at, end));
          hear(Buffer.concat(rest).toString('utf8'));
          rest = [];
          length = 0;
          at = end + 1;
        }
        if (at < bytes.length) rest.push(bytes.subarray(at));
        length += bytes.length - at;
        if (length > LONGEST) {
          lie ||= `its list has more than ${LONGEST} bytes`;
          child.kill('SIGKILL');
        }
        // An end that takes long is not waited for: threads may hang in the kernel.
        if (over) setTimeout(finish, 1000, '').unref();
      });
      child.once('error', (error) => finish(error.message));
      child.once('close', (status, signal) => finish(signal ?? `status ${status}`));
    });
    this.#child = undefined;
    this.#after([...left.values()], busy, alone, over ? '' : lie || how);
  }

  /** What becomes of the disks that a batch has said nothing of. @param how it ended before its time; '' when it did not */
  #after(left: readonly Disk[], busy: ReadonlyMap<number, 'o' | 's'>, alone: boolean, how: string): void {
    const stuck = `nothing came of it within ${this.#order.seconds} s (--disk-timeout)`;
    const again: Disk[] = [];
    let blamed = false;
    for (const disk of left) {
      const was = busy.get(disk.number);
      if (how === '' || was === undefined) again.push(disk);
      else {
        blamed = true;
        if (how === 'silence') this.#failed(disk, was === 'o' ? `opening it: ${stuck}` : stuck);
        else if (alone || was === 'o') this.#failed(disk, `the process that looked at it died: ${how}`);
        else this.#suspects.push(disk);
      }
    }
    // It never came to a disk: neither will the next one.
    if (how !== '' && !blamed)
      for (const disk of again.splice(0)) this.#failed(disk, `no process for it: ${how}`);
    this.#waiting.unshift(...again);
  }
}
