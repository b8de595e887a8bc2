/**
 * Boots that are disturbed at a random moment. Afterwards there must be either a whole, correct result and status 0, or another
 * status and nothing: no file of ours, no process. test/hostile/kill.test.ts and test/peers/kill.test.ts say what disturbs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { childrenOf } from '../sandbox/standing';
import { romfs } from './romfs';

export const sleep = (ms: number) => new Promise<void>((next) => setTimeout(next, ms));

/** What the files must hold: every block differs, so that a piece in a wrong place is seen. */
function payload(length: number, salt: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 512 <= length; at += 512) bytes.writeUInt32LE(at + salt, at);
  return bytes.fill(salt, 4, 12);
}

export const KERNEL = payload(6_000_000, 0x11);
export const RAMDISK = payload(18_000_000, 0x22);
const ARGS = 'root=/dev/xvda1 ro';

export function writeDisk(path: string): void {
  const config = `set timeout=0\nmenuentry 'X' {\n  linux /boot/k ${ARGS}\n  initrd /boot/i\n}\n`;
  writeFileSync(path, romfs({ 'boot/grub/grub.cfg': config, 'boot/k': KERNEL, 'boot/i': RAMDISK }));
}

/** The items that libxl would take from the text (`word value`, each ended by NUL). */
export function itemsOf(text: string): Map<string, string> {
  const items = text.split('\0').filter((item) => item !== '');
  return new Map(
    items.map((item) => [item.slice(0, item.indexOf(' ')), item.slice(item.indexOf(' ') + 1)] as const),
  );
}

/** Processes that know of the folder by a word of theirs or by an open file, zombies not counted. */
function processesOf(folder: string, besides: readonly number[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return words !== '' && (words.includes(folder) || besides.includes(pid));
      } catch {
        return false;
      }
    });
}

export interface Running {
  readonly child: ChildProcess;
  /** Everything that it has started so far. */
  helpers(): number[];
}

export interface Disturbance {
  readonly name: string;
  /** Before the start: what is started instead of the program itself, on which disk. */
  prepare?(place: { out: string; disk: string }, random: (n: number) => number): Prepared;
  /** Once it runs, `wait` milliseconds after its start or after its files appeared. */
  act?(running: Running, disk: string, random: (n: number) => number): void;
  /** The only harm is to somebody else: it must succeed. */
  harmless?: boolean;
  /** It cannot succeed. */
  fatal?: boolean;
  /** SIGKILL: between the hand-over and the end, some 2 ms, the files are whole and stay. */
  late?: boolean;
}

export interface Prepared {
  readonly disk?: string;
  /** In front of the program and its options. */
  readonly wrapper?: readonly string[];
  readonly output?: string;
  undo?(): void;
}

export interface Tally {
  whole: number;
  failed: number;
  late: number;
  readonly problems: string[];
}

/** How often something happened, and how it ended. */
export type Ends = Record<'whole' | 'failed' | 'late' | 'wrong', number>;

export class Harness {
  readonly tally: Tally = { whole: 0, failed: 0, late: 0, problems: [] };
  /** By the disturbance's name. */
  readonly ends = new Map<string, Ends>();
  #count = 0;
  /** Milliseconds that an undisturbed boot takes. */
  #usual = 0;
  /** That the last one took. */
  #last = 0;

  /**
   * @param dir scratch folder that every user may enter
   * @param random whole numbers below n, from a seed
   */
  constructor(
    readonly dir: string,
    readonly command: readonly string[],
    readonly disk: string,
    readonly random: (n: number) => number,
  ) {}

  /** How long a boot takes, and that it is right. */
  async measure(): Promise<void> {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const problem = await this.moment({ name: 'undisturbed', harmless: true });
      if (problem) throw new Error(problem);
      times.push(this.#last);
    }
    this.#usual = Math.min(...times);
    this.tally.whole = 0;
    this.ends.clear();
  }

  /** One boot. @returns what is wrong */
  async moment(how: Disturbance): Promise<string | undefined> {
    const { whole, failed, late } = this.tally;
    const problem = await this.#moment(how);
    const ends = this.ends.get(how.name) ?? { whole: 0, failed: 0, late: 0, wrong: 0 };
    this.ends.set(how.name, ends);
    ends.whole += this.tally.whole - whole;
    ends.failed += this.tally.failed - failed;
    ends.late += this.tally.late - late;
    if (problem) ends.wrong++;
    return problem;
  }

  async #moment(how: Disturbance): Promise<string | undefined> {
    const { random } = this;
    const out = join(this.dir, `out${this.#count++}`);
    const own = `${out}.result`;
    mkdirSync(out);
    // libxl makes the result's file, others leave it to us.
    const existed = random(2) === 0;
    if (existed) writeFileSync(own, '');
    const prepared = how.prepare?.({ out, disk: this.disk }, random) ?? {};
    const disk = prepared.disk ?? this.disk;
    const result = prepared.output ?? own;
    const opened = () => readdirSync(out).length === 2;
    let status: string | number | null = null;
    let gone = false;
    const [program, ...options] = this.command;
    const started = performance.now();
    const child = spawn(
      'env',
      [
        '-i',
        `PATH=${process.env.PATH}`,
        ...(prepared.wrapper ?? []),
        program!,
        // As xapi starts it, or as libxl does: nobody is at the console, and the guest's time-out is 0.
        this.command.some((word) => word.startsWith('--runas')) || random(2) === 0 ? '-q' : '-i',
        '--output-format=simple0',
        `--output=${result}`,
        `--output-directory=${out}`,
        ...options,
        disk,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr!.on('data', (text) => {
      said += text;
    });
    const end = new Promise<void>((done) =>
      child.on('exit', (code, signal) => {
        status = code ?? signal;
        gone = true;
        this.#last = performance.now() - started;
        done();
      }),
    );
    let known: number[] = [];
    const helpers = () => {
      const first = childrenOf(child.pid!);
      known = [...first, ...first.flatMap(childrenOf)];
      return known;
    };
    if (how.act) {
      // Half of the moments over the whole run, half over what comes after the files were made.
      if (random(2) === 0) await sleep(random(this.#usual * 1.1));
      else {
        while (!gone && !opened()) await sleep(1);
        await sleep(random(this.#usual * 0.5));
      }
      if (!gone) how.act({ child, helpers }, disk, random);
    }
    const timeout = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await end;
    clearTimeout(timeout);
    const from = performance.now();
    const name = `${this.command.join(' ')}: ${how.name}: status ${status}`;
    let left: string[] = [];
    let alive: number[] = [];
    for (;;) {
      alive = processesOf(out, known);
      left = readdirSync(out);
      if (alive.length === 0 && (left.length === 0 || status === 0)) break;
      if (performance.now() - from > 1000) break;
      await sleep(5);
    }
    const text = result === own ? read(result) : undefined;
    const whole = text !== undefined && this.#isWhole(text, out, left);
    prepared.undo?.();
    rmSync(out, { recursive: true });
    rmSync(own, { force: true });
    const say = (what: string) => {
      const problem = `${name}: ${what}; files ${left}; processes ${alive}; result ${JSON.stringify(text)}; ${said}`;
      this.tally.problems.push(problem);
      return problem;
    };
    if (alive.length > 0) return say('processes are left after a second');
    if (how.harmless && status !== 0) return say('should have gone on');
    if (how.fatal && status === 0) return say('status 0, which cannot be');
    if (status === 0) {
      if (!whole) return say('status 0 without a whole result');
      this.tally.whole++;
      return undefined;
    }
    if (whole && how.late && status === 'SIGKILL') {
      this.tally.late++;
      return undefined;
    }
    if (left.length > 0) return say('files are left');
    if (result === own && existed !== (text !== undefined))
      return say("the result's file: made or removed wrongly");
    // What libxl made and we wrote is libxl's; but it is all or nothing.
    if (text && !/^kernel [^\0]+\0ramdisk [^\0]+\0args [^\0]+\0\0$/.test(text))
      return say('a part of a result');
    this.tally.failed++;
    return undefined;
  }

  #isWhole(text: string, out: string, left: readonly string[]): boolean {
    const items = itemsOf(text);
    const [kernel, ramdisk] = [items.get('kernel'), items.get('ramdisk')];
    return (
      items.size === 3 &&
      items.get('args') === ARGS &&
      left.length === 2 &&
      kernel !== undefined &&
      ramdisk !== undefined &&
      [kernel, ramdisk].every((path) => path.startsWith(`${out}/`)) &&
      read(kernel) === KERNEL_TEXT &&
      read(ramdisk) === RAMDISK_TEXT
    );
  }
}

const KERNEL_TEXT = KERNEL.toString('latin1');
const RAMDISK_TEXT = RAMDISK.toString('latin1');

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

const signalled = (signal: NodeJS.Signals): Disturbance => ({
  name: `${signal} of the program`,
  late: signal === 'SIGKILL',
  act: ({ child }) => void child.kill(signal),
});

const JANITOR = 'nodegrub-janitor';

/** Kills the helper that removes files: whoever does that must not spoil the boot. */
const helperSignalled = (signal: NodeJS.Signals): Disturbance => ({
  name: `${signal} of the helper`,
  harmless: true,
  act({ helpers }) {
    for (const pid of helpers())
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(JANITOR)) process.kill(pid, signal);
      } catch {
        // It has ended already.
      }
  },
});

/** A child that parses, where the mode has one: the program must fail, or be done. */
export const parserKilled: Disturbance = {
  name: 'SIGKILL of what parses',
  act({ helpers }) {
    for (const pid of helpers())
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        // `timeout` and `cat` are the helper's ears, `head` is the program's own (strict.sh): without it, it begins anew.
        if (!words.includes(JANITOR) && !/^(\S*\/)?(timeout|cat|head)\0/.test(words))
          process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
  },
};

const privateCopy = (out: string, disk: string): string => {
  copyFileSync(disk, `${out}.img`);
  return `${out}.img`;
};

/** What needs neither root nor a tool. */
export const DISTURBANCES: readonly Disturbance[] = [
  signalled('SIGTERM'),
  signalled('SIGHUP'),
  signalled('SIGINT'),
  signalled('SIGKILL'),
  helperSignalled('SIGKILL'),
  helperSignalled('SIGTERM'),
  {
    name: 'the disk becomes shorter',
    prepare: ({ out, disk }) => ({ disk: privateCopy(out, disk), undo: () => rmSync(`${out}.img`) }),
    act: (_, disk, random) => truncateSync(disk, random(KERNEL.length + RAMDISK.length)),
  },
  {
    name: 'no file may have more than some size',
    prepare: (_, random) => ({
      wrapper: ['sh', '-c', 'ulimit -f "$0"; exec "$@"', String(random((RAMDISK.length * 1.2) / 512))],
    }),
  },
  { name: 'the result cannot be written', prepare: () => ({ output: '/dev/full' }) },
];

/** Which options make a mode, and the name it has. */
export const MODES: readonly (readonly [string, readonly string[]])[] = [
  ['off', ['--sandbox=off']],
  ['basic', ['--sandbox=basic']],
  ['strict', ['--sandbox=strict', '--runas=65534']],
];
