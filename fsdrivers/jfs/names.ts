/** Names: 16-bit characters on disk, UTF-8 to us; and the two orders in which directories are sorted. */
import type { ByteString } from '../../lib/bytes/text';

/**
 * UTF-16 → UTF-8. Half a surrogate pair becomes the three bytes of its number, so that two names never look the same and
 * a name that was listed is found.
 */
export function toUtf8(characters: readonly number[]): ByteString {
  let out = '';
  for (let i = 0; i < characters.length; i++) {
    let c = characters[i]!;
    const next = characters[i + 1];
    if (c >= 0xd800 && c < 0xdc00 && next !== undefined && next >= 0xdc00 && next < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
      i++;
    }
    if (c < 0x80) out += String.fromCharCode(c);
    else if (c < 0x800) out += String.fromCharCode(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c < 0x10000)
      out += String.fromCharCode(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else
      out += String.fromCharCode(
        0xf0 | (c >> 18),
        0x80 | ((c >> 12) & 63),
        0x80 | ((c >> 6) & 63),
        0x80 | (c & 63),
      );
  }
  return out;
}

/** UTF-8 → UTF-16; undefined where it is none. */
function fromUtf8(name: ByteString): number[] | undefined {
  const out: number[] = [];
  for (let i = 0; i < name.length; ) {
    const lead = name.charCodeAt(i++);
    const more =
      lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0 || i + more > name.length) return undefined;
    let c = more === 0 ? lead : lead & (63 >> more);
    for (const end = i + more; i < end; i++) {
      const byte = name.charCodeAt(i);
      if ((byte & 0xc0) !== 0x80) return undefined;
      c = (c << 6) | (byte & 63);
    }
    if (c >= 0x10000) out.push(0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    else out.push(c);
  }
  return out;
}

/**
 * What a name may be on disk: UTF-16 of it, as OS/2 and Linux with `iocharset=utf8` write it and GRUB reads it, and
 * each byte as a character, as Linux without that option does.
 */
export function spellings(name: ByteString): number[][] {
  const raw = Array.from(name, (c) => c.charCodeAt(0));
  if (raw.every((c) => c < 0x80)) return [raw];
  const utf = fromUtf8(name);
  return utf ? [utf, raw] : [raw];
}

/** One character at a time, as OS/2's table has it: those that become two stay. */
export function upper(c: number): number {
  if (c < 0x80) return c >= 0x61 && c <= 0x7a ? c - 32 : c;
  const up = String.fromCharCode(c).toUpperCase();
  return up.length === 1 ? up.charCodeAt(0) : c;
}

/** Negative where `a` comes before `b`. */
export function compare(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
