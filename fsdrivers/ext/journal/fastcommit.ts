/**
 * Fast commits: what was done since the last whole transaction, as operations and not as blocks. They are kept as
 * amendments to inodes, mappings and directories, and applied when those are read. Source: fs/ext4/fast_commit.c.
 */
import type { Context } from '../../../lib/bytes/budget';
import type { Checksums } from '../../../lib/bytes/checksum';
import type { ByteString } from '../../../lib/bytes/text';
import type { Run } from '../extents';
import {
  BLOCK_MAP_SIZE,
  EXTENT_MAGIC,
  Extent,
  ExtentHeader,
  FLAG,
  InodeLayout,
  MAX_WRITTEN_LENGTH,
  MODE,
} from '../layout';
import type { ExtVolume } from '../volume';
import {
  FAST_EXTENT_AT,
  FastAddRange,
  FastDeleteRange,
  FastHead,
  FastInode,
  FastName,
  FastTag,
  FastTail,
  FC_TAG,
  MAX_FAST_OPERATIONS,
} from './layout';

/** A stretch of a file's blocks that is mapped otherwise than on disk; `physical` undefined: no longer mapped. */
interface Edit {
  readonly logical: number;
  readonly count: number;
  readonly physical: number | undefined;
}

export class FastCommits {
  /** Raw inodes as committed, by number. */
  readonly inodes = new Map<number, Buffer>();
  /** Not overlapping, in file order. */
  readonly edits = new Map<number, Edit[]>();
  /** Names of directories: an inode number, or 0 for a name that is gone. */
  readonly names = new Map<number, Map<ByteString, number>>();
  /** Inodes made since: what their mapping on disk says was another file's, of which the inode was freed. */
  readonly made = new Set<number>();

  get empty(): boolean {
    return this.inodes.size === 0 && this.edits.size === 0 && this.names.size === 0;
  }

  /** A new inode: nothing of what was known of the number holds. */
  make(inode: number): void {
    this.made.add(inode);
    this.edits.delete(inode);
    this.names.delete(inode);
  }

  addName(directory: number, name: ByteString, inode: number): void {
    let names = this.names.get(directory);
    if (!names) {
      names = new Map();
      this.names.set(directory, names);
    }
    names.set(name, inode);
  }

  /** The newest edit of a block wins: older ones are cut where it lies. */
  addEdit(inode: number, edit: Edit, ctx: Context): void {
    if (edit.count === 0) return;
    const edits = this.edits.get(inode) ?? [];
    const last = edits[edits.length - 1];
    // Files grow at their end, usually.
    if (!last || last.logical + last.count <= edit.logical) {
      edits.push(edit);
      this.edits.set(inode, edits);
      return;
    }
    ctx.budget.step(edits.length);
    const end = edit.logical + edit.count;
    const kept: Edit[] = [];
    for (const old of edits) {
      const oldEnd = old.logical + old.count;
      const before = Math.min(oldEnd, edit.logical) - old.logical;
      if (before > 0) kept.push({ ...old, count: before });
      const skip = Math.max(old.logical, end) - old.logical;
      if (skip < old.count)
        kept.push({
          logical: old.logical + skip,
          count: old.count - skip,
          // 0 stands for blocks never written, wherever they are.
          physical: old.physical ? old.physical + skip : old.physical,
        });
    }
    kept.push(edit);
    kept.sort((a, b) => a.logical - b.logical);
    this.edits.set(inode, kept);
  }

  /** An inode's bytes with what was committed fast. */
  inode(number: number, disk: Buffer): Buffer {
    const update = this.inodes.get(number);
    if (!update) return disk;
    const raw = Buffer.from(disk);
    const map = InodeLayout.fields.i_block.at;
    const rest = map + BLOCK_MAP_SIZE;
    update.copy(raw, 0, 0, map);
    update.copy(raw, rest, rest, Math.min(update.length, raw.length));
    const flags = InodeLayout.fields.i_flags.read(raw, 0);
    const kind = InodeLayout.fields.i_mode.read(raw, 0) & MODE.mask;
    if (flags & FLAG.extents) {
      // Its mapping comes by ranges, on top of the tree that is on disk; a new inode has none yet.
      if (this.made.has(number) || ExtentHeader.fields.eh_magic.read(raw, map) !== EXTENT_MAGIC) {
        raw.fill(0, map, rest);
        raw.writeUInt16LE(EXTENT_MAGIC, map);
        raw.writeUInt16LE(4, map + ExtentHeader.fields.eh_max.at);
      }
    } else if (flags & FLAG.inline_data || (kind !== MODE.regular && kind !== MODE.directory)) {
      // Inline data, a short link's target, a device's number.
      update.copy(raw, map, map, rest);
    }
    return raw;
  }

  /** A file's runs from block `from` on, with its edits laid over those on disk. */
  *runs(
    volume: ExtVolume,
    inode: number,
    disk: Iterable<readonly Run[]>,
    from: number,
  ): Generator<readonly Run[]> {
    const edits = this.edits.get(inode) ?? [];
    let next = edits.findIndex((edit) => edit.logical + edit.count > from);
    if (next < 0) next = edits.length;
    /** The file's block up to which all has been said. */
    let at = from;
    const edit = (into: Run[]): void => {
      const { logical, count, physical } = edits[next++]!;
      at = Math.max(at, logical + count);
      if (physical === undefined) return;
      if (physical !== 0) volume.checkBlocks(physical, count, `inode ${inode}: fast commit`);
      into.push({ logical, count, physical });
    };
    for (const batch of disk) {
      const merged: Run[] = [];
      for (const run of batch) {
        const end = run.logical + run.count;
        while (next < edits.length && edits[next]!.logical <= run.logical) edit(merged);
        at = Math.max(at, run.logical);
        while (at < end) {
          const upTo = edits[next]?.logical ?? end;
          if (upTo <= at) {
            edit(merged);
            continue;
          }
          const stop = Math.min(end, upTo);
          const physical = run.physical === 0 ? 0 : run.physical + at - run.logical;
          merged.push({ logical: at, count: stop - at, physical });
          at = stop;
        }
      }
      yield merged;
    }
    const rest: Run[] = [];
    while (next < edits.length) edit(rest);
    yield rest;
  }
}

/**
 * All commits up to the first one that is not whole, by the checksum from its head to its tail.
 * @param blocks of the fast-commit area
 * @param transaction the one they must belong to
 */
export function readFastCommits(
  blocks: Iterable<Buffer>,
  transaction: number,
  sums: Checksums,
  ctx: Context,
): FastCommits {
  const done = new FastCommits();
  /** Operations of the commit whose end has not been seen. */
  let pending: Operation[] = [];
  let crc = 0;
  let begun = false;
  let unknown: number | undefined;
  let count = 0;
  for (const block of blocks) {
    for (let at = 0; at + FastTag.size <= block.length; ) {
      ctx.budget.step();
      const { fc_tag: tag, fc_len: length } = FastTag.read(block, at);
      const value = at + FastTag.size;
      const next = value + length;
      // The first commit begins with the head, and it alone.
      if (!begun && tag !== FC_TAG.head) return done;
      if (next > block.length) return done;
      const bytes = block.subarray(value, next);
      if (tag === FC_TAG.head) {
        if (length < FastHead.size) return done;
        const head = FastHead.read(bytes);
        if (head.fc_tid !== transaction) return done;
        if (head.fc_features !== 0) {
          ctx.warn(
            `journal: fast commits with unknown features 0x${head.fc_features.toString(16)} are left out`,
          );
          return done;
        }
        begun = true;
      }
      if (tag === FC_TAG.tail) {
        if (length < FastTail.size) return done;
        const tail = FastTail.read(bytes);
        crc = sums.crc32c(crc, block, at, value + FastTail.fields.fc_crc.at);
        if (tail.fc_tid !== transaction || tail.fc_crc !== crc) {
          if (tail.fc_tid === transaction) ctx.warn('journal: fast commit with a wrong checksum is left out');
          return done;
        }
        if (unknown !== undefined) {
          ctx.warn(
            `journal: a fast commit with operation ${unknown}, which is not known, and what follows are left out`,
          );
          return done;
        }
        for (const { apply } of pending) apply();
        pending = [];
        crc = 0;
        // The rest of the block is padding, whether or not the tail's length covers it.
        break;
      }
      crc = sums.crc32c(crc, block, at, next);
      if (tag !== FC_TAG.head && tag !== FC_TAG.pad) {
        // Zeros, or what an earlier use left: the end, unless a whole commit proves otherwise.
        if (tag === 0) return done;
        if (++count > MAX_FAST_OPERATIONS) {
          ctx.warn(
            `journal: more than ${MAX_FAST_OPERATIONS} operations in fast commits; the rest is left out`,
          );
          return done;
        }
        const operation = operationOf(done, tag, bytes, ctx);
        at = next;
        if (!operation) {
          unknown ??= tag;
          continue;
        }
        if (tag === FC_TAG.creat) {
          // The new inode and its ranges stand right before its name; whatever is older was another file's.
          let first = pending.length;
          while (first > 0 && pending[first - 1]!.content === operation.inode) first--;
          pending.splice(first, 0, { inode: operation.inode, apply: () => done.make(operation.inode) });
        }
        pending.push(operation);
      }
      at = next;
    }
  }
  return done;
}

interface Operation {
  readonly inode: number;
  /** The same where it concerns what the inode holds, and not a name of it. */
  readonly content?: number;
  /** To be called when the commit has proved whole. */
  apply(): void;
}

const LEAST: Record<number, number | undefined> = {
  [FC_TAG.add_range]: FastAddRange.size,
  [FC_TAG.del_range]: FastDeleteRange.size,
  [FC_TAG.creat]: FastName.size,
  [FC_TAG.link]: FastName.size,
  [FC_TAG.unlink]: FastName.size,
  [FC_TAG.inode]: FastInode.size + InodeLayout.size,
};

/** What one tag does to `to`; undefined for an unknown one, and for one that is too short. */
function operationOf(to: FastCommits, tag: number, bytes: Buffer, ctx: Context): Operation | undefined {
  const least = LEAST[tag];
  if (least === undefined || bytes.length < least) return undefined;
  switch (tag) {
    case FC_TAG.add_range: {
      const inode = FastAddRange.read(bytes).fc_ino;
      const e = Extent.read(bytes, FAST_EXTENT_AT);
      const written = e.ee_len <= MAX_WRITTEN_LENGTH;
      const count = written ? e.ee_len : e.ee_len - MAX_WRITTEN_LENGTH;
      const physical = written ? e.ee_start_hi * 0x1_0000_0000 + e.ee_start_lo : 0;
      const edit = { logical: e.ee_block, count, physical };
      return { inode, content: inode, apply: () => to.addEdit(inode, edit, ctx) };
    }
    case FC_TAG.del_range: {
      const d = FastDeleteRange.read(bytes);
      const inode = d.fc_ino;
      const edit = { logical: d.fc_lblk, count: d.fc_len, physical: undefined };
      return { inode, content: inode, apply: () => to.addEdit(inode, edit, ctx) };
    }
    case FC_TAG.creat:
    case FC_TAG.link:
    case FC_TAG.unlink: {
      const { fc_parent_ino, fc_ino } = FastName.read(bytes);
      const name = bytes.toString('latin1', FastName.size);
      const number = tag === FC_TAG.unlink ? 0 : fc_ino;
      return { inode: fc_ino, apply: () => to.addName(fc_parent_ino, name, number) };
    }
    case FC_TAG.inode: {
      const inode = FastInode.read(bytes).fc_ino;
      const raw = Buffer.from(bytes.subarray(FastInode.size));
      return { inode, content: inode, apply: () => void to.inodes.set(inode, raw) };
    }
    default:
      return undefined;
  }
}
