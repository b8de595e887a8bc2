/**
 * On-disk structures as offset tables with the specification's own field names, types inferred:
 *
 *     export const ExtentHeader = struct('ext4_extent_header', 12, { eh_magic: u16le(0x0), eh_entries: u16le(0x2) });
 *     const header = ExtentHeader.read(block, 0);   // { eh_magic: number, eh_entries: number }
 *
 * Hot loops may use the fields alone: `ExtentHeader.fields.eh_magic.read(block, at)` after one bounds check.
 */
import { corrupt } from './errors';

export interface Field<T> {
  /** Byte offset in the structure. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** `base` is where the structure starts. The caller has checked the bounds. */
  read(bytes: Buffer, base: number): T;
}

const field = <T>(at: number, size: number, get: (b: Buffer, p: number) => T): Field<T> => ({
  at,
  size,
  read: (bytes, base) => get(bytes, base + at),
});

export const u8 = (at: number) => field(at, 1, (b, p) => b[p]!);
export const u16le = (at: number) => field(at, 2, (b, p) => b[p]! | (b[p + 1]! << 8));
export const u32le = (at: number) => field(at, 4, (b, p) => b.readUInt32LE(p));
export const i32le = (at: number) => field(at, 4, (b, p) => b.readInt32LE(p));
export const u16be = (at: number) => field(at, 2, (b, p) => (b[p]! << 8) | b[p + 1]!);
export const u32be = (at: number) => field(at, 4, (b, p) => b.readUInt32BE(p));
export const i32be = (at: number) => field(at, 4, (b, p) => b.readInt32BE(p));

/** A 64-bit number that counts or places something: a safe integer, or `corrupt`. */
export const u64le = (at: number) => field(at, 8, (b, p) => safe(b.readUInt32LE(p + 4), b.readUInt32LE(p)));
export const u64be = (at: number) => field(at, 8, (b, p) => safe(b.readUInt32BE(p), b.readUInt32BE(p + 4)));
/** A 64-bit number whose bits matter (flags, UUID halves, LSNs). */
export const bits64le = (at: number) => field(at, 8, (b, p) => b.readBigUInt64LE(p));
export const bits64be = (at: number) => field(at, 8, (b, p) => b.readBigUInt64BE(p));

/** `size` bytes, a view and not a copy. */
export const bytes = (at: number, size: number) => field(at, size, (b, p) => b.subarray(p, p + size));
/** `size` bytes of text as a byte string, up to the first NUL. */
export const text = (at: number, size: number) =>
  field(at, size, (b, p) => {
    const end = b.indexOf(0, p);
    return b.toString('latin1', p, end < 0 || end > p + size ? p + size : end);
  });
/** `count` little-endian 32-bit numbers. */
export const u32leArray = (at: number, count: number) =>
  field(at, count * 4, (b, p) => Array.from({ length: count }, (_, i) => b.readUInt32LE(p + 4 * i)));

/** Two 32-bit halves as a safe integer. @throws GuestError `corrupt` above 2^53-1 */
export function safe(high: number, low: number): number {
  if (high > 0x1fffff) throw corrupt(`64-bit number 0x${high.toString(16)}… is beyond 2^53`);
  return high * 0x1_0000_0000 + low;
}

type Values<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export interface Struct<F extends Record<string, Field<unknown>>> {
  readonly name: string;
  readonly size: number;
  readonly fields: F;
  /** @throws GuestError `corrupt` when the structure does not lie wholly inside `bytes` */
  read(bytes: Buffer, at?: number): Values<F>;
}

export function struct<F extends Record<string, Field<unknown>>>(
  name: string,
  size: number,
  fields: F,
): Struct<F> {
  const entries = Object.entries(fields);
  for (const [key, f] of entries)
    if (f.at + f.size > size) throw new TypeError(`${name}.${key} lies outside its ${size} bytes`);
  return {
    name,
    size,
    fields,
    read(bytes, at = 0) {
      if (at < 0 || at + size > bytes.length)
        throw corrupt(`${name} at ${at} reaches beyond the ${bytes.length} bytes that hold it`);
      const out: Record<string, unknown> = {};
      for (const [key, f] of entries) out[key] = f.read(bytes, at);
      return out as Values<F>;
    },
  };
}
