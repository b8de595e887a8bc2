/**
 * Fast commits: what was done since the last whole transaction, as operations and not as blocks. They are kept as
 * amendments to inodes, mappings and directories, and applied when those are read. Source: fs/ext4/fast_commit.c.
 */
import type { Context } from '../../../lib/bytes/budget';
import type { ByteString } from '../../../lib/bytes/text';
import type { Checksums } from '../checksum';
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
  /** Directories made since: what lies in their blocks is not theirs yet. */
  readonly made = new Set<number>();

  get empty(): boolean {
    return this.inodes.size === 0 && this.edits.size === 0 && this.names.size === 0;
  }

  addNames(directory: number, name: ByteString, inode: number): void {
    let names = this.names.get(directory);
    if (!names) {
      names = new Map();
      this.names.set(directory, names);
    }
    names.set(name, inode);
  }

  /** The newest edit of a block wins: older ones are cut where it lies. */
  addEdit(inode: number, edit: Edit): void {
    if (edit.count === 0) return;
    const end = edit.logical + edit.count;
    const kept: Edit[] = [];
    for (const old of this.edits.get(inode) ?? []) {
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
      if (ExtentHeader.fields.eh_magic.read(raw, map) !== EXTENT_MAGIC) {
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
  *runs(volume: ExtVolume, inode: number, disk: Iterable<Run>, from: number): Generator<Run> {
    const edits = this.edits.get(inode) ?? [];
    let next = edits.findIndex((edit) => edit.logical + edit.count > from);
    if (next < 0) next = edits.length;
    /** The file's block up to which all has been said. */
    let at = from;
    function* edit(): Generator<Run> {
      const { logical, count, physical } = edits[next++]!;
      at = Math.max(at, logical + count);
      if (physical === undefined) return;
      if (physical !== 0) volume.checkBlocks(physical, count, `inode ${inode}: fast commit`);
      yield { logical, count, physical };
    }
    for (const run of disk) {
      const end = run.logical + run.count;
      while (next < edits.length && edits[next]!.logical <= run.logical) yield* edit();
      at = Math.max(at, run.logical);
      while (at < end) {
        const upTo = edits[next]?.logical ?? end;
        if (upTo <= at) {
          yield* edit();
          continue;
        }
        const stop = Math.min(end, upTo);
        const physical = run.physical === 0 ? 0 : run.physical + at - run.logical;
        yield { logical: at, count: stop - at, physical };
        at = stop;
      }
    }
    while (next < edits.length) yield* edit();
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
  let pending: (() => void)[] = [];
  let crc = 0;
  let begun = false;
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
        const tail = FastTail.read(bytes);
        crc = sums.crc32c(crc, block, at, value + FastTail.fields.fc_crc.at);
        if (tail.fc_tid !== transaction || tail.fc_crc !== crc) {
          if (tail.fc_tid === transaction) ctx.warn('journal: fast commit with a wrong checksum is left out');
          return done;
        }
        for (const apply of pending) apply();
        pending = [];
        crc = 0;
        // The rest of the block is padding, whether or not the tail's length covers it.
        break;
      }
      crc = sums.crc32c(crc, block, at, next);
      if (tag !== FC_TAG.head && tag !== FC_TAG.pad) {
        const operation = operationOf(done, tag, bytes);
        if (!operation) {
          if (tag !== 0) ctx.warn(`journal: fast commit with an unknown operation ${tag}: it is left out`);
          return done;
        }
        pending.push(operation);
      }
      at = next;
    }
  }
  return done;
}

/** What one tag does to `to`, to be called when its commit has proved whole; undefined for an unknown tag. */
function operationOf(to: FastCommits, tag: number, bytes: Buffer): (() => void) | undefined {
  switch (tag) {
    case FC_TAG.add_range: {
      const inode = FastAddRange.read(bytes).fc_ino;
      const e = Extent.read(bytes, FAST_EXTENT_AT);
      const written = e.ee_len <= MAX_WRITTEN_LENGTH;
      const count = written ? e.ee_len : e.ee_len - MAX_WRITTEN_LENGTH;
      const physical = written ? e.ee_start_hi * 0x1_0000_0000 + e.ee_start_lo : 0;
      return () => to.addEdit(inode, { logical: e.ee_block, count, physical });
    }
    case FC_TAG.del_range: {
      const d = FastDeleteRange.read(bytes);
      return () => to.addEdit(d.fc_ino, { logical: d.fc_lblk, count: d.fc_len, physical: undefined });
    }
    case FC_TAG.creat:
    case FC_TAG.link:
    case FC_TAG.unlink: {
      const n = FastName.read(bytes);
      const name = bytes.toString('latin1', FastName.size);
      return () => {
        to.addNames(n.fc_parent_ino, name, tag === FC_TAG.unlink ? 0 : n.fc_ino);
        if (tag !== FC_TAG.creat) return;
        const raw = to.inodes.get(n.fc_ino);
        if (raw && (InodeLayout.fields.i_mode.read(raw, 0) & MODE.mask) === MODE.directory) {
          to.made.add(n.fc_ino);
          to.names.delete(n.fc_ino);
        }
      };
    }
    case FC_TAG.inode: {
      const inode = FastInode.read(bytes).fc_ino;
      const raw = Buffer.from(bytes.subarray(FastInode.size));
      if (raw.length < InodeLayout.size) return undefined;
      return () => to.inodes.set(inode, raw);
    }
    default:
      return undefined;
  }
}
