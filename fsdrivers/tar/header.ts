/** One block of a tar archive → its fields as text and numbers. */
import { corrupt } from '../../lib/bytes/errors';
import { safe } from '../../lib/bytes/struct';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { BLOCK, CHECKSUM, MAGIC_POSIX, PosixHeader, STAR_PREFIX } from './layout';

export interface Header {
  /** With the prefix before it. */
  readonly name: ByteString;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly linkName: ByteString;
  /** `ustar`, of POSIX or of GNU. */
  readonly ustar: boolean;
}

/** Up to the first zero byte; a full field has none. */
export function text(field: Buffer): ByteString {
  const end = field.indexOf(0);
  return fromBytes(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits, or bits in base 256 (GNU, star). @throws GuestError `corrupt` */
export function number(field: Buffer, name: string): number {
  if (field[0]! & 0x80) return base256(field, name);
  const digits = /^[ \0]*([0-7]*)[ \0]*/.exec(fromBytes(field));
  const [all, octal] = digits as unknown as [string, string];
  if (all.length < field.length && !/[ \0]$/.test(all)) throw corrupt(`${name} is not a number`);
  return octal === '' ? 0 : Number.parseInt(octal, 8);
}

/** Negative ones are dates before 1970. */
function base256(field: Buffer, name: string): number {
  const negative = field[0]! & 0x40 ? 0xff : 0;
  const first = field[0]! === 0x80 ? 0 : field[0]!;
  const rest = field.subarray(1, field.length - 8);
  if (field.length > 8 && (first !== negative || rest.some((b) => b !== negative)))
    throw corrupt(`${name} is beyond 2^53`);
  if (negative) return -Number(~field.readBigUInt64BE(field.length - 8) & 0xffff_ffff_ffff_ffffn) - 1;
  return safe(field.readUInt32BE(field.length - 8), field.readUInt32BE(field.length - 4));
}

/** The block's sum is what it says it is; old makers summed signed bytes. */
export function sumIsRight(block: Buffer): boolean {
  const stated = /^[ \0]*([0-7]{1,8})[ \0]?/.exec(
    fromBytes(block.subarray(CHECKSUM.at, CHECKSUM.at + CHECKSUM.size)),
  );
  if (!stated) return false;
  let unsigned = CHECKSUM.size * 0x20;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= CHECKSUM.at && i < CHECKSUM.at + CHECKSUM.size) continue;
    unsigned += block[i]!;
    if (block[i]! & 0x80) high++;
  }
  const wanted = Number.parseInt(stated[1]!, 8);
  return wanted === unsigned || wanted === unsigned - 256 * high;
}

/** @throws GuestError `corrupt` */
export function readHeader(block: Buffer): Header {
  const h = PosixHeader.read(block);
  const magic = fromBytes(h.magic);
  let name = text(h.name);
  if (magic.startsWith(MAGIC_POSIX)) {
    const star = fromBytes(h.star) === 'tar\0';
    const prefix = text(star ? h.prefix.subarray(0, STAR_PREFIX) : h.prefix);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const size = number(h.size, 'size');
  if (size < 0) throw corrupt(`a size of ${size} bytes`);
  return {
    name,
    size,
    mtime: number(h.mtime, 'mtime'),
    type: String.fromCharCode(h.typeflag),
    linkName: text(h.linkname),
    ustar: magic.startsWith('ustar'),
  };
}
