/** Texts that say what a program is, wherever in it they stand. */
import type { Context } from '../bytes/budget';
import type { ByteString } from '../bytes/text';
import type { KernelFile } from './file';
import { UnpackedKernel } from './unpacked';

/** Linux' banner (init/version.c): `Linux version 6.1.0 (builder) (gcc …) #1 SMP …`. */
const LINUX = Buffer.from('Linux version ');
/** Xen's (common/kernel.c), before the numbers are put in. */
const XEN = Buffer.from('Xen version %d.%d');
/** Longest banner that is looked at. */
const LONGEST = 512;
const PIECE = 1024 * 1024;

export interface Banners {
  /** What follows `Linux version `. */
  readonly linux: ByteString | undefined;
  readonly xen: boolean;
}

/** Reads up to the first of either. @throws GuestError of reading and unpacking */
export function banners(file: KernelFile, ctx: Context): Banners {
  let before = Buffer.alloc(0);
  for (const piece of piecesOf(file, ctx)) {
    ctx.budget.step();
    const all = Buffer.concat([before, piece]);
    if (all.includes(XEN)) return { linux: undefined, xen: true };
    // One whose end is not there yet is looked at with the next piece.
    for (let at = all.indexOf(LINUX); at >= 0; at = all.indexOf(LINUX, at + 1)) {
      ctx.budget.step();
      const text = all.toString('latin1', at + LINUX.length, at + LONGEST);
      const [line] = /^\d[^\0\n]*(?=[\0\n])/.exec(text) ?? [];
      if (line !== undefined) return { linux: line, xen: false };
    }
    before = Buffer.from(all.subarray(Math.max(0, all.length - LONGEST)));
  }
  return { linux: undefined, xen: false };
}

function* piecesOf(file: KernelFile, ctx: Context): Generator<Uint8Array> {
  if (file instanceof UnpackedKernel) {
    // A piece may be all of it.
    for (const piece of file.all())
      for (let at = 0; at < piece.length; at += PIECE) yield piece.subarray(at, at + PIECE);
    return;
  }
  for (let at = 0; at < file.size; at += PIECE) yield file.upTo(at, PIECE, ctx);
}
