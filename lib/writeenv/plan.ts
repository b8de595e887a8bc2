/**
 * How a block of 1,024 bytes becomes another on a disk that writes 512 at a time, so that a power cut at any moment leaves a
 * sound one. GRUB writes its own layout, both sectors, in the order of the disk.
 *
 * A block whose assignments end in its first sector is the usual case: the second one holds only padding, and one sector
 * changes. Where both must change, the mixture that a cut may leave is looked at, for both orders: it must be a whole block in which
 * each variable has its old or its new value. Where GRUB's layout has no such order (a line that goes moves all behind it), a second
 * layout keeps every line in its place: a comment fills what a value no longer needs.
 */
import { isEnvironmentBlock, SIGNATURE } from '../boot/grub2/envblock';
import type { ByteString } from '../bytes/text';

export const BLOCK = 1024;
export const SECTOR = 512;

/** A line: an assignment, or a comment (`name` is undefined). */
interface Line {
  readonly name: ByteString | undefined;
  /** As it stands in the block, with its line feed. */
  readonly text: ByteString;
}

/** The lines of a sound block, without the padding. @returns undefined for any other */
function linesOf(block: ByteString): Line[] | undefined {
  if (block.length !== BLOCK || !isEnvironmentBlock(block)) return undefined;
  const lines: Line[] = [];
  for (let at = SIGNATURE.length; at < BLOCK; ) {
    if (/^#*$/.test(block.slice(at))) return lines;
    let end = at;
    while (end < BLOCK && block[end] !== '\n') end += block[end] === '\\' ? 2 : 1;
    if (end >= BLOCK) return undefined;
    const text = block.slice(at, end + 1);
    const equals = text.indexOf('=');
    // grub-editenv makes no other names; what GRUB reads of them is another thing than what it writes.
    if (text[0] !== '#' && (equals < 1 || /[\x00-\x20\\]/.test(text.slice(0, equals)))) return undefined;
    lines.push({ name: text[0] === '#' ? undefined : text.slice(0, equals), text });
    at = end + 1;
  }
  return lines;
}

/** Whether a block is one that GRUB and grub-editenv read to its end, whole. */
export const isSound = (block: ByteString): boolean => linesOf(block) !== undefined;

/** What GRUB reads: the last of a name counts. */
const valuesOf = (lines: readonly Line[]): Map<ByteString, ByteString> =>
  new Map(lines.flatMap(({ name, text }) => (name === undefined ? [] : [[name, text] as const])));

/** Whether every variable of `mixture` is as before or as after, and none is lost that both have. */
function isBetween(mixture: ByteString, before: ByteString, after: ByteString): boolean {
  const [mixed, old, next] = [mixture, before, after].map((block) => {
    const lines = linesOf(block);
    return lines && valuesOf(lines);
  });
  if (!mixed || !old || !next) return false;
  for (const name of new Set([...mixed.keys(), ...old.keys(), ...next.keys()])) {
    const value = mixed.get(name);
    if (value !== old.get(name) && value !== next.get(name)) return false;
  }
  return true;
}

/** `after` with every line of `before` in its place, where each is as long as before or at least two bytes shorter. */
function inPlace(before: ByteString, after: ByteString): ByteString | undefined {
  const old = linesOf(before)!;
  const wanted = valuesOf(linesOf(after)!);
  let text = SIGNATURE;
  const done = new Set<ByteString>();
  // The last of a name counts: the earlier ones stay.
  const last = new Map(old.map((line, i) => [line.name, i]));
  for (const [i, { name, text: line }] of old.entries()) {
    if (name === undefined || last.get(name) !== i) {
      text += line;
      continue;
    }
    done.add(name);
    const next = wanted.get(name) ?? '';
    const left = line.length - next.length;
    if (left < 0 || left === 1) return undefined;
    text += next + (left > 0 ? `${'#'.repeat(left - 1)}\n` : '');
  }
  for (const [name, line] of wanted) if (!done.has(name)) text += line;
  return text.length > BLOCK ? undefined : text.padEnd(BLOCK, '#');
}

export interface Plan {
  readonly block: ByteString;
  /** Sectors (0, 1) in the order in which they are written, each on the disk before the next. */
  readonly order: readonly number[];
}

const half = (block: ByteString, sector: number): ByteString =>
  block.slice(sector * SECTOR, (sector + 1) * SECTOR);

/**
 * @param before sound, as it is on the disk
 * @param after sound, as GRUB would write it
 * @returns undefined where a cut between two sectors could leave neither
 */
export function planned(before: ByteString, after: ByteString): Plan | undefined {
  for (const block of [after, inPlace(before, after)]) {
    if (block === undefined || !isSound(block)) continue;
    const changed = [0, 1].filter((sector) => half(block, sector) !== half(before, sector));
    if (changed.length < 2) return { block, order: changed };
    if (isBetween(half(block, 0) + half(before, 1), before, block)) return { block, order: [0, 1] };
    if (isBetween(half(before, 0) + half(block, 1), before, block)) return { block, order: [1, 0] };
  }
  return undefined;
}
