/** The list of entries: which is selected, and what a key means. Pure. */
import type { BootMenu, MenuEntry } from '../lib/boot/model';
import type { Key } from './keys';

/** One menu on the way down: the configuration's, a submenu of it, one that an entry opened … */
export interface Level {
  readonly menu: BootMenu;
  /** Titles of the entries that led here. */
  readonly titles: readonly string[];
  /** Entries that are shown. Hidden ones have their hotkeys only. */
  readonly entries: readonly MenuEntry[];
  readonly selected: number;
  /** Row of `entries` at the top of the box. */
  readonly top: number;
}

export type ListAction =
  | { readonly kind: 'choose'; readonly entry: MenuEntry }
  | { readonly kind: 'edit' | 'arguments'; readonly entry: MenuEntry }
  | { readonly kind: 'command-line' | 'password' | 'back' | 'quit' | 'redraw' | 'bell' };

/** @param selected position in `menu.entries` that is selected first */
export function levelOf(menu: BootMenu, titles: readonly string[], selected = 0): Level {
  const entries = menu.entries.filter((entry) => !entry.hidden);
  const wanted = menu.entries[selected];
  const at = wanted ? entries.indexOf(wanted) : 0;
  return { menu, titles, entries, selected: Math.max(at, 0), top: 0 };
}

/** The level with the selection inside a box of `page` rows. */
export function scrolled(level: Level, page: number): Level {
  const { selected } = level;
  const rows = Math.max(page, 1);
  let top = Math.min(level.top, Math.max(level.entries.length - rows, 0));
  if (selected < top) top = selected;
  if (selected >= top + rows) top = selected - rows + 1;
  return top === level.top ? level : { ...level, top };
}

/** GRUB's names of keys that `--hotkey` takes beside single characters. */
const NAMED_HOTKEYS: Readonly<Record<string, Key>> = { backspace: 'backspace', tab: 'tab', delete: 'delete' };

/** The entry that a key stands for. */
export function hotkeyEntry(menu: BootMenu, key: Key): MenuEntry | undefined {
  return menu.entries.find((entry) => {
    const { hotkey } = entry;
    if (hotkey === undefined) return false;
    return key === (NAMED_HOTKEYS[hotkey] ?? (hotkey.length === 1 ? hotkey : undefined));
  });
}

/** The next entry behind the selected one whose title starts with this letter, round the end. */
function byLetter(level: Level, letter: string): number {
  const { entries, selected } = level;
  const wanted = letter.toLowerCase();
  for (let i = 1; i <= entries.length; i++) {
    const at = (selected + i) % entries.length;
    if (entries[at]!.title.trimStart()[0]?.toLowerCase() === wanted) return at;
  }
  return -1;
}

/**
 * @param page rows of the box
 * @returns the level after the key, and what is to be done
 */
export function listKey(level: Level, key: Key, page: number): { level: Level; action?: ListAction } {
  const last = Math.max(level.entries.length - 1, 0);
  const select = (at: number) => ({
    level: scrolled({ ...level, selected: Math.min(Math.max(at, 0), last) }, page),
  });
  const { selected } = level;
  const entry = level.entries[selected];
  const step = Math.max(page - 1, 1);
  const on = (kind: 'choose' | 'edit' | 'arguments') => ({
    level,
    action: entry ? { kind, entry } : ({ kind: 'bell' } as const),
  });
  switch (key) {
    case 'up':
    case '^p':
      return select(selected - 1);
    case 'down':
    case '^n':
      return select(selected + 1);
    case 'home':
    case '^a':
      return select(0);
    case 'end':
    case '^e':
      return select(last);
    case 'pgup':
    case '^g':
      return select(selected - step);
    case 'pgdn':
    case '^v':
      return select(selected + step);
    case 'enter':
    case '^x':
    case 'f10':
      return on('choose');
    case 'right':
    case '^f':
      return entry?.open ? on('choose') : { level };
    case 'left':
    case '^b':
    case 'esc':
      return { level, action: { kind: 'back' } };
    case 'e':
      return on('edit');
    case 'a':
      return on('arguments');
    case 'c':
    case 'f2':
      return { level, action: { kind: 'command-line' } };
    case 'p':
      return { level, action: { kind: 'password' } };
    case '^c':
      return { level, action: { kind: 'quit' } };
    case '^l':
      return { level, action: { kind: 'redraw' } };
  }
  const hot = hotkeyEntry(level.menu, key);
  if (hot) return { level, action: { kind: 'choose', entry: hot } };
  const at = [...key].length === 1 ? byLetter(level, key) : -1;
  return at < 0 ? { level, action: { kind: 'bell' } } : select(at);
}
