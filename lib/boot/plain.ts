/**
 * Entries of formats that have no text of their own (guesses, Solaris, NetWare, BSD). A person who edits one sees
 *
 *     kernel /boot/vmlinuz-6.1 root=/dev/xvda1 ro
 *     ramdisk /boot/initrd.img-6.1
 */
import { type ByteString, printable } from '../bytes/text';
import { payload } from './guest';
import type { BootMenu, BootTarget, GuestFile, MenuEntry } from './model';
import { trimBlanks, wordsOf } from './words';

export interface Plain {
  readonly title: ByteString;
  readonly id: ByteString;
  /** Names of files, as `load` takes them. */
  readonly kernel: ByteString;
  readonly ramdisks: readonly ByteString[];
  readonly args: ByteString;
  readonly notes?: readonly string[];
  /** Why it cannot boot, where that is known already. */
  readonly problem?: string;
  readonly root: ByteString;
  /** How `--args` is worked in, where that is not at the end. */
  mergeArgs?(args: ByteString, added: ByteString): ByteString;
  load(name: ByteString): GuestFile;
}

function target(plain: Plain): BootTarget {
  const kernel = payload(plain.load(plain.kernel), true);
  const initrds = plain.ramdisks.map((name) => ({ file: payload(plain.load(name)) }));
  const missing = [kernel, ...initrds.map((part) => part.file)].find((file) => file.problem !== undefined);
  const { mergeArgs } = plain;
  return {
    kernel,
    initrds,
    args: plain.args,
    root: plain.root,
    problem: plain.problem ?? missing?.problem ?? null,
    notes: plain.notes ?? [],
    ...(mergeArgs ? { mergeArgs: (added: ByteString) => mergeArgs(plain.args, added) } : {}),
  };
}

/** The edited text over the entry that it was made from. What is not understood is said in a note. */
function edited(plain: Plain, text: ByteString): Plain {
  let kernel: ByteString | undefined;
  let args = '';
  let ramdisks: readonly ByteString[] = [];
  const notes = [...(plain.notes ?? [])];
  for (const line of text.split('\n')) {
    const words = wordsOf(line);
    const [key = '', first = ''] = words;
    if (key === 'kernel') {
      kernel = first;
      args = trimBlanks(line).replace(/^[^ \t]+[ \t]+[^ \t]+[ \t]*/, '');
      if (words.length < 3) args = '';
    } else if (key === 'ramdisk') ramdisks = words.slice(1);
    else if (key !== '') notes.push(`'${printable(line, 60)}' is neither kernel nor ramdisk`);
  }
  const { problem: _, ...rest } = plain;
  const same = kernel === plain.kernel && plain.problem !== undefined ? { problem: plain.problem } : {};
  if (kernel === undefined || kernel === '')
    return { ...rest, kernel: '', args, ramdisks: [], notes, problem: 'no kernel is named' };
  return { ...rest, ...same, kernel, args, ramdisks, notes };
}

export function plainEntry(plain: Plain): MenuEntry {
  const kernel = plain.args === '' ? plain.kernel : `${plain.kernel} ${plain.args}`;
  const ramdisk = plain.ramdisks.length > 0 ? `ramdisk ${plain.ramdisks.join(' ')}\n` : '';
  return {
    title: plain.title,
    id: plain.id,
    text: `kernel ${kernel}\n${ramdisk}`,
    resolve: (text) => target(text === undefined ? plain : edited(plain, text)),
  };
}

/** A menu with nothing set but what is given. */
export const plainMenu = (entries: readonly MenuEntry[], settings: Partial<BootMenu> = {}): BootMenu => ({
  entries,
  default: undefined,
  fallback: [],
  timeout: null,
  timeoutStyle: 'menu',
  console: '',
  warnings: [],
  ...settings,
});
