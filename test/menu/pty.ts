/** The built program on a real pseudoterminal, its output on a virtual screen. */
import { join } from 'node:path';
import { type IPty, spawn } from '@lydell/node-pty';
import { Terminal } from '@xterm/headless';
import { ROOT } from '../support';

/** NODEGRUB_NODE: another Node than the one that runs the tests. */
const NODEGRUB = [process.env.NODEGRUB_NODE ?? 'node', join(ROOT, 'dist', 'nodegrub.js')];

export interface ConsoleOptions {
  /** Of the screen and, unless `size0`, of the pty. Default 80x24. */
  cols?: number;
  rows?: number;
  /** Default vt100. */
  term?: string;
  /** What the program finds besides PATH and TERM. */
  env?: Record<string, string>;
  /** The command before the arguments. Default: node and the built nodegrub. */
  program?: readonly string[];
  /** The pty says 0 rows and 0 columns, as xl's does; the screen has `cols` and `rows`. */
  size0?: boolean;
  /** Settings for stty before the program starts: 'raw -echo' is how xl gives it. */
  stty?: string;
  /** Does the terminal answer when asked (cursor position, attributes)? Default true. */
  answers?: boolean;
}

export interface Cell {
  /** With its combining characters; empty where nothing was written. */
  chars: string;
  /** 2: wide; 0: the right half of a wide one. */
  width: number;
  inverse: boolean;
  bold: boolean;
  /** Number in the palette; -1: the terminal's own. */
  fg: number;
  bg: number;
}

/** Quoted for sh. */
const quote = (word: string) => `'${word.replace(/'/g, "'\\''")}'`;

export class Console {
  /** `signal`: what killed it (a number), when something did. */
  readonly exit: Promise<{ status: number; signal?: number }>;
  /** How often the bell rang. */
  bells = 0;
  cursorVisible = true;
  readonly #pty: IPty;
  readonly #screen: Terminal;
  readonly #output: Buffer[] = [];
  readonly #listeners = new Set<() => void>();
  #bytes = 0;
  #unread = 0;
  #last = Date.now();
  #exited = false;

  /** Runs the program with ARGS and nothing of the test runner's environment. */
  static start(args: readonly string[], options: ConsoleOptions = {}): Console {
    return new Console(['exec', ...Console.#command(args, options)].join(' '), options);
  }

  /** The same as a shell's child, so that `settings()` can tell what it left of the terminal. */
  static startInShell(args: readonly string[], options: ConsoleOptions = {}): Console {
    const command = Console.#command(args, options).join(' ');
    // The shell outlives a ^C that the terminal turns into a signal for both.
    return new Console(
      `trap : INT QUIT; stty -g; sh -c ${quote(`echo "pid $$"; exec ${command}`)}; echo "status $?"; stty -g`,
      options,
    );
  }

  static #command(args: readonly string[], options: ConsoleOptions): string[] {
    const env = { PATH: process.env.PATH ?? '', TERM: options.term ?? 'vt100', ...options.env };
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return ['env', '-i', ...set, ...(options.program ?? NODEGRUB), ...args].map(quote);
  }

  private constructor(command: string, options: ConsoleOptions) {
    const { cols = 80, rows = 24 } = options;
    this.#screen = new Terminal({ cols, rows, allowProposedApi: true, scrollback: 10_000 });
    this.#screen.onBell(() => void this.bells++);
    for (const final of ['h', 'l'])
      this.#screen.parser.registerCsiHandler({ prefix: '?', final }, (params) => {
        if (params.includes(25)) this.cursorVisible = final === 'h';
        return false;
      });
    const stty = [...(options.stty ? [options.stty] : []), ...(options.size0 ? ['rows 0 cols 0'] : [])];
    const script = [...stty.map((settings) => `stty ${settings}; `), command].join('');
    this.#pty = spawn('/bin/sh', ['-c', script], {
      cols,
      rows,
      cwd: ROOT,
      env: { PATH: process.env.PATH },
      encoding: null,
    });
    // Without an encoding the data is bytes, whatever the type says.
    this.#pty.onData((data) => this.#read(data as unknown as Buffer));
    if (options.answers ?? true) this.#screen.onData((answer) => this.#pty.write(answer));
    this.exit = new Promise((resolve) =>
      this.#pty.onExit(({ exitCode, signal }) =>
        // After the screen has everything.
        this.#screen.write('', () => {
          this.#exited = true;
          this.#tell();
          resolve(signal ? { status: exitCode, signal } : { status: exitCode });
        }),
      ),
    );
  }

  #read(data: Buffer): void {
    this.#output.push(data);
    this.#bytes += data.length;
    this.#unread++;
    this.#last = Date.now();
    this.#screen.write(data, () => {
      this.#unread--;
      this.#tell();
    });
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** As if typed: UTF-8. */
  write(keys: string | Buffer): void {
    this.#pty.write(keys as string);
  }

  /** The window's size changes: the screen's, the pty's, and a SIGWINCH. */
  resize(cols: number, rows: number): void {
    this.#screen.resize(cols, rows);
    this.#pty.resize(cols, rows);
  }

  /** The screen's rows, without the blanks at the right. */
  rows(): string[] {
    return Array.from({ length: this.#screen.rows }, (_, y) => this.row(y));
  }

  row(y: number): string {
    const { active } = this.#screen.buffer;
    return (active.getLine(active.baseY + y)?.translateToString(true) ?? '').trimEnd();
  }

  /** The screen as one text, without the empty rows at the end. */
  text(): string {
    return this.rows().join('\n').trimEnd();
  }

  cell(x: number, y: number): Cell {
    const { active } = this.#screen.buffer;
    const cell = active.getLine(active.baseY + y)?.getCell(x);
    if (cell === undefined) throw new RangeError(`no cell ${x},${y}`);
    return {
      chars: cell.getChars(),
      width: cell.getWidth(),
      inverse: cell.isInverse() !== 0,
      bold: cell.isBold() !== 0,
      fg: cell.isFgDefault() ? -1 : cell.getFgColor(),
      bg: cell.isBgDefault() ? -1 : cell.getBgColor(),
    };
  }

  cursor(): { x: number; y: number } {
    const { active } = this.#screen.buffer;
    return { x: active.cursorX, y: active.cursorY };
  }

  /** Does it show the alternate screen? */
  get alternate(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  /** How many bytes were sent so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All that was sent so far, one character a byte. */
  get raw(): string {
    return Buffer.concat(this.#output).toString('latin1');
  }

  /** The id of the program's process; in a shell after it was started. */
  get pid(): number {
    return Number(/^pid (\d+)\r?$/m.exec(this.raw)?.[1] ?? this.#pty.pid);
  }

  /**
   * Waits until the screen's text matches or the function says so. Rejects after timeoutMs, and when the program
   * ended without it, with the screen as text.
   */
  until(what: RegExp | ((console: Console) => boolean), timeoutMs = 10_000): Promise<void> {
    const met = () => (typeof what === 'function' ? what(this) : what.test(this.text()));
    // Not an Error made later: its stack would not show who waited.
    const error = new Error();
    return new Promise((resolve, reject) => {
      const finish = (reason?: string) => {
        this.#listeners.delete(check);
        clearTimeout(timer);
        if (reason === undefined) return resolve();
        error.message = `${reason} ${what}; the screen:\n${this.rows()
          .map((row) => `|${row}\n`)
          .join('')}`;
        reject(error);
      };
      const check = () => {
        try {
          if (met()) finish();
          else if (this.#exited) finish('ended without');
        } catch (thrown) {
          finish(`${thrown} in`);
        }
      };
      const timer = setTimeout(() => finish(`${timeoutMs} ms without`), timeoutMs);
      this.#listeners.add(check);
      check();
    });
  }

  /** Waits until nothing was sent for quietMs. */
  async settled(quietMs = 60): Promise<void> {
    // From now on: an answer to what was just typed has not come yet.
    const from = Date.now();
    for (;;) {
      const rest = Math.max(this.#last, from) + quietMs - Date.now();
      if (rest <= 0 && this.#unread === 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.max(rest, 1)));
    }
  }

  /**
   * After the end of one that was started in a shell: the terminal's settings (`stty -g`) before and after the
   * program, and its status as the shell says it (128 + the signal's number).
   */
  settings(): { before: string; after: string; status: number } {
    const before = /^([0-9a-f:]+)\r?\n/.exec(this.raw);
    const after = /status (\d+)\r?\n([0-9a-f:]+)\r?\n$/.exec(this.raw);
    if (!before || !after) throw new Error(`not a shell's output: ${JSON.stringify(this.raw.slice(-500))}`);
    return { before: before[1]!, after: after[2]!, status: Number(after[1]) };
  }

  /** Sends the program a signal; does nothing when it has ended. */
  kill(signal: NodeJS.Signals): void {
    if (this.#exited) return;
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** The other side of the terminal goes away: SIGHUP, then EIO. `exit` still tells how the program took it. */
  hangUp(): void {
    // destroy() of node-pty also sends a signal itself; the terminal's own is what is asked for here.
    (this.#pty as unknown as { _socket: { destroy(): void } })._socket.destroy();
  }

  /** For the end of a test: kills what still runs, and waits for it. */
  async close(): Promise<void> {
    this.kill('SIGKILL');
    await this.exit;
    this.#screen.dispose();
  }
}
