/** Lines that are typed below what stands on the screen already: passwords, the command line, the plain list. */
import { type LineState, lineKey, lineOf, lineWindow } from './line';
import type { Terminal } from './terminal';
import { displayed } from './view';
import { columnsOf, widthOf } from './width';

export type Typed =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'cancel' | 'interrupt' | 'gone' | 'time' };

export interface PromptOptions {
  /** What is typed is not shown. */
  readonly secret?: boolean;
  readonly history?: readonly string[];
  /** Of `performance.now()`; the first key makes it void, unless `hard`. */
  readonly deadline?: number | undefined;
  readonly hard?: number | undefined;
  /** Called at the first key. */
  typed?(): void;
  /** Tab: the new line, after having printed what there is to choose from. */
  complete?(line: LineState): LineState;
}

/** Reads one line. */
export async function prompt(terminal: Terminal, words: string, options: PromptOptions = {}): Promise<Typed> {
  const { full, utf8, tty } = terminal.kind;
  let line = lineOf('', options.history ? [...options.history] : []);
  let { deadline } = options;
  let drawn = 0;
  const draw = () => {
    // Without a terminal nothing is echoed, and the words are said once.
    if (!tty && drawn > 0) return;
    const width = Math.max(terminal.size.columns - columnsOf(words) - 1, 4);
    const view = options.secret
      ? { shown: '', column: 0 }
      : lineWindow(displayed(line.text, utf8), line.cursor, width, widthOf);
    const used = columnsOf(words) + columnsOf(view.shown);
    let text = drawn === 0 ? '' : '\r';
    text += words + view.shown;
    let at = used;
    if (full) text += '\x1b[K';
    else if (tty && drawn > used) {
      text += ' '.repeat(drawn - used);
      at = drawn;
    }
    const column = columnsOf(words) + view.column;
    if (full && at > column) text += `\r${column > 0 ? `\x1b[${column}C` : ''}`;
    else if (tty && at > column) text += '\b'.repeat(at - column);
    drawn = Math.max(used, 1);
    terminal.write(text);
  };
  draw();
  for (;;) {
    const limit =
      options.hard === undefined ? deadline : Math.min(options.hard, deadline ?? Number.POSITIVE_INFINITY);
    const input = await terminal.next(limit);
    if (input.kind === 'resize') {
      draw();
      continue;
    }
    if (input.kind !== 'key') {
      terminal.write('\r\n');
      return { kind: input.kind };
    }
    deadline = undefined;
    options.typed?.();
    const { state, action } = lineKey(line, input.key);
    const changed = state !== line;
    line = state;
    if (action === 'enter') {
      if (tty) terminal.write('\r\n');
      return { kind: 'line', text: line.text };
    }
    if (action === 'cancel') {
      terminal.write('\r\n');
      return { kind: 'cancel' };
    }
    if (action === 'interrupt') {
      terminal.write('^C\r\n');
      return line.text === '' ? { kind: 'interrupt' } : prompt(terminal, words, options);
    }
    if (action === 'bell') terminal.write('\x07');
    else if (action === 'complete' && options.complete) {
      line = options.complete(line);
      drawn = 0;
      terminal.write('\r');
      draw();
    } else if (changed || input.key === '^l') draw();
  }
}
