/**
 * UTF-16LE of on-disk names ↔ byte strings of UTF-8. A lone half of a surrogate pair becomes the three bytes of its number
 * and is found by them (WTF-8, as ntfs-3g shows it): no two names become one.
 */
import { type ByteString, fromHost } from './text';

/** @param units how many code units stand at byte `at`; the caller has checked the bounds */
export function fromUtf16(bytes: Buffer, at: number, units: number): ByteString {
  const text = bytes.toString('utf16le', at, at + 2 * units);
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  if (!/[\ud800-\udfff]/.test(text)) return fromHost(text);
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    out +=
      code >= 0xd800 && code <= 0xdfff
        ? String.fromCharCode(0xe0 | (code >>> 12), 0x80 | ((code >>> 6) & 0x3f), 0x80 | (code & 0x3f))
        : fromHost(character);
  }
  return out;
}

/** A name's code units; undefined: the bytes are no UTF-8, and no name of such a filesystem is it. */
export function toUtf16(name: ByteString): Uint16Array | undefined {
  const units = new Uint16Array(name.length);
  let count = 0;
  for (let i = 0; i < name.length; ) {
    const first = name.charCodeAt(i++);
    // Bytes that follow, by the first one; a first byte of none of these forms begins nothing.
    const more =
      first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    if (more < 0 || i + more > name.length) return undefined;
    let code = more === 0 ? first : first & (0x3f >>> more);
    for (let j = 0; j < more; j++) {
      const byte = name.charCodeAt(i++);
      if ((byte & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (byte & 0x3f);
    }
    // Longer than needed, or beyond Unicode.
    if ((more === 2 && code < 0x800) || (more === 3 && (code < 0x10000 || code > 0x10ffff))) return undefined;
    if (code < 0x10000) units[count++] = code;
    else {
      units[count++] = 0xd7c0 + (code >>> 10);
      units[count++] = 0xdc00 | (code & 0x3ff);
    }
  }
  return units.subarray(0, count);
}
