/**
 * What `fsync` left after the last checkpoint, as Linux recovers it at the next mount ("roll-forward"): inodes and direct
 * nodes of files, chained by their footers. An overlay of block numbers; nothing is written.
 */
import { corrupt, GuestError, limit } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { BELOW, FOOTER_AT, Inode, LOG_MOST, MARK, NodeFooter, PER_NODE, stride } from './layout';
import type { F2fsVolume } from './volume';

interface LogNode {
  readonly block: number;
  readonly inode: number;
  /** In the file's tree; 0: the inode. */
  readonly place: number;
  readonly fsync: boolean;
  /** The inode is new: its name goes into its directory. */
  readonly entry: boolean;
}

export interface RecoveredFile {
  /** In the order in which they were written. */
  readonly log: readonly LogNode[];
  /** Place in the tree → the newest block there. */
  readonly blocks: ReadonlyMap<number, number>;
  /** Places of the indirect nodes above them, which are not in the log. */
  readonly above: ReadonlySet<number>;
}

export interface Recovery {
  readonly files: ReadonlyMap<number, RecoveredFile>;
  /** Directory → name → inode. */
  readonly names: ReadonlyMap<number, ReadonlyMap<ByteString, number>>;
}

/** @returns undefined where there is nothing to recover, or (a warning says so) where it cannot be done */
export function recover(volume: F2fsVolume): Recovery | undefined {
  try {
    const log = readLog(volume);
    return log.length > 0 ? replay(volume, log) : undefined;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    volume.ctx.warn(
      `f2fs: what was written since the last checkpoint cannot be recovered (${error.describe()}); the disk is read as it stands`,
    );
    return undefined;
  }
}

function readLog(volume: F2fsVolume): LogNode[] {
  const { log, mainAt, mainEnd } = volume.geometry;
  const nodes: LogNode[] = [];
  if (!log) return nodes;
  // Brent's way to find a circle: the mark moves ahead at each power of two.
  let mark = -1;
  for (let block = log.at; block >= mainAt && block < mainEnd; ) {
    const footer = NodeFooter.read(volume.block(block), FOOTER_AT);
    if ((footer.cp_ver & log.mask) !== log.version) break;
    if (block === mark) throw corrupt(`their chain is a circle at block ${block}`);
    if (nodes.length === LOG_MOST) throw limit(`more than ${LOG_MOST} nodes`);
    if ((nodes.length & (nodes.length - 1)) === 0) mark = block;
    nodes.push({
      block,
      inode: footer.ino,
      place: footer.nid === footer.ino ? 0 : footer.flag >>> MARK.bits,
      fsync: (footer.flag & MARK.fsync) !== 0,
      entry: footer.nid === footer.ino && (footer.flag & MARK.entry) !== 0,
    });
    block = footer.next_blkaddr;
  }
  return nodes;
}

/** A file's nodes count up to the last that an fsync wrote; a file without an inode does not count. */
function replay(volume: F2fsVolume, log: readonly LogNode[]): Recovery | undefined {
  const ends = new Map<number, { last: LogNode; entry?: LogNode }>();
  for (const node of log) {
    if (!node.fsync) continue;
    let end = ends.get(node.inode);
    if (!end) {
      if (!node.entry && !volume.exists(node.inode)) continue;
      end = { last: node };
      ends.set(node.inode, end);
    }
    end.last = node;
    if (node.entry) end.entry = node;
  }
  const files = new Map<number, { log: LogNode[]; blocks: Map<number, number>; above: Set<number> }>();
  const names = new Map<number, Map<ByteString, number>>();
  const finished = new Set<number>();
  for (const node of log) {
    const end = ends.get(node.inode);
    if (!end || finished.has(node.inode)) continue;
    if (node === end.last) finished.add(node.inode);
    const direct = node.place === 0 ? undefined : directNode(node.place);
    // A node of extended attributes.
    if (node.place !== 0 && !direct) continue;
    let file = files.get(node.inode);
    if (!file) {
      file = { log: [], blocks: new Map(), above: new Set() };
      files.set(node.inode, file);
    }
    file.log.push(node);
    file.blocks.set(node.place, node.block);
    for (const place of direct?.above ?? []) file.above.add(place);
    if (node !== end.entry) continue;
    const { i_pino, i_namelen, i_name } = Inode.read(volume.block(node.block));
    if (i_namelen > i_name.length) throw corrupt(`name of ${i_namelen} bytes`, `inode ${node.inode}`);
    let directory = names.get(i_pino);
    if (!directory) {
      directory = new Map();
      names.set(i_pino, directory);
    }
    directory.set(fromBytes(i_name.subarray(0, i_namelen)), node.inode);
  }
  return files.size > 0 ? { files, names } : undefined;
}

/** Which of a file's direct nodes stands at a place of its tree, and the places of those above it. */
export function directNode(place: number): { index: number; above: number[] } | undefined {
  let index = 0;
  for (const { levels, place: top } of BELOW) {
    const count = PER_NODE ** levels;
    const rest = place - top;
    if (levels === 0 && rest === 0) return { index, above: [] };
    if (levels === 1 && rest > 0 && rest <= count) return { index: index + rest - 1, above: [top] };
    if (levels === 2 && rest > 0 && rest <= PER_NODE * stride(2)) {
      const child = Math.floor((rest - 1) / stride(2));
      const within = (rest - 1) % stride(2);
      return within === 0
        ? undefined
        : { index: index + child * PER_NODE + within - 1, above: [top, top + 1 + child * stride(2)] };
    }
    index += count;
  }
  return undefined;
}
