/** Name-value lists in XDR (RFC 4506), as labels and the pool's configuration keep them. Big-endian, whatever the pool is. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { safe } from '../../lib/bytes/struct';
import { type ByteString, fromBytes } from '../../lib/bytes/text';

export type Value = number | bigint | true | ByteString | Nvlist | readonly Nvlist[];
export type Nvlist = ReadonlyMap<ByteString, Value>;

/** `data_type_t` of what is wanted here; other pairs are passed over. */
const TYPE = { boolean: 1, uint64: 8, string: 9, nvlist: 19, nvlistArray: 20 } as const;
/** A configuration nests: list, tree, mirror, disk. */
const DEPTH_MOST = 8;
const ELEMENTS_MOST = 4096;

class Reader {
  at = 4;
  constructor(
    readonly bytes: Buffer,
    readonly ctx: Context,
  ) {}

  u32(): number {
    if (this.at + 4 > this.bytes.length)
      throw corrupt(`an nvlist reaches beyond its ${this.bytes.length} bytes`);
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  text(): ByteString {
    const length = this.u32();
    if (length > this.bytes.length - this.at)
      throw corrupt(`a text of ${length} bytes in an nvlist, ${this.bytes.length - this.at} are left`);
    const start = this.at;
    this.at += Math.ceil(length / 4) * 4;
    return fromBytes(this.bytes.subarray(start, start + length));
  }

  list(depth: number): Nvlist {
    if (depth > DEPTH_MOST) throw corrupt(`nvlists nested deeper than ${DEPTH_MOST}`);
    const version = this.u32();
    if (version !== 0) throw unsupported(`nvlist version ${version}`);
    this.u32();
    const found = new Map<ByteString, Value>();
    for (;;) {
      this.ctx.budget.step();
      const start = this.at;
      const length = this.u32();
      const unpacked = this.u32();
      if (length === 0 && unpacked === 0) return found;
      if (length < 20 || start + length > this.bytes.length)
        throw corrupt(`a pair of ${length} bytes in an nvlist`);
      const name = this.text();
      const type = this.u32();
      const count = this.u32();
      const value = this.#value(type, count, depth);
      if (value !== undefined) found.set(name, value);
      // Lists inside say their own length; a pair's is of all.
      this.at = start + length;
    }
  }

  #value(type: number, count: number, depth: number): Value | undefined {
    switch (type) {
      case TYPE.boolean:
        return true;
      case TYPE.uint64: {
        const h = this.u32();
        const l = this.u32();
        // Identifiers have all bits; what counts something is small.
        return h > 0x1fffff ? (BigInt(h) << 32n) | BigInt(l) : safe(h, l);
      }
      case TYPE.string:
        return this.text();
      case TYPE.nvlist:
        return this.list(depth + 1);
      case TYPE.nvlistArray: {
        if (count > ELEMENTS_MOST) throw corrupt(`${count} lists in an nvlist, maximum ${ELEMENTS_MOST}`);
        return Array.from({ length: count }, () => this.list(depth + 1));
      }
      default:
        return undefined;
    }
  }
}

/** @throws GuestError `corrupt`, `unsupported` */
export function nvlist(bytes: Buffer, ctx: Context): Nvlist {
  if (bytes.length < 12) throw corrupt(`an nvlist of ${bytes.length} bytes`);
  if (bytes[0] !== 1) throw unsupported(`nvlist encoding ${bytes[0]}`);
  return new Reader(bytes, ctx).list(0);
}

/** The number of that name, if there is one that counts or places something. */
export function count(list: Nvlist, name: string): number | undefined {
  const value = list.get(name);
  return typeof value === 'number' ? value : undefined;
}

/** The 64-bit identifier of that name. */
export function identifier(list: Nvlist, name: string): bigint | undefined {
  const value = list.get(name);
  return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : undefined;
}

export function textOf(list: Nvlist, name: string): ByteString | undefined {
  const value = list.get(name);
  return typeof value === 'string' ? value : undefined;
}

export function listOf(list: Nvlist, name: string): Nvlist | undefined {
  const value = list.get(name);
  return value instanceof Map ? value : undefined;
}

export function listsOf(list: Nvlist, name: string): readonly Nvlist[] {
  const value = list.get(name);
  return Array.isArray(value) ? value : [];
}
