/** GRUB's command line on the terminal. What the commands do is in lib/boot/grub2/shell.ts. */
import type { BootContext, BootMenu, BootTarget, ConfigFile, Shell } from '../lib/boot/model';
import type { ByteString } from '../lib/bytes/text';
import { type LineState, remember } from './line';
import { prompt } from './prompt';
import type { Terminal } from './terminal';
import { editable, outputLines, shown } from './text';
import { columnsOf } from './width';

export type CommandLineEnd =
  | { readonly kind: 'boot'; readonly target: BootTarget }
  | { readonly kind: 'menu'; readonly menu: BootMenu }
  | { readonly kind: 'end'; readonly reason: string }
  | { readonly kind: 'leave' | 'gone' | 'time' };

export class CommandLine {
  #history: string[] = [];
  /** One for each menu, so that what was set is there when somebody comes back. */
  readonly #shells = new Map<BootMenu, Shell>();

  constructor(
    private readonly terminal: Terminal,
    private readonly context: BootContext,
    private readonly utf8: boolean,
  ) {}

  async use(config: ConfigFile, menu: BootMenu, hard: number | undefined): Promise<CommandLineEnd> {
    const { terminal } = this;
    let shell = this.#shells.get(menu);
    if (!shell) {
      shell =
        menu.shell?.() ??
        (require('../lib/boot/grub2/shell') as typeof import('../lib/boot/grub2/shell')).shellFor(
          config,
          this.context,
        );
      this.#shells.set(menu, shell);
    }
    terminal.write(
      "GRUB's commands over the guest's disks. Tab completes or lists, help tells, ESC goes back.\r\n",
    );
    let more = false;
    for (;;) {
      const typed = await prompt(terminal, more ? '> ' : 'grub> ', {
        history: this.#history,
        hard,
        complete: (line) => this.#complete(shell!, line),
      });
      if (typed.kind === 'gone' || typed.kind === 'time') return { kind: typed.kind };
      if (typed.kind !== 'line') {
        shell.reset();
        if (typed.kind === 'interrupt') return { kind: 'end', reason: 'Ctrl-C' };
        if (!more) return { kind: 'leave' };
        more = false;
        continue;
      }
      this.#history = remember(this.#history, typed.text);
      const result = shell.run(editable('').bytes(typed.text));
      if (!(await this.#print(result.output))) return { kind: 'gone' };
      more = result.how === 'more';
      switch (result.how) {
        case 'boot':
          return { kind: 'boot', target: result.target! };
        case 'menu':
          return { kind: 'menu', menu: result.menu! };
        case 'leave':
          return { kind: 'leave' };
        case 'end':
          return { kind: 'end', reason: result.reason ?? 'exit' };
        case 'clear':
          if (terminal.kind.full) terminal.write('\x1b[H\x1b[J');
      }
    }
  }

  /** @returns false when the console is gone */
  async #print(output: ByteString): Promise<boolean> {
    if (output === '') return true;
    const lines = outputLines(output.endsWith('\n') ? output.slice(0, -1) : output, this.utf8);
    const { rows, columns } = this.terminal.size;
    let free = rows - 1;
    for (const [i, line] of lines.entries()) {
      const used = Math.max(Math.ceil(columnsOf(line) / columns), 1);
      if (this.terminal.kind.tty && free < used && lines.length - i > 1) {
        const answer = await this.#pause();
        if (answer === 'gone') return false;
        if (answer === 'stop') break;
        free = answer === 'line' ? 1 : rows - 1;
      }
      this.terminal.write(`${line}\r\n`);
      free -= used;
    }
    return true;
  }

  async #pause(): Promise<'page' | 'line' | 'stop' | 'gone'> {
    const words = '--MORE--';
    this.terminal.write(words);
    for (;;) {
      const input = await this.terminal.next(undefined);
      if (input.kind === 'gone') return 'gone';
      if (input.kind !== 'key') continue;
      this.terminal.write(`\r${' '.repeat(words.length)}\r`);
      if (input.key === 'q' || input.key === '^c' || input.key === 'esc') return 'stop';
      return input.key === 'enter' || input.key === 'down' ? 'line' : 'page';
    }
  }

  #complete(shell: Shell, line: LineState): LineState {
    const before = editable('').bytes([...line.text].slice(0, line.cursor).join(''));
    const { start, insert, candidates } = shell.complete(before, before.length);
    if (candidates.length > 1) {
      this.terminal.write('\r\n');
      this.#columns(candidates.map((candidate) => shown(candidate, this.utf8)));
    }
    const head = editable(before.slice(0, start) + insert).text;
    const rest = [...line.text].slice(line.cursor).join('');
    return { ...line, text: head + rest, cursor: [...head].length };
  }

  #columns(words: readonly string[]): void {
    const width = Math.max(...words.map(columnsOf)) + 2;
    const across = Math.max(Math.floor((this.terminal.size.columns - 1) / width), 1);
    for (let at = 0; at < words.length; at += across) {
      const row = words.slice(at, at + across).map((word) => word + ' '.repeat(width - columnsOf(word)));
      this.terminal.write(`${row.join('').trimEnd()}\r\n`);
    }
  }
}
