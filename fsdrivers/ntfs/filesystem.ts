/** An NTFS as the shared walk and copy see it. */
import { corrupt, GuestError, unsupported, within } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { fromUtf16, toUtf16 } from '../../lib/bytes/utf16';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { attributeExtents } from './data';
import { DirectoryIndex, type Entry, Wanted } from './index';
import {
  ATTR,
  EPOCH,
  FILE,
  FILE_ATTRIBUTE,
  I30_DIRECTORY,
  INTX_LINK,
  REPARSE_MOST,
  StandardInformation,
} from './layout';
import { elsewhere, INTERIX_MOST, interixKind, interixTarget, reparseKind, reparseTarget } from './links';
import type { MftRecord, Reference } from './record';
import type { Attribute, NtfsVolume } from './volume';

interface NtfsNode extends FsNode {
  readonly id: number;
  readonly sequence: number;
}

const NAME_UNITS = 255;
/** A path's directories: of each its record, and the runs of its blocks. */
const KEPT_INDEXES = 8;

export class NtfsFileSystem implements FileSystem {
  readonly type = 'ntfs';
  readonly grubName = 'ntfs';
  readonly ignoresCase = true;
  readonly uuid: string;
  readonly root: NtfsNode;
  readonly #volume: NtfsVolume;
  readonly #indexes = new Map<number, DirectoryIndex>();
  #label: { readonly text: ByteString | undefined } | undefined;

  constructor(volume: NtfsVolume) {
    this.#volume = volume;
    this.uuid = volume.geometry.uuid;
    this.root = this.#node({ number: FILE.root, sequence: 0 });
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory', 'MFT record 5');
  }

  /** Read when asked for. */
  get label(): ByteString | undefined {
    this.#label ??= { text: this.#readLabel() };
    return this.#label.text;
  }

  lookup(dir: FsNode, name: ByteString): NtfsNode | undefined {
    const units = toUtf16(name);
    if (!units || units.length === 0 || units.length > NAME_UNITS) return undefined;
    const index = this.#index(dir);
    const wanted = new Wanted(units, this.#volume.upcase);
    let found: Reference | undefined;
    try {
      found = exactFirst(wanted, index.names(wanted), true);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      found = exactFirst(wanted, index.rest(), false);
      if (!found) throw error;
      this.#volume.warnOnce('index', `NTFS ${error.describe()}; reading the whole directory`);
    }
    return found && this.#node(found);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const entry of this.#index(dir).names()) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      const { file } = entry;
      // The filesystem's own files are not listed.
      if (entry.isDosName || file.number < FILE.firstUser) continue;
      const { name } = entry;
      // What no path can name.
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      // What the index says of links and special files may be old.
      const isDirectory =
        (entry.attributes & I30_DIRECTORY) !== 0 && (entry.attributes & FILE_ATTRIBUTE.reparsePoint) === 0;
      yield { name, ...(isDirectory ? { kind: 'directory' } : {}), node: () => this.#node(file) };
    }
  }

  readlink(link: FsNode): ByteString {
    const record = this.#record(link);
    if (link.kind !== 'symlink') throw corrupt('not a symbolic link', record.place);
    return within(record.place, () => {
      const reparse = this.#reparse(record);
      if (reparse) return reparseTarget(reparse);
      const data = this.#volume.attribute(record, ATTR.data);
      if (!data) throw corrupt('a link without data');
      return interixTarget(this.#volume.bytes(data, INTERIX_MOST, 'link'));
    });
  }

  *extents(file: FsNode): Generator<Extent> {
    const record = this.#record(file);
    if (file.kind !== 'file') throw corrupt('not a regular file', record.place);
    const reparse = this.#reparse(record);
    if (reparse) throw unsupported(elsewhere(reparse), record.place);
    const data = this.#volume.attribute(record, ATTR.data);
    if (!data) return;
    const extents = attributeExtents(this.#volume, data);
    for (;;) {
      const next = within(record.place, () => extents.next());
      if (next.done) return;
      const extent = next.value;
      yield extent.kind === 'packed'
        ? { ...extent, unpack: () => within(record.place, () => extent.unpack()) }
        : extent;
    }
  }

  #record(node: FsNode): MftRecord {
    const { id, sequence } = node as NtfsNode;
    return this.#volume.record({ number: id, sequence });
  }

  #index(dir: FsNode): DirectoryIndex {
    const { kind, id } = dir as NtfsNode;
    if (kind !== 'directory') throw corrupt('not a directory', `MFT record ${id}`);
    let index = this.#indexes.get(id);
    if (!index) {
      index = new DirectoryIndex(this.#volume, this.#record(dir));
      if (this.#indexes.size >= KEPT_INDEXES) this.#indexes.clear();
      this.#indexes.set(id, index);
    }
    return index;
  }

  #reparse(record: MftRecord): Buffer | undefined {
    const attribute = this.#volume.attribute(record, ATTR.reparsePoint);
    return attribute && this.#volume.bytes(attribute, REPARSE_MOST, 'reparse point');
  }

  #node({ number, sequence }: Reference): NtfsNode {
    const record = this.#volume.record({ number, sequence });
    if (record.head.base_mft_record !== 0n) throw corrupt('a part of another file', record.place);
    const standard = this.#volume.attribute(record, ATTR.standardInformation)?.resident;
    if (!standard) throw corrupt('no standard information', record.place);
    const { file_attributes: attributes, last_data_change_time } = StandardInformation.read(standard);
    const data = record.isDirectory ? undefined : this.#volume.attribute(record, ATTR.data);
    const reparse = this.#reparse(record);
    const special = reparse
      ? reparseKind(reparse)
      : data && attributes & FILE_ATTRIBUTE.system
        ? this.#interix(data, (attributes & FILE_ATTRIBUTE.hidden) !== 0)
        : undefined;
    const kind = special ?? (record.isDirectory ? 'directory' : 'file');
    return {
      kind,
      size: kind === 'symlink' && !reparse ? (data!.size - INTX_LINK.length) >>> 1 : (data?.size ?? 0),
      id: number,
      sequence: record.head.sequence_number,
      mtime: Math.floor(Number(last_data_change_time) / 1e7) - EPOCH,
    };
  }

  #interix(data: Attribute, isHidden: boolean): NodeKind | undefined {
    if (data.size > INTERIX_MOST) return undefined;
    return interixKind(this.#volume.bytes(data, INTERIX_MOST, 'system file'), data.size, isHidden);
  }

  #readLabel(): ByteString | undefined {
    try {
      const record = this.#volume.record({ number: FILE.volume, sequence: 0 });
      const name = this.#volume.attribute(record, ATTR.volumeName)?.resident;
      // libblkid leaves white space at the end out.
      const text = name && fromUtf16(name, 0, name.length >>> 1).replace(/[\0 \t\n\v\f\r]+$/, '');
      return text || undefined;
    } catch (error) {
      // A damaged $Volume is told when the filesystem is opened; a label is not worth an error.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      return undefined;
    }
  }
}

/** The entry of just this name, else the first that differs from it in case alone. */
function exactFirst(wanted: Wanted, entries: Iterable<Entry>, sorted: boolean): Reference | undefined {
  let same: Reference | undefined;
  for (const entry of entries) {
    const order = wanted.compare(entry);
    if (order > 0 && sorted) break;
    if (order !== 0 || entry.isDosName) continue;
    if (wanted.isExactly(entry)) return entry.file;
    same ??= entry.file;
  }
  return same;
}
