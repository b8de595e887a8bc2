/** Compressed blocks. LZJB and ZLE are ZFS' own; LZ4 and Zstandard have headers of ZFS before them (lz4_zfs.c, zfs_zstd.h). */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { COMPRESS } from './layout';

/** A bit of the map says for each of eight items: a byte, or a match of 3 to 66 bytes up to 1,023 back. */
function lzjb(from: Uint8Array, into: Uint8Array): number {
  let p = 0;
  let at = 0;
  let map = 0;
  let mask = 0x80;
  while (at < into.length) {
    mask <<= 1;
    if (mask === 0x100) {
      mask = 1;
      if (p >= from.length) break;
      map = from[p++]!;
    }
    if ((map & mask) === 0) {
      if (p >= from.length) break;
      into[at++] = from[p++]!;
      continue;
    }
    if (p + 2 > from.length) break;
    const length = (from[p]! >> 2) + 3;
    const distance = ((from[p]! << 8) | from[p + 1]!) & 0x3ff;
    p += 2;
    if (distance === 0 || distance > at) throw corrupt(`lzjb: distance ${distance} at byte ${at}`);
    for (let i = 0; i < length && at < into.length; i++, at++) into[at] = into[at - distance]!;
  }
  return at;
}

/** Lengths to 64 are of literals, others of zeros. `into` is zeros already. */
function zle(from: Uint8Array, into: Uint8Array): number {
  let p = 0;
  let at = 0;
  while (at < into.length && p < from.length) {
    const length = from[p++]! + 1;
    if (length > 64) {
      at += length - 64;
      continue;
    }
    if (length > from.length - p || length > into.length - at) break;
    into.set(from.subarray(p, p + length), at);
    p += length;
    at += length;
  }
  return at;
}

/** What stands behind the length in the first four bytes. */
function counted(from: Buffer, header: number, name: string): Buffer {
  const length = from.length < header ? -1 : from.readUInt32BE(0);
  if (length < 0 || length > from.length - header)
    throw corrupt(`${name}: ${length} bytes of data in a block of ${from.length}`);
  return from.subarray(header, header + length);
}

/** @throws GuestError `corrupt` unless exactly `size` bytes come out; `unsupported` */
export function decompress(kind: number, from: Buffer, size: number): Buffer {
  if (kind === COMPRESS.off) {
    if (from.length < size) throw corrupt(`${from.length} bytes hold a block of ${size}`);
    return from.subarray(0, size);
  }
  const into = Buffer.alloc(size);
  let got: number;
  if (kind === COMPRESS.lz4) {
    const { lz4Block } =
      require('../../lib/bytes/decompress/lz4') as typeof import('../../lib/bytes/decompress/lz4');
    got = lz4Block(counted(from, 4, 'lz4'), into);
  } else if (kind === COMPRESS.lzjb) got = lzjb(from, into);
  else if (kind === COMPRESS.zle) got = zle(from, into);
  else if (kind === COMPRESS.empty) got = size;
  else if (kind === COMPRESS.zstd) {
    const { zstd } =
      require('../../lib/bytes/decompress/zstd') as typeof import('../../lib/bytes/decompress/zstd');
    // Frames without their magic number.
    got = zstd(Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd), counted(from, 8, 'zstd')]), into);
  } else if (kind >= COMPRESS.gzip1 && kind <= COMPRESS.gzip9) {
    const { inflateZlib } =
      require('../../lib/bytes/decompress/inflate') as typeof import('../../lib/bytes/decompress/inflate');
    got = inflateZlib(from, into);
  } else throw unsupported(`compression ${kind}`);
  if (got !== size) throw corrupt(`${got} bytes come out of a block of ${size}`);
  return into;
}
