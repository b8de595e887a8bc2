/**
 * Which entry boots. CONTRACT, "Decisions": each component of a default between single `>` (`>>` is a literal `>`) is
 * an exact id, an exact title, or a number if the whole component is one, in this order.
 */
import { LIMITS } from '../bytes/limits';
import type { ByteString } from '../bytes/text';
import { printable } from '../bytes/text';
import type { BootMenu, MenuEntry } from './model';

/** A boot entry with its place in the menu. */
export interface Choice {
  readonly entry: MenuEntry;
  /** Positions from the top menu down: `[1, 0]` is GRUB's `1>0`. */
  readonly path: readonly number[];
  /** Titles from the top menu down, the entry's own last. */
  readonly titles: readonly ByteString[];
}

/** `a>b>>c` → `['a', 'b>c']` */
export function splitDefault(value: ByteString): ByteString[] {
  const parts: ByteString[] = [''];
  for (let i = 0; i < value.length; i++) {
    const c = value[i]!;
    if (c !== '>') parts[parts.length - 1] += c;
    else if (value[i + 1] === '>') {
      parts[parts.length - 1] += '>';
      i++;
    } else parts.push('');
  }
  return parts;
}

/** Position of the entry that one component names, or -1. */
export function findComponent(menu: BootMenu, name: ByteString): number {
  const byId = menu.entries.findIndex((e) => e.id === name);
  if (byId >= 0) return byId;
  const byTitle = menu.entries.findIndex((e) => e.title === name);
  if (byTitle >= 0) return byTitle;
  if (!/^\s*\d+\s*$/.test(name)) return -1;
  const n = Number(name);
  return n < menu.entries.length ? n : -1;
}

/** Submenus inside submenus that are entered; the evaluator has its own bound, this one is for any dialect. */
const MAX_DEPTH = 10;

/**
 * Follows the components into the menu.
 * @param onMissing called with a printable component that names nothing, and its entry 0 is then taken; when absent,
 *   nothing is found then
 */
function follow(
  menu: BootMenu,
  components: readonly (ByteString | number)[],
  onMissing?: (component: string) => void,
): Choice | undefined {
  const path: number[] = [];
  const titles: ByteString[] = [];
  let here = menu;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (here.entries.length === 0) return undefined;
    const component = components[depth];
    let at = 0;
    if (component !== undefined) {
      at =
        typeof component !== 'number'
          ? findComponent(here, component)
          : component < here.entries.length
            ? component
            : -1;
      if (at < 0) {
        if (!onMissing) return undefined;
        onMissing(printable(String(component)));
        at = 0;
      }
    }
    const entry = here.entries[at]!;
    path.push(at);
    titles.push(entry.title);
    if (!entry.open) return { entry, path, titles };
    here = entry.open();
  }
  return undefined;
}

/**
 * The guest's own default. Unset or empty: entry 0. Not found: entry 0, with a warning.
 * @returns undefined when the menu is empty
 */
export function defaultChoice(menu: BootMenu, warn: (message: string) => void): Choice | undefined {
  const wanted = menu.default ?? '';
  if (wanted === '') return follow(menu, []);
  if (typeof wanted !== 'string')
    return follow(menu, wanted, (position) =>
      warn(`the default is entry ${position}, which does not exist; entry 0 is taken`),
    );
  const exact = namedChoice(menu, wanted);
  if (exact) return exact;
  // An old config that does not double the '>' of a title.
  const whole = wanted.includes('>')
    ? menu.entries.findIndex((e) => e.id === wanted || e.title === wanted)
    : -1;
  if (whole >= 0) return follow(menu, [whole]);
  return follow(menu, splitDefault(wanted), (component) =>
    warn(`the default '${printable(wanted)}' does not exist ('${component}' is not found), entry 0 is taken`),
  );
}

/** One word of `fallback`, or undefined when it names nothing. */
export function namedChoice(menu: BootMenu, name: ByteString | number): Choice | undefined {
  return follow(menu, typeof name === 'number' ? [name] : splitDefault(name));
}

/**
 * All boot entries in file order, submenus entered depth-first and not themselves counted.
 * The place in this sequence is the `index` of `-l` and the number of `--entry`.
 * Ends after `most` entries and submenus: submenus that make submenus have no end of their own.
 */
export function allChoices(menu: BootMenu, most: number = LIMITS.menuEntries): Generator<Choice> {
  return choicesIn(menu, [], [], { left: most });
}

function* choicesIn(
  menu: BootMenu,
  path: readonly number[],
  titles: readonly ByteString[],
  count: { left: number },
): Generator<Choice> {
  if (path.length >= MAX_DEPTH) return;
  for (let i = 0; i < menu.entries.length && count.left-- > 0; i++) {
    const entry = menu.entries[i]!;
    const place = [...path, i];
    const names = [...titles, entry.title];
    if (entry.open) yield* choicesIn(entry.open(), place, names, count);
    else yield { entry, path: place, titles: names };
  }
}

/** What `--entry` names: an index of `allChoices`, an exact title or id, or a `>` path. */
export function requestedChoice(menu: BootMenu, wanted: ByteString): Choice | undefined {
  if (/^\d+$/.test(wanted)) {
    let left = Number(wanted);
    for (const choice of allChoices(menu)) if (left-- === 0) return choice;
  }
  for (const choice of allChoices(menu)) {
    if (choice.entry.title === wanted || choice.entry.id === wanted) return choice;
  }
  return namedChoice(menu, wanted);
}
