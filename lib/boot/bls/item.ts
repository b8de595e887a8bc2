/** A boot loader entry before it is part of a menu, its name, and the order and titles of several. */
import type { ByteString } from '../../bytes/text';
import type { FileSystem } from '../../fs/types';
import type { Volume } from '../guest';
import type { BootContext } from '../model';
import { compareVersions } from './version';

/** A filesystem that holds entries, and where on it its `/loader` and `/EFI` are. */
export interface Place {
  readonly volume: Volume;
  readonly fs: FileSystem;
  /** '' where the specification wants them; `/boot`, `/efi` … where that partition is a directory of a larger one. */
  readonly prefix: ByteString;
}

/** What an entry starts, and how. */
export interface Recipe {
  /** The key that named it. */
  readonly kind: 'linux' | 'uki' | 'efi' | 'uki-url';
  readonly path: ByteString;
  readonly initrds: readonly ByteString[];
  /** Undefined: those inside the image, where it has any. */
  readonly options: ByteString | undefined;
  /** Of a unified kernel image. */
  readonly profile: number;
  readonly architecture: ByteString | undefined;
  /** Keys that are not carried out here, to be told. */
  readonly leftOut: readonly ByteString[];
}

export interface Item {
  readonly place: Place;
  /** File name without its boot counter, with `@profile` where there are several: what `default` is compared with. */
  readonly id: ByteString;
  readonly fileName: ByteString;
  readonly title: ByteString | undefined;
  readonly version: ByteString | undefined;
  readonly machineId: ByteString | undefined;
  readonly sortKey: ByteString | undefined;
  /** Of a unified kernel image in /EFI/Linux; its profiles sort together. */
  readonly idWithoutProfile: ByteString | undefined;
  readonly profile: number;
  readonly triesLeft: number | undefined;
  readonly triesDone: number;
  /** False where systemd-boot would not show it (no such kernel, another machine's): never a default. */
  readonly shown: boolean;
  /** The entry's source. */
  text(ctx: BootContext): ByteString;
  /** @throws GuestError */
  recipe(edited: ByteString | undefined, ctx: BootContext): Recipe | { readonly problem: string };
}

const INT_MAX = 0x7fffffff;

/**
 * `foo+3-1.conf` → `foo.conf`, 3 tries left, 1 done (specification, "Boot counting"). The last `+` counts, numbers are
 * decimal, `-DONE` may be missing.
 */
export function parseCounter(
  fileName: ByteString,
  suffix: string,
): { id: ByteString; left: number | undefined; done: number } {
  const plus = fileName.lastIndexOf('+');
  const counter = plus < 0 ? null : /^(\d+)(?:-(\d+))?(\.[a-z]+)$/i.exec(fileName.slice(plus + 1));
  if (!counter || lower(counter[3]!) !== suffix) return { id: fileName, left: undefined, done: 0 };
  const left = Number(counter[1]);
  const done = Number(counter[2] ?? 0);
  if (left > INT_MAX || done > INT_MAX) return { id: fileName, left: undefined, done: 0 };
  return { id: fileName.slice(0, plus) + counter[3]!, left, done };
}

/** ASCII letters alone, as systemd-boot folds. */
export const lower = (text: ByteString): ByteString => text.replace(/[A-Z]+/g, (s) => s.toLowerCase());

const compareText = (a: ByteString | undefined, b: ByteString | undefined): number => {
  const [x, y] = [a ?? '', b ?? ''];
  return x < y ? -1 : x > y ? 1 : 0;
};

/**
 * systemd-boot's order, which is the specification's ("Sorting") but for the last rule, where the names are compared
 * with their suffix.
 */
export function compareItems(a: Item, b: Item): number {
  const spent = Number(a.triesLeft === 0) - Number(b.triesLeft === 0);
  if (spent !== 0) return spent;
  const keyed = Number(a.sortKey === undefined) - Number(b.sortKey === undefined);
  if (keyed !== 0) return keyed;
  if (a.sortKey !== undefined) {
    const order =
      compareText(a.sortKey, b.sortKey) ||
      compareText(a.machineId, b.machineId) ||
      -compareVersions(a.version ?? '', b.version ?? '');
    if (order !== 0) return order;
  }
  const order = -compareVersions(lower(a.idWithoutProfile ?? a.id), lower(b.idWithoutProfile ?? b.id));
  if (order !== 0) return order;
  if (a.profile !== b.profile) return a.profile - b.profile;
  if (a.triesLeft === undefined || b.triesLeft === undefined) return 0;
  return b.triesLeft - a.triesLeft || a.triesDone - b.triesDone;
}

/** Titles as systemd-boot makes them unique: version, then the machine's first eight digits, then the id, each in parentheses. */
export function uniqueTitles(items: readonly Item[]): ByteString[] {
  const titles = items.map((item) => item.title ?? item.id);
  const additions: ((item: Item) => ByteString | undefined)[] = [
    (item) => item.version,
    (item) => item.machineId?.slice(0, 8),
    (item) => item.id,
  ];
  for (const addition of additions) {
    const count = new Map<ByteString, number>();
    for (const title of titles) count.set(title, (count.get(title) ?? 0) + 1);
    if (count.size === titles.length) break;
    items.forEach((item, i) => {
      const more = addition(item);
      if (count.get(titles[i]!)! > 1 && more !== undefined) titles[i] = `${titles[i]!} (${more})`;
    });
  }
  return titles;
}
