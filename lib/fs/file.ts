/** Extents → bytes: streaming, holes and whole-file reads, written once for all drivers. */
import type { Context } from '../bytes/budget';
import { corrupt, limit } from '../bytes/errors';
import type { LimitName } from '../bytes/limits';
import type { Extent, FileSystem, FsNode } from './types';

/**
 * The file's extents in order, gaps filled with holes, clipped to the file's size.
 * @throws GuestError `corrupt` when a driver hands out overlapping or backward extents
 */
export function* fileExtents(fs: FileSystem, node: FsNode, ctx: Context): Generator<Extent> {
  let at = 0;
  for (const extent of fs.extents(node)) {
    ctx.budget.step();
    if (extent.offset < at) throw corrupt(`extents overlap at byte ${extent.offset} of ${node.id}`);
    if (extent.offset >= node.size) break;
    if (extent.offset > at) yield { kind: 'hole', offset: at, length: extent.offset - at };
    at = extent.offset + extent.length;
    yield extent;
  }
  if (at < node.size) yield { kind: 'hole', offset: at, length: node.size - at };
}

/**
 * A whole file in memory.
 * @param most bytes, or the name of a limit
 * @throws GuestError `limit` when it has more
 */
export function readWhole(fs: FileSystem, node: FsNode, most: LimitName | number, ctx: Context): Buffer {
  if (node.kind !== 'file') throw corrupt(`${node.id} is not a regular file`);
  if (typeof most === 'string') ctx.budget.most(most, node.size, 'bytes of a file');
  else if (node.size > most) throw limit(`file of ${node.size} bytes, maximum ${most}`);
  ctx.budget.allocate(node.size);
  const into = Buffer.alloc(node.size);
  for (const extent of fileExtents(fs, node, ctx)) {
    const length = Math.min(extent.length, node.size - extent.offset);
    const part = into.subarray(extent.offset, extent.offset + length);
    switch (extent.kind) {
      case 'hole':
        break;
      case 'data':
        ctx.budget.read(length);
        extent.source.read(extent.at, part);
        break;
      case 'inline':
        part.set(extent.bytes.subarray(0, length));
        break;
      case 'packed':
        part.set(extent.unpack().subarray(0, length));
    }
  }
  return into;
}
