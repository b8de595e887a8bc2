/** The menu where the terminal draws nothing (TERM=dumb, a pipe): a numbered list, and an answer in a line. */
import type { Level, ListAction } from './list';
import { prompt } from './prompt';
import type { Terminal } from './terminal';
import { shown } from './text';

export type PlainAnswer =
  | { readonly kind: 'action'; readonly action: ListAction }
  | { readonly kind: 'time' | 'gone' | 'quit' };

/** Entries that are listed; somebody who has more knows its number. */
const MOST = 1000;

export async function plainMenu(
  terminal: Terminal,
  level: Level,
  around: {
    readonly program: string;
    readonly place: string;
    readonly message: string;
    readonly deadline: number | undefined;
    readonly hard: number | undefined;
    typed(): void;
  },
): Promise<PlainAnswer> {
  const { utf8 } = terminal.kind;
  const say = (line: string) => terminal.write(`${line}\r\n`);
  const { entries } = level;
  say(
    `${around.program}   ${around.place}${level.titles.map((title) => ` > ${shown(title, utf8)}`).join('')}`,
  );
  for (const [i, entry] of entries.entries()) {
    if (i >= MOST) {
      say(`     ... ${entries.length - MOST} more`);
      break;
    }
    const mark = i === level.selected ? '*' : ' ';
    say(`${mark}${String(i + 1).padStart(4)}  ${shown(entry.title, utf8)}${entry.open ? '  >' : ''}`);
  }
  if (around.message !== '') say(around.message);
  let { deadline } = around;
  for (;;) {
    const end = Math.min(deadline ?? Number.POSITIVE_INFINITY, around.hard ?? Number.POSITIVE_INFINITY);
    const seconds = Number.isFinite(end)
      ? Math.max(Math.ceil((end - performance.now()) / 1000), 0)
      : undefined;
    const keys = `number, Enter: ${level.selected + 1}, c: command line, ${level.titles.length > 0 ? 'b: back, ' : ''}q: give up`;
    const words =
      seconds === undefined ? `(${keys}) ? ` : `(${keys}; ${level.selected + 1} boots in ${seconds} s) ? `;
    const typed = await prompt(terminal, words, { deadline, hard: around.hard, typed: around.typed });
    if (typed.kind === 'time' || typed.kind === 'gone') return { kind: typed.kind };
    if (typed.kind === 'interrupt') return { kind: 'quit' };
    deadline = undefined;
    const text = typed.kind === 'line' ? typed.text.trim() : 'b';
    if (text === 'q') return { kind: 'quit' };
    if (text === 'c') return { kind: 'action', action: { kind: 'command-line' } };
    if (text === 'p') return { kind: 'action', action: { kind: 'password' } };
    if (text === 'b') return { kind: 'action', action: { kind: 'back' } };
    const number = text === '' ? level.selected + 1 : /^\d+$/.test(text) ? Number(text) : 0;
    const entry = entries[number - 1] ?? entries.find((e) => shown(e.title, utf8) === text);
    if (entry) return { kind: 'action', action: { kind: 'choose', entry } };
    say(`There is no entry '${text}'.`);
  }
}
