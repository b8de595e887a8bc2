/** Text of UDF (OSTA compressed Unicode, UDF 2.1.1) and time stamps. */
import { type ByteString, fromHost } from '../../lib/bytes/text';

/** The first byte says how many bits a character has; 254 and 255 are those of deleted names. Undefined: another. */
export function fromCs0(b: Buffer): ByteString | undefined {
  if (b[0] === 8) return fromHost(b.toString('latin1', 1));
  if (b[0] !== 16) return undefined;
  return fromHost(
    Buffer.from(b.subarray(1, 1 + ((b.length - 1) & ~1)))
      .swap16()
      .toString('utf16le'),
  );
}

/** Both forms that a name may have: bytes to compare with, undefined where it has no such form. */
export function toCs0(name: ByteString): readonly [eight: Buffer | undefined, sixteen: Buffer] {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  const eight = /^[\x00-\xff]*$/.test(text) ? Buffer.from(`\x08${text}`, 'latin1') : undefined;
  return [eight, Buffer.concat([Buffer.of(16), Buffer.from(text, 'utf16le').swap16()])];
}

/** 1/7.2.12: a field of fixed size whose last byte is the length of what is used. blkid ends at the first zero. */
export function dstring(field: Buffer): ByteString | undefined {
  const text = fromCs0(field.subarray(0, Math.min(field[field.length - 1]!, field.length - 1)));
  return text === undefined ? undefined : text.replace(/\0.*$/s, '');
}

/**
 * UDF's UUID as blkid and GRUB make it of the volume set identifier: 16 hexadecimal digits, and what is none of them as
 * the digits of its bytes.
 */
export function uuidOf(volumeSet: Buffer): string | undefined {
  const text = Buffer.from(dstring(volumeSet) ?? '', 'latin1');
  if (text.length < 8) return undefined;
  const bytes = Buffer.alloc(16);
  text.copy(bytes);
  const digits = bytes.toString('latin1').toLowerCase();
  const hexadecimal = /^[0-9a-f]*/.exec(digits)![0].length;
  if (hexadecimal < 8) return bytes.toString('hex', 0, 8);
  return hexadecimal < 16 ? digits.slice(0, 8) + bytes.toString('hex', 8, 12) : digits;
}

/** 1/7.3 → seconds since 1970. */
export function time(b: Buffer): number | undefined {
  const month = b[4]!;
  const day = b[5]!;
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  // Minutes from Greenwich in twelve bits; -2047: not known.
  const zone = (b.readUInt16LE(0) << 20) >> 20;
  const known = b.readUInt16LE(0) >> 12 === 1 && zone >= -1440 && zone <= 1440;
  return Date.UTC(b.readInt16LE(2), month - 1, day, b[6], b[7], b[8]) / 1000 - (known ? zone * 60 : 0);
}
