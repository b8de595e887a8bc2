/** Trees of extents ("xtree"): the root in the inode, further pages in blocks, each entry a run of blocks. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import {
  address40,
  BT,
  DEPTH_MOST,
  XAD,
  XAD_COMPRESSED,
  XAD_NOTRECORDED,
  Xad,
  XT_START,
  XTPAGE_SLOTS,
  XTROOT_SLOTS,
  XtHeader,
} from './layout';
import type { JfsVolume } from './volume';

/** In blocks; `address` undefined: reads as zeros. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly address: number | undefined;
}

interface XtPage {
  readonly bytes: Buffer;
  readonly leaf: boolean;
  /** Entries stand at [XT_START, end). */
  readonly end: number;
}

/** @throws GuestError `corrupt` */
function page(bytes: Buffer, root: boolean): XtPage {
  const { flag, nextindex } = XtHeader.read(bytes);
  const most = root ? XTROOT_SLOTS : XTPAGE_SLOTS;
  const leaf = (flag & BT.leaf) !== 0;
  if (leaf === ((flag & BT.internal) !== 0) || root !== ((flag & BT.root) !== 0))
    throw corrupt(`a page of extents with flags 0x${flag.toString(16)}`);
  // Only a root may be empty.
  if (nextindex < XT_START || nextindex > most || (nextindex === XT_START && !(root && leaf)))
    throw corrupt(`a page of extents that ends at entry ${nextindex} of ${most}`);
  return { bytes, leaf, end: nextindex };
}

const offsetOf = (p: XtPage, i: number): number => address40(p.bytes, i * Xad.size + XAD.offsetAt);

function entry(volume: JfsVolume, p: XtPage, i: number): Run {
  const at = i * Xad.size;
  const { flag, len } = Xad.read(p.bytes, at);
  const address = address40(p.bytes, at + XAD.addressAt);
  const offset = offsetOf(p, i);
  if (flag & XAD_COMPRESSED) throw unsupported('compressed extents');
  if (len === 0) throw corrupt(`an extent of no blocks at block ${offset} of the file`);
  const written = !(flag & XAD_NOTRECORDED) || !p.leaf;
  if (written) volume.check(address, len);
  return { offset, length: len, address: written ? address : undefined };
}

/** The last entry whose offset is not beyond `block`; the first one if there is none. */
function search(p: XtPage, block: number): number {
  let low = XT_START;
  let high = p.end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsetOf(p, middle) <= block) low = middle + 1;
    else high = middle;
  }
  return Math.max(XT_START, low - 1);
}

const below = (volume: JfsVolume, run: Run): XtPage => page(volume.page(run.address!), false);

/**
 * All runs of a tree in order.
 * @param root the inode's `di_btroot`
 * @throws GuestError `corrupt` for runs that overlap or go backwards, so that no page counts twice
 */
export function* runs(volume: JfsVolume, root: Buffer): Generator<Run> {
  const stack: { page: XtPage; next: number }[] = [{ page: page(root, true), next: XT_START }];
  let end = 0;
  while (stack.length > 0) {
    volume.ctx.budget.step();
    const top = stack[stack.length - 1]!;
    if (top.next >= top.page.end) {
      stack.pop();
      continue;
    }
    const run = entry(volume, top.page, top.next++);
    if (run.offset < end && (top.page.leaf || top.next > XT_START + 1))
      throw corrupt(`an extent at block ${run.offset} of the file, after one that ends at ${end}`);
    if (top.page.leaf) {
      end = run.offset + run.length;
      yield run;
    } else {
      if (stack.length >= DEPTH_MOST) throw corrupt(`extents in more than ${DEPTH_MOST} levels`);
      stack.push({ page: below(volume, run), next: XT_START });
    }
  }
}

/** Where a block of a file is; undefined: nowhere. @throws GuestError `corrupt` */
export function blockAt(volume: JfsVolume, root: Buffer, block: number): number | undefined {
  let p = page(root, true);
  for (let depth = 1; ; depth++) {
    volume.ctx.budget.step();
    if (p.end === XT_START) return undefined;
    const run = entry(volume, p, search(p, block));
    if (p.leaf)
      return block >= run.offset && block < run.offset + run.length && run.address !== undefined
        ? run.address + block - run.offset
        : undefined;
    if (depth >= DEPTH_MOST) throw corrupt(`extents in more than ${DEPTH_MOST} levels`);
    p = below(volume, run);
  }
}
