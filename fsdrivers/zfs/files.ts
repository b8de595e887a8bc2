/** The files of one dataset or snapshot (ZPL). */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { AttributeReader } from './attributes';
import type { Dnode, Objset } from './dnode';
import { MASTER_NODE } from './layout';
import { Zap, type ZapEntry } from './zap';

export interface FileNode extends FsNode {
  readonly files: Files;
  readonly dnode: Dnode;
  readonly target: ByteString | undefined;
}

/** Directories whose ZAPs are kept open. */
const KEPT = 64;

/** Kinds by `mode` and by directory entries, which have the same four bits. */
const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };

export class Files implements FileSystem {
  readonly type = 'zfs_member';
  readonly grubName = 'zfs';
  readonly root: FileNode;
  /** `0` as names are, `1` without regard to case, `2` both ways. */
  readonly #case: number;
  readonly #objset: Objset;
  readonly #attributes: AttributeReader;
  readonly #directories = new Map<FsNode['id'], Zap>();

  /**
   * @param id tells this dataset from others in the ids of nodes
   * @param prefix what stands before this dataset's paths: '' where they begin in it
   */
  constructor(
    objset: Objset,
    readonly id: number,
    public prefix: ByteString,
  ) {
    this.#objset = objset;
    const master = new Zap(objset.dnode(MASTER_NODE));
    this.#attributes = new AttributeReader(objset, master.count('SA_ATTRS'));
    this.#case = master.count('casesensitivity') ?? 0;
    const root = master.count('ROOT');
    if (root === undefined) throw corrupt('a dataset without a root directory');
    this.root = this.#node(root);
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory');
  }

  get ignoresCase(): boolean {
    return this.#case === 1;
  }

  #node(object: number): FileNode {
    const dnode = this.#objset.dnode(object);
    return within(`object ${object}`, () => {
      const { mode, size, mtime, target } = this.#attributes.of(dnode);
      const kind = KINDS[(mode >>> 12) & 15] ?? 'other';
      return { kind, size, mtime, id: `${this.id}/${object}`, files: this, dnode, target };
    });
  }

  #directory(dir: FileNode): Zap {
    if (dir.kind !== 'directory') throw corrupt('not a directory');
    let zap = this.#directories.get(dir.id);
    if (!zap) {
      zap = new Zap(dir.dnode);
      if (this.#directories.size >= KEPT) this.#directories.clear();
      this.#directories.set(dir.id, zap);
    }
    return zap;
  }

  /** Numbers of objects have 48 bits; the upper four are the kind. */
  #target({ high, low }: ZapEntry): FileNode {
    return this.#node((high & 0xffff) * 2 ** 32 + low);
  }

  lookup(dir: FileNode, name: ByteString): FileNode | undefined {
    const entry = within(`object ${dir.id}`, () => this.#directory(dir).get(name, this.#case !== 1));
    return entry && this.#target(entry);
  }

  *readdir(dir: FileNode): Generator<DirEntry> {
    const place = `object ${dir.id}`;
    const inner = within(place, () => this.#directory(dir).entries());
    for (let count = 0; ; ) {
      const next = within(place, () => inner.next());
      if (next.done) return;
      const entry = next.value;
      this.#objset.pool.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      const { name } = entry;
      // What no path can name.
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const kind = KINDS[entry.high >>> 28];
      const node = () => this.#target(entry);
      yield kind === undefined ? { name, node } : { name, kind, node };
    }
  }

  readlink(link: FileNode): ByteString {
    if (link.kind !== 'symlink') throw corrupt(`${link.id} is not a symbolic link`);
    if (link.size > LIMITS.pathBytes) throw limit(`link of ${link.size} bytes, maximum ${LIMITS.pathBytes}`);
    const target =
      link.target ?? within(`object ${link.id}`, () => fromBytes(link.dnode.read(0, link.size).bytes));
    const text = target.slice(0, link.size);
    if (text.includes('\0')) throw corrupt('a link with a zero byte in it', `object ${link.id}`);
    return text.startsWith('/') ? this.prefix + text : text;
  }

  *extents(file: FileNode): Generator<Extent> {
    if (file.kind !== 'file') throw corrupt(`${file.id} is not a regular file`);
    const { dnode, size } = file;
    const { blockSize, pool } = dnode;
    const place = `object ${file.id}`;
    const inner = dnode.pointers();
    for (;;) {
      const next = within(place, () => inner.next());
      if (next.done) return;
      const { id, pointer } = next.value;
      const offset = id * blockSize;
      if (offset >= size) return;
      const length = Math.min(blockSize, size - offset);
      yield {
        kind: 'packed',
        offset,
        length,
        unpack: () =>
          within(place, () => {
            const { bytes } = pool.block(pointer);
            if (bytes.length >= length) return bytes.subarray(0, length);
            const whole = Buffer.alloc(length);
            whole.set(bytes);
            return whole;
          }),
      };
    }
  }
}
