/**
 * gzip (RFC 1952), one member, piece by piece: 32 KiB of window and one piece are held, whatever the input says. `node:zlib` gives a
 * whole stream or nothing in synchronous code.
 */
import type { Budget } from '../bytes/budget';
import { corrupt } from '../bytes/errors';
import { Inflate, start, WINDOW } from '../source/gzip/inflate';
import { DEFLATE, FLAG, Member, TRAILER } from '../source/gzip/layout';

const PIECE = 1024 * 1024;

/** CRC-32 over several pieces: Node's where it has it (20.15, 22.2). */
class Crc {
  sum = 0;
  readonly #native = (require('node:zlib') as { crc32?: (data: Uint8Array, sum: number) => number }).crc32;
  readonly #table = Int32Array.from({ length: 256 }, (_, byte) => {
    let row = byte;
    for (let bit = 0; bit < 8; bit++) row = row & 1 ? (row >>> 1) ^ 0xedb88320 : row >>> 1;
    return row;
  });

  add(bytes: Uint8Array): void {
    if (this.#native) {
      this.sum = this.#native(bytes, this.sum);
      return;
    }
    let sum = ~this.sum;
    for (let i = 0; i < bytes.length; i++) sum = (sum >>> 8) ^ this.#table[(sum ^ bytes[i]!) & 0xff]!;
    this.sum = ~sum >>> 0;
  }
}

/** Where the deflate stream begins. */
function headerEnd(from: Buffer): number {
  const h = Member.read(from);
  if (h.CM !== DEFLATE) throw corrupt(`gzip: compression method ${h.CM}`);
  if (h.FLG & FLAG.reserved) throw corrupt(`gzip: flags 0x${h.FLG.toString(16)}`);
  let at = Member.size;
  if (h.FLG & FLAG.extra) {
    if (at + 2 > from.length) throw corrupt('gzip: the header is cut off');
    at += 2 + from.readUInt16LE(at);
  }
  for (const flag of [FLAG.name, FLAG.comment]) {
    if (!(h.FLG & flag)) continue;
    const end = from.indexOf(0, at);
    if (end < 0) throw corrupt('gzip: a text in the header does not end');
    at = end + 1;
  }
  if (h.FLG & FLAG.headerCrc) at += 2;
  return at;
}

/**
 * What follows the member is not looked at. A piece is valid until the next one is asked for.
 * @throws GuestError `corrupt`, a wrong check or length among it
 */
export function* gunzip(from: Buffer, budget: Budget): Generator<Uint8Array> {
  const inflate = new Inflate((at) => from.subarray(at), budget, start(headerEnd(from) * 8));
  budget.allocate(WINDOW + PIECE);
  const out = Buffer.allocUnsafeSlow(WINDOW + PIECE);
  const crc = new Crc();
  let total = 0;
  let before = 0;
  for (;;) {
    const end = inflate.fill(out, before, before + PIECE);
    const piece = out.subarray(before, end);
    total += piece.length;
    budget.read(piece.length);
    crc.add(piece);
    if (piece.length > 0) yield piece;
    if (inflate.ended) break;
    const keep = Math.min(WINDOW, end);
    out.copyWithin(0, end - keep, end);
    before = keep;
  }
  const { place } = inflate;
  if (place + TRAILER > from.length) throw corrupt('gzip: the end is cut off');
  if (from.readUInt32LE(place) !== crc.sum) throw corrupt('gzip: check of the content');
  if (from.readUInt32LE(place + 4) !== total % 2 ** 32)
    throw corrupt(`gzip: ${total} bytes come out, ${from.readUInt32LE(place + 4)} are promised`);
}
