/** An ISO 9660 filesystem as the shared walk and copy see it. */
import { corrupt, GuestError, unsupported } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { shortTime } from './dates';
import { type IsoRecord, isParent, isSelf, readRecord, readRecords } from './directory';
import type { IsoDisk, Section } from './disk';
import { FLAG } from './layout';
import { enhancedName, folded, jolietName, primaryName } from './names';
import { type Attributes, linkTarget, type RockRidge, readAttributes } from './rockridge';
import type { Root } from './root';
import { readZisofsEntry, type Zisofs, zisofsExtents } from './zisofs';

interface IsoNode extends FsNode {
  readonly sections: readonly Section[];
  /** Bytes of the sections: less than `size` when the file is compressed. */
  readonly stored: number;
  readonly zisofs?: Zisofs;
  readonly target?: ByteString;
  /** Why the contents or the target cannot be had. */
  readonly problem?: GuestError;
  /** The directory that it was found in. */
  readonly parent?: IsoNode;
}

interface Entry {
  readonly name: ByteString;
  /** The name was made for systems that ignore case. */
  readonly ignoresCase: boolean;
  readonly record: IsoRecord;
  readonly attributes?: Attributes;
}

export class IsoFileSystem implements FileSystem {
  readonly type = 'iso9660';
  readonly grubName = 'iso9660';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: IsoNode;
  /** False with Rock Ridge. */
  readonly ignoresCase: boolean;
  readonly #disk: IsoDisk;
  readonly #rock: RockRidge | undefined;
  readonly #plainName: (identifier: Buffer) => ByteString;

  constructor({ disk, tree, sections, rock }: Root) {
    this.#disk = disk;
    this.#rock = rock;
    this.#plainName =
      tree.kind === 'Joliet' ? jolietName : tree.kind === 'enhanced' ? enhancedName : primaryName;
    this.ignoresCase = rock === undefined;
    if (tree.uuid !== undefined) this.uuid = tree.uuid;
    if (tree.label !== undefined) this.label = tree.label;
    this.root = {
      kind: 'directory',
      size: tree.rootSize,
      id: tree.rootBlock,
      sections,
      stored: tree.rootSize,
    };
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const wanted = folded(name);
    let same: Entry | undefined;
    let damage: GuestError | undefined;
    for (const entry of this.#entries(dir, (error) => (damage ??= error))) {
      if (entry.name === name) return this.#node(entry, dir as IsoNode);
      if (!same && entry.ignoresCase && folded(entry.name) === wanted) same = entry;
    }
    if (same) return this.#node(same, dir as IsoNode);
    // The name may have been in what could not be read.
    if (damage) throw damage;
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let damage: GuestError | undefined;
    let count = 0;
    for (const entry of this.#entries(dir, (error) => (damage ??= error))) {
      this.#disk.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      yield { name: entry.name, kind: kindOf(entry), node: () => this.#node(entry, dir as IsoNode) };
    }
    if (damage) throw damage;
  }

  readlink(link: FsNode): ByteString {
    const { kind, target, problem } = link as IsoNode;
    if (kind !== 'symlink') throw corrupt(`${link.id} is not a symbolic link`);
    if (problem) throw again(problem);
    return target ?? '';
  }

  *extents(file: FsNode): Generator<Extent> {
    const { sections, stored, zisofs, problem } = file as IsoNode;
    if (problem) throw again(problem);
    // All of them first: what is handed out is never only the beginning of a file.
    this.#disk.check(sections);
    if (zisofs) {
      yield* zisofsExtents(this.#disk, zisofs, sections, stored);
      return;
    }
    let offset = 0;
    for (const { at, length } of sections) {
      if (length > 0) yield { kind: 'data', offset, length, source: this.#disk.source, at };
      offset += length;
    }
  }

  /** What a directory shows: no `.` and `..`, no resource forks, no directories that were moved here. */
  *#entries(dir: FsNode, damaged: (error: GuestError) => void): Generator<Entry> {
    if (dir.kind !== 'directory') throw corrupt(`${dir.id} is not a directory`);
    const node = dir as IsoNode;
    if (node.problem) throw again(node.problem);
    for (let above = node.parent; above; above = above.parent)
      if (above.id === node.id) throw corrupt(`the directory in block ${node.id} lies inside itself`);
    for (const record of readRecords(this.#disk, node.sections, node.stored, damaged)) {
      if (isSelf(record) || isParent(record) || record.flags & FLAG.associated) continue;
      let attributes: Attributes | undefined;
      if (this.#rock) {
        try {
          attributes = readAttributes(this.#disk, this.#rock, record.systemUse);
        } catch (error) {
          if (!(error instanceof GuestError) || error.code === 'limit') throw error;
          error.where.unshift(`directory record at byte ${record.position}`);
          damaged(error);
          continue;
        }
        if (attributes.relocated) continue;
      }
      const own = attributes?.name;
      const name = own ?? this.#plainName(record.identifier);
      // What no path can name.
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      yield { name, ignoresCase: own === undefined, record, ...(attributes ? { attributes } : {}) };
    }
  }

  #node(entry: Entry, parent: IsoNode): IsoNode {
    const { record, attributes = {} as Partial<Attributes> } = entry;
    const kind = kindOf(entry);
    const mtime = attributes.mtime ?? shortTime(record.time);
    const common = {
      kind,
      parent,
      ...(mtime === undefined ? {} : { mtime }),
    };
    const where = `'${printable(entry.name)}'`;
    try {
      if (attributes.childBlock !== undefined) return { ...common, ...this.#moved(attributes.childBlock) };
      // A file of no bytes has no extent, a link only a made-up one: the record's place tells it from others.
      const block = record.sections[0] && record.size > 0 ? record.sections[0].at / this.#disk.blockSize : 0;
      const place = {
        id: block > 0 && kind !== 'symlink' ? block : `record at ${record.position}`,
        sections: record.sections,
        stored: record.size,
      };
      if (kind === 'symlink') return { ...common, ...place, ...link(attributes.link ?? [], where) };
      if (kind === 'file') return { ...common, ...place, ...contents(record, attributes, where) };
      return { ...common, ...place, size: record.size };
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      error.where.unshift(where);
      const id = `record at ${record.position}`;
      return { ...common, id, sections: [], stored: 0, size: 0, problem: error };
    }
  }

  /** A directory at another place: its own first record knows its size. */
  #moved(block: number): Pick<IsoNode, 'id' | 'size' | 'sections' | 'stored'> {
    const at = block * this.#disk.blockSize;
    const length = Math.max(0, Math.min(255, this.#disk.source.size - at));
    const self = readRecord(this.#disk, this.#disk.read([{ at, length }], 0, length), 0, at);
    if (!isSelf(self)) throw corrupt(`no directory in block ${block}, where one was moved to`);
    if (this.#rock && readAttributes(this.#disk, this.#rock, self.systemUse).childBlock !== undefined)
      throw corrupt(`the directory moved to block ${block} is moved on from there`);
    return { id: block, size: self.size, sections: [{ at, length: self.size }], stored: self.size };
  }
}

function kindOf({ record, attributes }: Entry): NodeKind {
  if (attributes?.childBlock !== undefined) return 'directory';
  return (
    attributes?.kind ?? (attributes?.link ? 'symlink' : record.flags & FLAG.directory ? 'directory' : 'file')
  );
}

function link(entries: readonly Buffer[], where: string): Pick<IsoNode, 'size' | 'target' | 'problem'> {
  try {
    const target = linkTarget(entries);
    return { size: target.length, target };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    error.where.unshift(where);
    return { size: 0, problem: error };
  }
}

function contents(
  record: IsoRecord,
  attributes: Partial<Attributes>,
  where: string,
): Pick<IsoNode, 'size' | 'zisofs' | 'problem'> {
  if (record.interleaved) return { size: record.size, problem: unsupported('interleaved file', where) };
  if (attributes.sparse) return { size: record.size, problem: unsupported('sparse file (SF)', where) };
  if (!attributes.zisofs) return { size: record.size };
  try {
    const zisofs = readZisofsEntry(attributes.zisofs);
    return { size: zisofs.size, zisofs };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    error.where.unshift(where);
    return { size: record.size, problem: error };
  }
}

/** The same error as a new one: places are put before it on its way out. */
const again = (error: GuestError) => new GuestError(error.code, error.message, [...error.where]);
