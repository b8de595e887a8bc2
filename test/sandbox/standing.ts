/** The built program, held just before its result is printed: everything is opened, dropped, parsed and copied by then. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

let count = 0;

export interface Standing {
  readonly pid: number;
  /** Output directory: both files are whole. */
  readonly out: string;
  /** What it has said so far. */
  stderr(): string;
  /** Lets it go on. @returns its status */
  end(): Promise<number | null>;
}

/**
 * Starts it with a pipe that is full for `--output`.
 * @param dir scratch folder
 * @param command program and options, the disk last; it must have a kernel and a ramdisk
 */
export async function standing(dir: string, command: readonly string[], env: object = {}): Promise<Standing> {
  const fifo = join(dir, `pipe${count}`);
  const out = join(dir, `standing${count++}`);
  mkdirSync(out);
  if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error('mkfifo');
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(reader, Buffer.alloc(4096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  const variables = Object.entries({ PATH: process.env.PATH, ...env }).map((v) => v.join('='));
  const child: ChildProcess = spawn(
    'env',
    [
      '-i',
      ...variables,
      ...command.slice(0, 1),
      `--output=${fifo}`,
      `--output-directory=${out}`,
      ...command.slice(1),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr!.on('data', (text) => {
    said += text;
  });
  let ended = false;
  const status = new Promise<number | null>((done) =>
    child.on('exit', (code) => {
      ended = true;
      done(code);
    }),
  );
  const whole = () => readdirSync(out).filter((f) => statSync(join(out, f)).size > 0).length === 2;
  for (let i = 0; !whole(); i++) {
    if (ended || i > 1000) throw new Error(`did not get so far: ${said}`);
    await new Promise((next) => setTimeout(next, 10));
  }
  // It polls for room every 5 ms from here on.
  await new Promise((next) => setTimeout(next, 50));
  return {
    pid: child.pid!,
    out,
    stderr: () => said,
    end() {
      const piece = Buffer.alloc(65536);
      const drain = setInterval(() => {
        try {
          while (readSync(reader, piece) > 0);
        } catch {}
      }, 5);
      return status.finally(() => {
        clearInterval(drain);
        closeSync(reader);
      });
    },
  };
}

/** The lines of proc(5)'s status, of every thread of the process. */
export function threads(pid: number): Record<string, string>[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) =>
    Object.fromEntries(
      readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1')
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    ),
  );
}

/** What each open descriptor is, and whether it may be written. */
export function descriptors(pid: number): { path: string; writes: boolean }[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
      const flags = Number.parseInt(/^flags:\s+([0-7]+)/m.exec(info)![1]!, 8);
      return [{ path: readlinkSync(`/proc/${pid}/fd/${fd}`), writes: (flags & 3) !== 0 }];
    } catch {
      return []; // Closed meanwhile: the one that lists our own.
    }
  });
}

/** The children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => {
      try {
        // The name may hold blanks and parentheses: what counts begins after the last one.
        const stat = readFileSync(`/proc/${other}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}
