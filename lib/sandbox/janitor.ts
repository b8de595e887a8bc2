/**
 * The helper that removes files: `/bin/sh`, waiting on a pipe from us. What it was not told to keep is removed when the
 * pipe closes, whatever closes it: an error, a signal, SIGKILL, a crash of Node.
 */
import { writeSync } from 'node:fs';
import { GuestError } from '../bytes/errors';

/**
 * Reads one line, the numbers of the files to keep, and removes the others: all, when the pipe ends without one. Whoever
 * took the parser over cannot make it grow: it has 64 MiB.
 */
const SCRIPT = `trap '' HUP INT TERM QUIT PIPE USR1 USR2
ulimit -v 65536
read -r kept||kept=
n=0
for file do
  case " $kept " in *" $n "*) ;; *) /bin/rm -f -- "$file" ;; esac
  n=$((n + 1))
done`;

interface Helper {
  /** Sends the line, if any, and closes the pipe. */
  send(line: string): void;
  readonly gone: Promise<void>;
  /** The event loop no longer waits for it. */
  leave(): void;
}

/**
 * Node's own bindings under `child_process`. That module costs 5 ms to load, a tenth of a boot. They are internal: Node 24
 * takes other arguments, and ends the process over ours. So only the versions that were tried, which change no more.
 */
function spawnByBinding(args: string[]): Helper | undefined {
  if (!['18', '20', '22'].includes(process.versions.node.split('.')[0]!)) return undefined;
  type Handle = { close(): void; unref(): void; readonly fd: number };
  type ChildHandle = Handle & { onexit: () => void; spawn(options: object): number };
  const binding = (process as unknown as { binding?(name: string): Record<string, unknown> }).binding;
  if (typeof binding !== 'function') return undefined;
  try {
    const { Process } = binding.call(process, 'process_wrap') as { Process: new () => ChildHandle };
    const pipes = binding.call(process, 'pipe_wrap') as {
      Pipe: new (type: number) => Handle;
      constants: { SOCKET: number };
    };
    const pipe = new pipes.Pipe(pipes.constants.SOCKET);
    const child = new Process();
    const gone = new Promise<void>((done) => {
      child.onexit = () => {
        child.close();
        done();
      };
    });
    const error = child.spawn({
      file: args[0],
      args,
      envPairs: [],
      cwd: '/',
      detached: true,
      stdio: [{ type: 'pipe', handle: pipe }, { type: 'ignore' }, { type: 'ignore' }],
    });
    if (error !== 0) return undefined;
    return {
      gone,
      send(line) {
        try {
          if (line !== '') writeSync(pipe.fd, line);
        } catch {
          // Somebody has killed it: then it removes nothing either.
        }
        pipe.close();
      },
      leave: () => child.unref(),
    };
  } catch {
    return undefined;
  }
}

function spawnByModule(args: string[]): Helper | undefined {
  const { spawn } = require('node:child_process') as typeof import('node:child_process');
  const child = spawn(args[0]!, args.slice(1), {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    env: {},
  });
  const gone = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
  child.stdin.on('error', () => {});
  if (child.pid === undefined) return undefined;
  return { gone, send: (line) => void child.stdin.end(line), leave: () => {} };
}

export class Janitor {
  readonly #helper: Helper;
  #sent = false;

  /**
   * Starts the helper in a session of its own, so that a hang-up or Ctrl-C of the console does not reach it. Nothing of
   * the toolstack's is inherited: its pty would stay open.
   * @param files absolute paths; they need not exist yet
   * @param how for tests: which way to start it
   * @throws GuestError `io`
   */
  constructor(files: readonly string[], how: 'binding' | 'module' | 'any' = 'any') {
    const args = ['/bin/sh', '-c', SCRIPT, 'nodegrub-janitor', ...files];
    const helper =
      (how !== 'module' ? spawnByBinding(args) : undefined) ??
      (how !== 'binding' ? spawnByModule(args) : undefined);
    if (!helper)
      throw new GuestError('io', 'cannot start /bin/sh, which would remove the files after a failure');
    this.#helper = helper;
  }

  /** Ends the helper's wait; the files whose numbers are not in `keep` are removed. The first call counts. */
  release(keep: readonly number[]): void {
    if (this.#sent) return;
    this.#sent = true;
    this.#helper.send(keep.length > 0 ? `${keep.join(' ')}\n` : '');
  }

  /** Resolves when the helper has ended, after `release`. */
  get gone(): Promise<void> {
    return this.#helper.gone;
  }

  /** Nothing is left for it to do: it may end a millisecond after us. */
  leave(): void {
    this.#helper.leave();
  }
}
