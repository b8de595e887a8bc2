/**
 * A filesystem in memory, from a JS object tree, for tests that need files and no disk:
 *
 *     new MemoryFs({ boot: { 'grub.cfg': 'set x=1', vmlinuz: link('vmlinuz-6.1') } }, { uuid: '1234-abcd' })
 *
 * Strings are byte strings. `memoryGuest` puts such filesystems on the partitions of real `Guest` disks.
 */

import { type Disk, Guest } from '../../lib/boot/guest';
import type { Context } from '../../lib/bytes/budget';
import { type ByteString, toBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import type { Partition } from '../../lib/volume/types';

class Special {
  constructor(
    readonly kind: NodeKind,
    readonly target: ByteString,
    readonly make: () => Iterable<Extent>,
    readonly size: number,
    readonly mtime?: number,
  ) {}
}

export type MemoryTree = { readonly [name: string]: MemoryTree | string | Uint8Array | Special };

/** A symbolic link. */
export const link = (target: ByteString): Special => new Special('symlink', target, () => [], target.length);

/** A device node, socket …: neither file nor directory. */
export const device = (): Special => new Special('other', '', () => [], 0);

/** A file whose extents the test says itself. */
export const extentFile = (size: number, extents: () => Iterable<Extent>, mtime?: number): Special =>
  new Special('file', '', extents, size, mtime);

/** A file in pieces of `piece` bytes, of kinds in turn, for readers of extents. Holes only where zeros are. */
export function pieces(content: ByteString | Uint8Array, piece: number, kinds: Extent['kind'][]): Special {
  const bytes = typeof content === 'string' ? toBytes(content) : content;
  const source = new MemorySource(bytes, 'pieces');
  return extentFile(bytes.length, function* () {
    for (let at = 0, i = 0; at < bytes.length; at += piece, i++) {
      const part = bytes.subarray(at, at + piece);
      const where = { offset: at, length: part.length };
      let kind = kinds[i % kinds.length]!;
      if (kind === 'hole' && part.some((b) => b !== 0)) kind = 'data';
      if (kind === 'hole') yield { kind, ...where };
      else if (kind === 'data') yield { kind, ...where, source, at };
      else if (kind === 'inline') yield { kind, ...where, bytes: part };
      else yield { kind, ...where, unpack: () => part };
    }
  });
}

class Node implements FsNode {
  readonly kind: NodeKind;
  readonly size: number;
  readonly mtime?: number;
  constructor(
    readonly content: MemoryTree | string | Uint8Array | Special,
    readonly id: string,
  ) {
    if (content instanceof Special) {
      this.kind = content.kind;
      this.size = content.size;
      if (content.mtime !== undefined) this.mtime = content.mtime;
    } else if (typeof content === 'string' || content instanceof Uint8Array) {
      this.kind = 'file';
      this.size = content.length;
    } else {
      this.kind = 'directory';
      this.size = 4096;
    }
  }
}

export interface MemoryFsOptions {
  type?: string;
  grubName?: string;
  uuid?: string;
  label?: ByteString;
  ignoresCase?: boolean;
}

export class MemoryFs implements FileSystem {
  readonly type: string;
  readonly grubName: string;
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: FsNode;
  readonly ignoresCase?: boolean;

  constructor(tree: MemoryTree, options: MemoryFsOptions = {}) {
    this.type = options.type ?? 'ext4';
    this.grubName = options.grubName ?? 'ext2';
    if (options.uuid !== undefined) this.uuid = options.uuid;
    if (options.label !== undefined) this.label = options.label;
    if (options.ignoresCase !== undefined) this.ignoresCase = options.ignoresCase;
    this.root = new Node(tree, '/');
  }

  #children(dir: FsNode): MemoryTree {
    if (!(dir instanceof Node) || dir.kind !== 'directory')
      throw new Error('not a directory of this filesystem');
    return dir.content as MemoryTree;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const children = this.#children(dir);
    let key: string | undefined = Object.hasOwn(children, name) ? name : undefined;
    if (key === undefined && this.ignoresCase)
      key = Object.keys(children).find((k) => k.toLowerCase() === name.toLowerCase());
    return key === undefined ? undefined : new Node(children[key]!, `${dir.id}${key}/`);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    for (const [name, child] of Object.entries(this.#children(dir)))
      yield { name, node: () => new Node(child, `${dir.id}${name}/`) };
  }

  readlink(node: FsNode): ByteString {
    return ((node as Node).content as Special).target;
  }

  *extents(file: FsNode): Generator<Extent> {
    const { content } = file as Node;
    if (content instanceof Special) {
      yield* content.make();
      return;
    }
    const bytes = typeof content === 'string' ? toBytes(content) : (content as Uint8Array);
    if (bytes.length > 0)
      yield { kind: 'data', offset: 0, length: bytes.length, source: new MemorySource(bytes), at: 0 };
  }
}

/** What stands on one disk of `memoryGuest`: a filesystem on the whole of it, or rows of a table. */
export type MemoryDisk =
  | FileSystem
  | {
      scheme: string;
      id?: string;
      /** An Error is thrown when that volume is opened; null is a partition without a filesystem. */
      partitions: (Partial<Partition> & { fs: FileSystem | Error | null })[];
    };

const PART = 65536;

/**
 * A real `Guest` over in-memory filesystems: `hd0`, `hd1` … in the order given. Sources added later (loopback) are
 * opened by `open`, when given.
 */
export function memoryGuest(
  ctx: Context,
  disks: MemoryDisk[],
  open: (source: BlockSource) => FileSystem | undefined = () => undefined,
): Guest {
  /** Which filesystem a slice is: found by the label of the disk, and where the slice starts. */
  const byLabel = new Map<string, FileSystem | Error | null>();
  const tables = new Map<string, { scheme: string; id?: string; partitions: Partition[] }>();
  const guest = new Guest(ctx, {
    readTable: (disk) => tables.get(disk.label),
    openFileSystem(source) {
      const at = 'start' in source ? (source as unknown as { start: number }).start : 0;
      const parent = 'parent' in source ? (source as unknown as { parent: BlockSource }).parent : source;
      const key = `${'start' in source ? parent.label : source.label}@${at}`;
      const fs = byLabel.get(key);
      if (fs instanceof Error) throw fs;
      if (fs === undefined) return open(source);
      return fs ?? undefined;
    },
  });
  disks.forEach((disk, i) => {
    const label = `disk${i}`;
    if ('partitions' in disk) {
      const partitions = disk.partitions.map((p, row): Partition => {
        byLabel.set(`${label}@${(row + 1) * PART}`, p.fs);
        const { fs: _, ...given } = p;
        return { number: row + 1, start: (row + 1) * PART, size: PART, active: false, type: '83', ...given };
      });
      tables.set(label, {
        scheme: disk.scheme,
        ...(disk.id === undefined ? {} : { id: disk.id }),
        partitions,
      });
      guest.addDisk(`hd${i}`, new MemorySource(Buffer.alloc((disk.partitions.length + 2) * PART), label));
    } else {
      byLabel.set(`${label}@0`, disk);
      guest.addDisk(`hd${i}`, new MemorySource(Buffer.alloc(PART), label));
    }
  });
  return guest;
}

export type { Disk };
