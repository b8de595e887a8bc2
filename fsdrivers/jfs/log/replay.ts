/**
 * A dirty log → the metadata as it will be once `fsck.jfs` has replayed it, as that program does it (libfs/log_work.c of
 * jfsutils): backwards, so that the newest image of each slot wins; up to the sync point; committed transactions alone.
 */
import type { Context } from '../../../lib/bytes/budget';
import { corrupt, GuestError, notFound, unsupported } from '../../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../../lib/source/types';
import {
  Dinode,
  FILESYSTEM_I,
  INODE_SIZE,
  InodeExtent,
  L2_INODES_PER_EXTENT,
  PAGE,
  type Pxd,
  STATE,
} from '../layout';
import type { Geometry } from '../superblock';
import {
  BTROOT_AT,
  INODE_SLOT,
  LOGMAGIC,
  LOGPSIZE,
  LOGREDONE,
  LOGSTART_B,
  LOGVERSION,
  LogSuper,
  MAX_ACTIVE,
  RECORD,
  REDO,
} from './layout';
import { Log, type LogRecord } from './log';
import { Overlay, UNIT } from './overlay';

export interface Replayed {
  readonly source: BlockSource;
  readonly moved: ReadonlyMap<number, Pxd>;
}

/** @returns undefined where there is nothing to replay, or, after a warning, where it cannot be done */
export function replay(
  source: BlockSource,
  geometry: Geometry,
  ctx: Context,
  others: () => Iterable<BlockSource>,
): Replayed | undefined {
  try {
    if (geometry.state & STATE.extendfs) throw unsupported('it was stopped while it was made larger');
    if (geometry.state & STATE.logredo) throw unsupported('an earlier replay failed');
    const found = geometry.inlineLog
      ? inlineLog(source, geometry, ctx)
      : externalLog(geometry, others(), ctx);
    if (!found) return undefined;
    const work = new Replay(source, geometry, found.aggregate);
    for (const record of found.log.records()) if (work.apply(record)) break;
    return { source: work.overlay, moved: work.moved };
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    ctx.warn(`journal: ${error.describe()}; it is not replayed, the disk is read as it stands`);
    return undefined;
  }
}

interface Found {
  readonly log: Log;
  /** Which of the filesystems that share the log is ours. */
  readonly aggregate: number;
}

/** @throws GuestError `corrupt`, `unsupported` */
function checked(s: ReturnType<typeof LogSuper.read>, pages: number): boolean {
  if (s.magic !== LOGMAGIC) throw corrupt('it has no superblock');
  if (s.version > LOGVERSION) throw unsupported(`a log of version ${s.version}`);
  if (s.size <= LOGSTART_B + 1 || s.size > pages)
    throw corrupt(`a log of ${s.size} pages where ${pages} fit`);
  return s.state !== LOGREDONE;
}

function inlineLog(source: BlockSource, { log, blockSize }: Geometry, ctx: Context): Found | undefined {
  const start = log.address * blockSize;
  const s = LogSuper.read(readBytes(source, start + LOGPSIZE, LogSuper.size, ctx));
  if (!checked(s, Math.floor((log.length * blockSize) / LOGPSIZE))) return undefined;
  return { log: new Log(source, start, s.size, ctx), aggregate: 0 };
}

function externalLog(geometry: Geometry, others: Iterable<BlockSource>, ctx: Context): Found | undefined {
  for (const source of others) {
    if (source.size < LOGPSIZE + LogSuper.size) continue;
    let s: ReturnType<typeof LogSuper.read>;
    try {
      s = LogSuper.read(readBytes(source, LOGPSIZE, LogSuper.size, ctx));
    } catch (error) {
      // Another volume that cannot be read is not ours to complain about.
      if (error instanceof GuestError && error.code !== 'limit') continue;
      throw error;
    }
    if (s.magic !== LOGMAGIC || !s.uuid.equals(geometry.logUuid)) continue;
    if (!checked(s, Math.floor(source.size / LOGPSIZE))) return undefined;
    for (let aggregate = 0; aggregate < MAX_ACTIVE; aggregate++)
      if (s.active.subarray(aggregate * 16, aggregate * 16 + 16).equals(geometry.uuidBytes))
        return { log: new Log(source, 0, s.size, ctx), aggregate };
    return undefined;
  }
  const uuid = geometry.logUuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  throw notFound(`its device (UUID ${uuid}) is not among the volumes`);
}

/** What a page was when the log last had it: what it had been before, older records say, no longer counts. */
type PageKind = 'inodes' | 'dtree' | 'xtree' | 'data' | 'gone';
/** Likewise what stands in the second half of an inode. */
type RootKind = 'link' | 'dtree' | 'xtree' | 'gone';

interface PageState {
  kind: PageKind | undefined;
  /** A bit for each inode whose base is known. */
  bases: number;
  readonly roots: (RootKind | undefined)[];
}

class Replay {
  readonly overlay: Overlay;
  readonly moved = new Map<number, Pxd>();
  readonly #committed = new Set<number>();
  readonly #pages = new Map<number, PageState>();
  /** Inodes that were freed: what older records say of their trees does not count. */
  readonly #freed = new Set<number>();
  #stop: number | undefined;
  /** Before the last mount the filesystem was clean. */
  #over = false;

  constructor(
    source: BlockSource,
    readonly geometry: Geometry,
    readonly aggregate: number,
  ) {
    this.overlay = new Overlay(source);
  }

  /** @returns true at the last record that counts */
  apply({ address, lrd, data }: LogRecord): boolean {
    const { type, logtid } = lrd;
    // Older kernels put a device's number there.
    const ours = (lrd.aggregate > MAX_ACTIVE ? 0 : lrd.aggregate) === this.aggregate;
    if (type === RECORD.commit) this.#committed.add(logtid);
    else if (type === RECORD.mount) {
      if (ours && !(this.geometry.state & STATE.dirty)) this.#over = true;
    } else if (type === RECORD.syncpt) this.#stop ??= lrd.sync === 0 ? address : lrd.sync;
    else if (type === RECORD.redopage || type === RECORD.noredopage || type === RECORD.noredoinoext) {
      if (this.#committed.has(logtid)) {
        if (lrd.backchain === 0) this.#committed.delete(logtid);
        if (ours && !this.#over) {
          if (type === RECORD.redopage) this.#redo(lrd, data);
          else if (type === RECORD.noredopage) this.#noRedoPage(lrd);
          else this.#noRedoInodes(lrd);
        }
      }
    } else if (type === RECORD.updatemap) {
      if (lrd.backchain === 0) this.#committed.delete(logtid);
    } else throw corrupt(`a record of type 0x${type.toString(16)}`, `log address ${address}`);
    return address === this.#stop;
  }

  #redo(lrd: LogRecord['lrd'], data: Buffer): void {
    const { redotype: type, inode, pxd } = lrd;
    if (data.length === 0) return;
    if (!(type & REDO.inode) && this.#freed.has(inode)) return;
    const root = (type & REDO.btroot) !== 0;
    const kind: PageKind =
      type & REDO.inode || root
        ? 'inodes'
        : type & REDO.dtree
          ? 'dtree'
          : type & REDO.xtree
            ? 'xtree'
            : 'data';
    const page = this.#page(pxd.address);
    if (page.kind !== undefined && page.kind !== kind) page.kind = 'gone';
    if (page.kind === 'gone') return;
    page.kind = kind;
    // Tables of directories by number: nobody here needs them.
    if (kind === 'data') return;
    const at = pxd.address * this.geometry.blockSize;
    if (kind !== 'inodes') {
      segments(lrd, data, PAGE, (offset, bytes) => this.overlay.put(at + offset, bytes));
    } else if (!root) segments(lrd, data, PAGE, (offset, bytes) => this.#inode(lrd, page, at, offset, bytes));
    else {
      const index = inode & 7;
      const tree = type & REDO.dtree || type & REDO.dirXtree ? 'dtree' : 'xtree';
      page.roots[index] ??= tree;
      if (page.roots[index] !== tree || type & REDO.dirXtree) return;
      segments(lrd, data, INODE_SIZE - BTROOT_AT, (offset, bytes) =>
        this.overlay.put(at + index * INODE_SIZE + BTROOT_AT + offset, bytes),
      );
    }
  }

  /** The base of an inode, a link's target; directories' tables and extended attributes are passed over. */
  #inode(lrd: LogRecord['lrd'], page: PageState, at: number, offset: number, bytes: Buffer): void {
    const index = Math.floor(offset / INODE_SIZE);
    const part = (offset % INODE_SIZE) / INODE_SLOT;
    if (part === 2) {
      page.roots[index] ??= 'link';
      if (page.roots[index] === 'link') this.overlay.put(at + offset, bytes);
    }
    if (part !== 0 || page.bases & (1 << index)) return;
    page.bases |= 1 << index;
    const base = bytes.subarray(0, INODE_SLOT);
    this.overlay.put(at + offset, base);
    const { di_number, di_nlink } = Dinode.fields;
    const number = di_number.read(base, 0);
    if (di_nlink.read(base, 0) === 0) {
      this.#freed.add(number);
    } else if (lrd.inode === FILESYSTEM_I) {
      const extent = number >>> L2_INODES_PER_EXTENT;
      if (!this.moved.has(extent)) this.moved.set(extent, InodeExtent.read(base, 16).pxd);
    }
  }

  #noRedoPage({ redotype: type, inode, pxd }: LogRecord['lrd']): void {
    if (this.#freed.has(inode)) return;
    const page = this.#page(pxd.address);
    if (type & REDO.btroot) page.roots[inode & 7] = 'gone';
    else page.kind = 'gone';
  }

  #noRedoInodes({ inode: group, inoext_idx, pxd }: LogRecord['lrd']): void {
    for (let i = 0; i < 4; i++) this.#page(pxd.address + (i * PAGE) / this.geometry.blockSize).kind = 'gone';
    const extent = group * 128 + inoext_idx;
    if (!this.moved.has(extent)) this.moved.set(extent, { length: 0, address: 0 });
  }

  #page(block: number): PageState {
    let page = this.#pages.get(block);
    if (!page) {
      page = { kind: undefined, bases: 0, roots: [] };
      this.#pages.set(block, page);
    }
    return page;
  }
}

/** A record's images, the newest first: offset and length in slots follow each. @throws GuestError `corrupt` */
function segments(
  { l2linesize }: LogRecord['lrd'],
  data: Buffer,
  most: number,
  each: (offset: number, bytes: Buffer) => void,
): void {
  if (1 << l2linesize < UNIT || l2linesize > 12) throw corrupt(`slots of 2^${l2linesize} bytes in the log`);
  for (let end = data.length; end > 0; ) {
    const offset = end >= 4 ? data.readUInt16LE(end - 4) << l2linesize : 0;
    const length = end >= 4 ? data.readUInt16LE(end - 2) << l2linesize : 0;
    if (length === 0 || length + 4 > end || offset + length > most)
      throw corrupt(`an image of ${length} bytes at ${offset} in a record of ${data.length}`);
    end -= length + 4;
    each(offset, data.subarray(end, end + length));
  }
}
