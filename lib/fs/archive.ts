/**
 * Archives as filesystems: what cpio and tar share. A member is a path and a place; directories that no member names are
 * there all the same; what comes later replaces what has the same path, as when it is unpacked.
 */
import type { Context } from '../bytes/budget';
import { corrupt, GuestError, limit } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import { type ByteString, printable } from '../bytes/text';
import { type BlockSource, checkRange, readBytes } from '../source/types';
import { NameTable, NONE } from './name-table';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from './types';

/** Members that are left out are told one by one up to here. */
const TOLD = 8;
/** Those of one path too, which take no name of their own. */
const MEMBERS_MOST = 2_000_000;
/** Symbolic links that the paths of all members lead through; each is read for it. */
const LINKS_MOST = 500_000;
const WINDOW = 8192;

export interface Member {
  readonly path: ByteString;
  readonly kind: NodeKind;
  /** Of its header: what `node` is asked with. */
  readonly place: number;
  /** The same file as this earlier member's. */
  readonly hardLink?: ByteString;
}

/** What `node` says of a member. */
export interface MemberNode extends FsNode {
  readonly place: number;
}

/** One format. */
export interface Archive {
  readonly type: string;
  readonly grubName: string;
  readonly label?: ByteString;
  /** In the archive's order; what cannot be read ends it with a warning. */
  members(): Iterable<Member>;
  node(place: number): MemberNode;
  /** Of a symbolic link. */
  target(place: number): ByteString;
  extents(place: number): Iterable<Extent>;
}

interface ArchiveNode extends FsNode {
  readonly entry: number;
  /** Of the member; `NONE`: a directory that no member names. */
  readonly place: number;
}

export class ArchiveFileSystem implements FileSystem {
  readonly type: string;
  readonly grubName: string;
  readonly label?: ByteString;
  readonly root: FsNode;
  readonly #archive: Archive;
  readonly #ctx: Context;
  #made: NameTable | GuestError | undefined;
  #leftOut = 0;
  #linksLeft = LINKS_MOST;

  constructor(archive: Archive, ctx: Context) {
    this.#archive = archive;
    this.#ctx = ctx;
    this.type = archive.type;
    this.grubName = archive.grubName;
    if (archive.label !== undefined) this.label = archive.label;
    const root: ArchiveNode = { kind: 'directory', size: 0, id: 'directory 0', entry: 0, place: NONE };
    this.root = root;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const entry = this.#names.find(directory(dir), name);
    return entry === NONE ? undefined : this.#node(entry);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const names = this.#names;
    for (const entry of names.children(directory(dir)))
      yield { name: names.name(entry), kind: names.kind(entry), node: () => this.#node(entry) };
  }

  readlink(link: FsNode): ByteString {
    const { kind, place } = link as ArchiveNode;
    if (kind !== 'symlink') throw corrupt(`${link.id} is not a symbolic link`);
    return this.#target(place);
  }

  extents(file: FsNode): Iterable<Extent> {
    const { kind, place } = file as ArchiveNode;
    if (kind !== 'file') throw corrupt(`${file.id} is not a regular file`);
    return this.#archive.extents(place);
  }

  #node(entry: number): ArchiveNode {
    const place = this.#names.place(entry);
    const kind = this.#names.kind(entry);
    if (place === NONE) return { kind, size: 0, id: `directory ${entry}`, entry, place };
    const node = this.#archive.node(place);
    return { ...node, kind, entry, ...(kind === 'directory' ? { size: 0, id: `directory ${entry}` } : {}) };
  }

  /**
   * Made at the first question: an archive has no index, and most volumes are only asked what they are. What fails is not
   * tried again.
   */
  get #names(): NameTable {
    this.#made ??= this.#index();
    if (this.#made instanceof NameTable) return this.#made;
    const { code, message, where } = this.#made;
    throw new GuestError(code, message, [...where]);
  }

  #index(): NameTable | GuestError {
    try {
      const names = new NameTable(this.#ctx);
      let count = 0;
      for (const member of this.#archive.members()) {
        this.#ctx.budget.step();
        if (++count > MEMBERS_MOST) throw limit(`more than ${MEMBERS_MOST} members`);
        const why = this.#put(names, member);
        if (why !== undefined) this.#tell(member.path, why);
      }
      return names;
    } catch (error) {
      if (error instanceof GuestError) return error;
      throw error;
    }
  }

  #tell(path: ByteString, why: string): void {
    this.#leftOut++;
    if (this.#leftOut <= TOLD) this.#ctx.warn(`${this.type}: ${printable(path)} is left out: ${why}`);
    else if (this.#leftOut === TOLD + 1)
      this.#ctx.warn(`${this.type}: further members are left out, and not told`);
  }

  /** @returns why the member is left out */
  #put(names: NameTable, member: Member): string | undefined {
    const parts = split(member.path);
    if (parts.length > 0 && member.path.length > LIMITS.pathBytes)
      return `a path of ${member.path.length} bytes, maximum ${LIMITS.pathBytes}`;
    if (parts.includes('..')) return "'..' in its path";
    if (/\0/.test(member.path)) return 'a zero byte in its path';
    let { kind, place } = member;
    if (member.hardLink !== undefined) {
      const path = split(member.hardLink);
      const last = path.pop();
      const parent = this.#walk(names, path, false);
      const entry = last === undefined || parent === NONE ? NONE : names.find(parent, last);
      if (entry === NONE || names.kind(entry) === 'directory')
        return `a hard link to ${printable(member.hardLink)}, which no member before it is`;
      kind = names.kind(entry);
      place = names.place(entry);
    }
    const last = parts.pop();
    if (last === undefined) return kind === 'directory' ? undefined : 'no name';
    const parent = this.#walk(names, parts, true);
    if (parent === NONE) return 'what it would lie in is not a directory';
    const entry = names.add(parent, last);
    if (kind !== 'directory' && names.hasChildren(entry)) return 'a directory that has members';
    names.set(entry, kind, place);
    return undefined;
  }

  /** The directory at the end of `path`, through symbolic links as when it is unpacked; `NONE`: there is none. */
  #walk(names: NameTable, path: readonly ByteString[], make: boolean): number {
    let here = 0;
    let links = 0;
    const todo = [...path].reverse();
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (name === '..') {
        here = Math.max(0, names.parent(here));
        continue;
      }
      const next = make ? names.add(here, name) : names.find(here, name);
      if (next === NONE) return NONE;
      const kind = names.kind(next);
      if (kind === 'symlink') {
        if (++links > LIMITS.symlinks) return NONE;
        if (--this.#linksLeft < 0) throw limit(`paths lead through more than ${LINKS_MOST} symbolic links`);
        const target = this.#target(names.place(next));
        if (target === '') return NONE;
        if (target.startsWith('/')) here = 0;
        todo.push(...split(target).reverse());
      } else if (kind === 'directory') here = next;
      else return NONE;
    }
    return here;
  }

  #target(place: number): ByteString {
    const target = this.#archive.target(place);
    if (target.length > LIMITS.pathBytes)
      throw limit(`link of ${target.length} bytes, maximum ${LIMITS.pathBytes}`);
    if (target.includes('\0')) throw corrupt('a link with a zero byte in it', `member at ${place}`);
    return target;
  }
}

const split = (path: ByteString): ByteString[] =>
  path.split('/').filter((part) => part !== '' && part !== '.');

function directory(dir: FsNode): number {
  const { kind, entry } = dir as ArchiveNode;
  if (kind !== 'directory') throw corrupt(`${dir.id} is not a directory`);
  return entry;
}

/** Small pieces one after the other, without a read and a buffer each. */
export class Window {
  #at = 0;
  #held = 0;
  readonly #bytes = Buffer.alloc(WINDOW);

  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
  ) {}

  /** A view, until the next call. @throws GuestError `corrupt` beyond the end */
  take(at: number, length: number): Buffer {
    if (length > WINDOW) return readBytes(this.source, at, length, this.ctx);
    if (at < this.#at || at + length > this.#at + this.#held) {
      checkRange(this.source, at, length);
      const held = Math.min(WINDOW, this.source.size - at);
      this.ctx.budget.read(held);
      this.#held = 0;
      this.source.read(at, this.#bytes.subarray(0, held));
      this.#at = at;
      this.#held = held;
    }
    return this.#bytes.subarray(at - this.#at, at - this.#at + length);
  }
}
