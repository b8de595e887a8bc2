/** A UDF as the shared walk and copy see it. */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, printable } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import type { Entry } from './icb';
import {
  AD,
  CHARACTERISTIC,
  COMPONENT,
  COMPONENT_HEADER,
  DIRECTORY_MOST,
  FileIdentifierDescriptor,
  FileSetDescriptor,
  LongAllocationDescriptor,
  TAG,
  Tag,
} from './layout';
import { fromCs0, toCs0 } from './names';
import type { UdfVolume } from './volume';

/** A file identifier descriptor in the bytes that hold it. */
interface Identifier {
  readonly bytes: Buffer;
  readonly at: number;
  /** Bytes, with padding. */
  readonly length: number;
  readonly name: Buffer;
  readonly icb: Buffer;
}

export class UdfFileSystem implements FileSystem {
  readonly type = 'udf';
  readonly grubName = 'udf';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: Entry;
  readonly #volume: UdfVolume;

  constructor(volume: UdfVolume) {
    const { uuid, label, fileSet } = volume.logical;
    this.#volume = volume;
    if (uuid !== undefined) this.uuid = uuid;
    if (label !== undefined) this.label = label;
    const { ExtentBlock, ExtentPartition } = LongAllocationDescriptor.read(fileSet);
    const place = `file set descriptor ${ExtentPartition}:${ExtentBlock}`;
    const b = within(place, () => volume.block(ExtentPartition, ExtentBlock));
    if (Tag.read(b).TagIdentifier !== TAG.fileSet) throw corrupt('no file set descriptor', place);
    volume.verify(b, 0, ExtentBlock, place);
    this.root = within('root directory', () => volume.entries.at(FileSetDescriptor.read(b).RootDirectoryICB));
    if (this.root.kind !== 'directory') throw corrupt('it is none', 'root directory');
  }

  lookup(dir: FsNode, name: ByteString): Entry | undefined {
    const [eight, sixteen] = toCs0(name);
    for (const found of this.#identifiers(own(dir)))
      if ((eight && found.name.equals(eight)) || found.name.equals(sixteen)) {
        this.#verify(own(dir), found);
        return this.#node(name, found);
      }
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const found of this.#identifiers(own(dir))) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${dir.id}`);
      this.#verify(own(dir), found);
      const name = fromCs0(found.name);
      if (name === undefined) {
        this.#volume.warnOnce('names', `ICB ${dir.id}: a name of kind ${found.name[0]}, which is left out`);
        continue;
      }
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const icb = Buffer.from(found.icb);
      yield { name, node: () => this.#node(name, { icb }) };
    }
  }

  readlink(link: FsNode): ByteString {
    const entry = own(link);
    const place = `ICB ${entry.id}`;
    if (entry.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    // A component has four bytes more than its name, a character one or two.
    if (entry.size > 4 * LIMITS.pathBytes) throw limit(`link of ${entry.size} bytes`, place);
    const b = this.#volume.entries.whole(entry);
    let target = '';
    for (let at = 0; at < b.length; ) {
      const end = at + COMPONENT_HEADER + b[at + 1]!;
      if (!(end <= b.length)) throw corrupt('a component of its path does not fit', place);
      const slash = target === '' || target.endsWith('/') ? '' : '/';
      switch (b[at]) {
        case COMPONENT.alias:
          // A place that was agreed upon: Linux passes over it.
          if (end > at + COMPONENT_HEADER) break;
          target = '/';
          break;
        case COMPONENT.root:
          target = '/';
          break;
        case COMPONENT.parent:
          target += `${slash}..`;
          break;
        case COMPONENT.current:
          target += `${slash}.`;
          break;
        case COMPONENT.name: {
          const name = fromCs0(b.subarray(at + COMPONENT_HEADER, end));
          if (name === undefined || name.includes('\0')) throw corrupt('a component without a name', place);
          target += slash + name;
          break;
        }
        default:
          throw corrupt(`a component of kind ${b[at]}`, place);
      }
      at = end;
    }
    if (target.length > LIMITS.pathBytes)
      throw limit(`link of ${target.length} bytes, maximum ${LIMITS.pathBytes}`, place);
    return target;
  }

  *extents(file: FsNode): Generator<Extent> {
    const entry = own(file);
    if (entry.kind !== 'file') throw corrupt('not a regular file', `ICB ${entry.id}`);
    const { entries, source } = this.#volume;
    if (entry.form === AD.embedded)
      yield { kind: 'inline', offset: 0, length: entry.size, bytes: entry.descriptors };
    else for (const run of entries.runs(entry)) yield { kind: 'data', source, ...run };
  }

  /** What is there: neither deleted nor the way up. */
  *#identifiers(dir: Entry): Generator<Identifier> {
    const place = `ICB ${dir.id}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', place);
    if (dir.size > DIRECTORY_MOST)
      throw limit(`directory of ${dir.size} bytes, maximum ${DIRECTORY_MOST}`, place);
    const { budget } = this.#volume.ctx;
    let rest: Buffer = Buffer.alloc(0);
    for (const piece of this.#volume.entries.pieces(dir)) {
      const bytes = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
      let at = 0;
      for (;;) {
        budget.step();
        if (at + FileIdentifierDescriptor.size > bytes.length) break;
        const tag = bytes.readUInt16LE(at);
        if (tag !== TAG.fileIdentifier) throw corrupt(`tag ${tag} where a file identifier is wanted`, place);
        const nameAt = at + FileIdentifierDescriptor.size + bytes.readUInt16LE(at + 36);
        const end = nameAt + bytes[at + 19]!;
        if (end > bytes.length) break;
        const next = at + Math.ceil((end - at) / 4) * 4;
        if ((bytes[at + 18]! & (CHARACTERISTIC.deleted | CHARACTERISTIC.parent)) === 0)
          yield {
            bytes,
            at,
            length: next - at,
            name: bytes.subarray(nameAt, end),
            icb: bytes.subarray(at + 20, at + 36),
          };
        at = next;
      }
      rest = bytes.subarray(Math.min(at, bytes.length));
    }
    if (rest.length > 0) throw corrupt(`${rest.length} bytes at the end are no file identifier`, place);
  }

  /** The tag of what is used; its location is the block of the directory, which may lie anywhere. */
  #verify(dir: Entry, { bytes, at, length }: Identifier): void {
    const location = bytes.readUInt32LE(at + 12);
    this.#volume.verify(bytes.subarray(at, at + length), 0, location, `file identifier in ICB ${dir.id}`);
  }

  #node(name: ByteString, { icb }: Pick<Identifier, 'icb'>): Entry {
    return within(`'${printable(name)}'`, () => this.#volume.entries.at(icb));
  }
}

const own = (node: FsNode): Entry => node as Entry;
