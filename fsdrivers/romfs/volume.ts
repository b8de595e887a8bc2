/** Superblock and file headers, their sums verified. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, printable } from '../../lib/bytes/text';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  ALIGN,
  HARD_LINKS_MOST,
  Inode,
  MAGIC,
  NEXT_MASK,
  SUMMED,
  SuperBlock,
  TYPE,
  TYPE_MASK,
} from './layout';

const KINDS: Readonly<Record<number, NodeKind>> = {
  [TYPE.directory]: 'directory',
  [TYPE.file]: 'file',
  [TYPE.link]: 'symlink',
};

export interface Header {
  readonly name: ByteString;
  readonly type: number;
  /** 0: none. */
  readonly next: number;
  readonly spec: number;
  readonly size: number;
  readonly dataAt: number;
}

export interface RomNode extends FsNode {
  /** Of the header. */
  readonly id: number;
  /** Of a directory: where its first header is. */
  readonly first: number;
  readonly dataAt: number;
}

/** The 32-bit numbers add up to zero. */
function sum(bytes: Buffer): number {
  let total = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) total = (total + bytes.readInt32BE(at)) | 0;
  return total;
}

export class RomVolume {
  readonly size: number;
  readonly label: ByteString;
  /** Of the root's header. */
  readonly root: number;
  /** Headers whose wrong sum has been told. */
  readonly #told = new Set<number>();

  /** @throws GuestError `corrupt` */
  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
  ) {
    const { magic, size } = SuperBlock.read(readBytes(source, 0, SuperBlock.size, ctx));
    if (magic !== MAGIC) throw corrupt('no romfs superblock');
    if (size < 2 * (SuperBlock.size + ALIGN)) throw corrupt(`a filesystem of ${size} bytes`);
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    // Before the name is read: it may need what lies beyond.
    this.size = Math.min(size, source.size);
    if (sum(readBytes(source, 0, Math.min(SUMMED, this.size), ctx)) !== 0)
      ctx.warn('romfs: the checksum of the superblock is wrong');
    const { name, end } = this.#name(SuperBlock.size);
    this.label = name;
    this.root = end;
  }

  header(at: number): Header {
    const { size } = Inode;
    return within(`file header at ${at}`, () => {
      if (at < SuperBlock.size + ALIGN || at + size + ALIGN > this.size)
        throw corrupt(`outside the filesystem (${this.size} bytes)`);
      const { next, spec, size: bytes } = Inode.read(readBytes(this.source, at, size, this.ctx));
      const { name, end } = this.#name(at + size);
      if (!this.#told.has(at) && sum(readBytes(this.source, at, end - at, this.ctx)) !== 0) {
        this.#told.add(at);
        this.ctx.warn(`romfs: the checksum of ${printable(name)}'s header at ${at} is wrong`);
      }
      return {
        name,
        type: next & TYPE_MASK,
        next: (next & NEXT_MASK) >>> 0,
        spec,
        size: bytes,
        dataAt: end,
      };
    });
  }

  /** What the header is, or what it is a hard link to. */
  node(at: number): RomNode {
    let place = at;
    for (let links = 0; links <= HARD_LINKS_MOST; links++) {
      const { type, spec, size, dataAt } = this.header(place);
      if (type === TYPE.hardLink) {
        place = (spec & NEXT_MASK) >>> 0;
        continue;
      }
      const kind = KINDS[type] ?? 'other';
      return {
        kind,
        size: kind === 'file' || kind === 'symlink' ? size : 0,
        id: place,
        first: kind === 'directory' ? (spec & NEXT_MASK) >>> 0 : 0,
        dataAt,
      };
    }
    throw corrupt(`more than ${HARD_LINKS_MOST} hard links to each other`, `file header at ${at}`);
  }

  /** A name, and where what follows it begins. */
  #name(at: number): { name: ByteString; end: number } {
    const parts: Buffer[] = [];
    for (let here = at; here - at <= LIMITS.pathBytes; here += ALIGN) {
      if (here + ALIGN > this.size) throw corrupt('a name that reaches beyond the filesystem');
      const part = readBytes(this.source, here, ALIGN, this.ctx);
      const end = part.indexOf(0);
      if (end < 0) parts.push(part);
      else {
        parts.push(part.subarray(0, end));
        return { name: fromBytes(Buffer.concat(parts)), end: here + ALIGN };
      }
    }
    throw limit(`a name of more than ${LIMITS.pathBytes} bytes`);
  }
}
