/** Extended headers of POSIX.1-2001: `LENGTH KEYWORD=VALUE\n`, one after the other. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';

/** The keywords that say where or how large something is; the others are passed over. */
const KEPT =
  /^(?:path|linkpath|size|mtime|GNU\.sparse\.(?:size|realsize|name|map|offset|numbytes|major|minor))$/;

export interface Extended {
  /** The last of each keyword; an empty one takes back what was said before. */
  readonly values: ReadonlyMap<string, ByteString>;
  /** `GNU.sparse.offset` and `GNU.sparse.numbytes` in turn, in the order in which they stand (version 0.0). */
  readonly pieces: readonly number[];
}

/** @throws GuestError `corrupt` */
export function readExtended(bytes: Buffer, ctx: Context): Extended {
  const values = new Map<string, ByteString>();
  const pieces: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    ctx.budget.step();
    // Padding, which some makers count.
    if (bytes[at] === 0) break;
    const blank = bytes.indexOf(0x20, at);
    const digits = blank < 0 || blank - at > 10 ? '' : fromBytes(bytes.subarray(at, blank));
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, blank);
    if (length < 5 || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end)
      throw corrupt(`an extended header whose record at ${at} is none`);
    const keyword = fromBytes(bytes.subarray(blank + 1, equals));
    if (KEPT.test(keyword)) {
      const value = fromBytes(bytes.subarray(equals + 1, end - 1));
      if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') {
        if ((keyword === 'GNU.sparse.offset') !== (pieces.length % 2 === 0))
          throw corrupt(`${keyword} out of turn`);
        pieces.push(decimal(value, keyword));
      } else values.set(keyword, value);
    }
    at = end;
  }
  return { values, pieces };
}

/** @throws GuestError `corrupt` */
export function decimal(text: string, name: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw corrupt(`${name} is not a number`);
  return value;
}
