/** What a member's headers say together: GNU's long names, extended headers, global ones. */
import { corrupt, limit } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import type { Window } from '../../lib/fs/archive';
import type { NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { type Header, number, readHeader, sumIsRight, text } from './header';
import {
  BLOCK,
  EXTENSION_MOST,
  GLOBALS_MOST,
  HEADERS_MOST,
  OldGnuHeader,
  SPARSE_ENTRY,
  SPARSE_NUMBER,
  SparseHeader,
  TYPE,
} from './layout';
import { decimal, type Extended, readExtended } from './pax';

/** Where the map of a file with holes is. */
export type SparseMap =
  /** In the header at this place and in the blocks behind it (GNU). */
  | { readonly form: 'blocks'; readonly at: number }
  /** In the extended header: offset and length in turn (0.0, 0.1). */
  | { readonly form: 'numbers'; readonly numbers: readonly number[] }
  /** Before the data, in lines (1.0). */
  | { readonly form: 'lines' };

export interface TarMember {
  /** Of its first header. */
  readonly place: number;
  readonly path: ByteString;
  /** Undefined: nothing that an unpacked tree has. */
  readonly kind: NodeKind | undefined;
  /** The file's size. */
  readonly size: number;
  readonly mtime: number;
  /** Target of a symbolic link. */
  readonly target: ByteString;
  readonly hardLink?: ByteString;
  readonly sparse?: SparseMap;
  readonly dataAt: number;
  /** Bytes in the archive. */
  readonly stored: number;
  readonly next: number;
  /** A volume label's, not a file's. */
  readonly label?: ByteString;
}

const KINDS: Readonly<Record<string, NodeKind | undefined>> = {
  [TYPE.link]: 'symlink',
  [TYPE.character]: 'other',
  [TYPE.block]: 'other',
  [TYPE.directory]: 'directory',
  [TYPE.fifo]: 'other',
  [TYPE.dumpDirectory]: 'directory',
};
/** What is kept beside files, and parts of files that began elsewhere. */
const NO_FILES = new Set<string>([TYPE.continued, TYPE.oldLongName, TYPE.label, TYPE.accessList, TYPE.inode]);
/** Whose `size` means no bytes in the archive. */
const NO_BYTES = new Set<string>([
  TYPE.link,
  TYPE.character,
  TYPE.block,
  TYPE.directory,
  TYPE.fifo,
  TYPE.label,
]);

const blocks = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK;

export class Members {
  /** In order: from this place on these hold for all members. */
  readonly #globals: { readonly at: number; readonly values: ReadonlyMap<string, ByteString> }[] = [];

  constructor(readonly window: Window) {}

  /** @returns undefined at the end of the archive @throws GuestError `corrupt`, `limit` */
  read(place: number): TarMember | undefined {
    let extended: Extended | undefined;
    let longName: ByteString | undefined;
    let longLink: ByteString | undefined;
    let at = place;
    for (let count = 0; count < HEADERS_MOST; count++) {
      const block = this.#block(at);
      if (!block) {
        if (count > 0) throw corrupt('the archive ends after an extended header');
        return undefined;
      }
      const header = readHeader(block);
      switch (header.type) {
        case TYPE.longName:
          longName = text(this.#extension(at, header));
          break;
        case TYPE.longLink:
          longLink = text(this.#extension(at, header));
          break;
        case TYPE.extended:
        case TYPE.solarisExtended:
          extended = readExtended(this.#extension(at, header), this.window.ctx);
          break;
        case TYPE.global:
          this.#global(at, readExtended(this.#extension(at, header), this.window.ctx));
          break;
        default:
          return this.#member(place, at, header, extended, longName, longLink);
      }
      at += BLOCK + blocks(header.size);
    }
    throw corrupt(`more than ${HEADERS_MOST} headers before a member`);
  }

  /** The header at `at`, its sum verified; undefined: the archive ends. */
  #block(at: number): Buffer | undefined {
    const { source, ctx } = this.window;
    ctx.budget.step();
    if (at + BLOCK > source.size) {
      if (at > source.size) throw corrupt(`a header at ${at}, beyond the end (${source.size} bytes)`);
      return undefined;
    }
    const block = this.window.take(at, BLOCK);
    if (!sumIsRight(block)) {
      if (block.every((b) => b === 0)) return undefined;
      throw corrupt('the checksum of its header is wrong');
    }
    return block;
  }

  #extension(at: number, { size }: Header): Buffer {
    if (size > EXTENSION_MOST) throw limit(`an extended header of ${size} bytes, maximum ${EXTENSION_MOST}`);
    return readBytes(this.window.source, at + BLOCK, size, this.window.ctx);
  }

  #global(at: number, { values }: Extended): void {
    const last = this.#globals[this.#globals.length - 1];
    // Met again when a member behind it is looked at.
    if (values.size === 0 || (last && last.at >= at)) return;
    if (this.#globals.length >= GLOBALS_MOST) throw limit(`more than ${GLOBALS_MOST} global headers`);
    this.#globals.push({ at, values: new Map([...(last?.values ?? []), ...values]) });
  }

  #globalBefore(at: number): ReadonlyMap<string, ByteString> | undefined {
    let low = 0;
    let high = this.#globals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#globals[middle]!.at < at) low = middle + 1;
      else high = middle;
    }
    return this.#globals[low - 1]?.values;
  }

  #member(
    place: number,
    at: number,
    header: Header,
    extended: Extended | undefined,
    longName: ByteString | undefined,
    longLink: ByteString | undefined,
  ): TarMember {
    const global = this.#globalBefore(at);
    const said = (key: string): ByteString | undefined =>
      (extended?.values.get(key) ?? global?.get(key)) || undefined;
    const { type } = header;
    const sizeSaid = said('size');
    let stored = sizeSaid === undefined ? header.size : decimal(sizeSaid, 'size');
    const path = said('GNU.sparse.name') ?? said('path') ?? longName ?? header.name;
    const target = said('linkpath') ?? longLink ?? header.linkName;
    let dataAt = at + BLOCK;
    let sparse: SparseMap | undefined;
    let size = stored;
    if (type === TYPE.sparse) {
      sparse = { form: 'blocks', at };
      const old = OldGnuHeader.read(this.window.take(at, BLOCK));
      size = number(old.realsize, 'realsize');
      for (let more = old.isextended; more !== 0; dataAt += BLOCK) {
        this.window.ctx.budget.step();
        more = SparseHeader.read(this.window.take(dataAt, BLOCK)).isextended;
      }
    } else if (extended) {
      sparse = mapOf(extended);
      const real = extended.values.get('GNU.sparse.realsize') ?? extended.values.get('GNU.sparse.size');
      if (sparse) size = decimal(real ?? '', 'GNU.sparse.realsize');
    }
    if (size < 0) throw corrupt(`a size of ${size} bytes`);
    let kind = NO_FILES.has(type) ? undefined : (KINDS[type] ?? 'file');
    let hardLink: ByteString | undefined;
    if (NO_BYTES.has(type)) stored = 0;
    else if (type === TYPE.hardLink && !(stored > 0 && this.#hasBytes(dataAt, extended))) {
      hardLink = target;
      stored = 0;
    } else if ((type === TYPE.file || type === TYPE.oldFile) && path.endsWith('/')) kind = 'directory';
    const mtime = said('mtime');
    return {
      place,
      path,
      kind,
      size: kind === 'file' ? size : kind === 'symlink' ? target.length : 0,
      mtime: mtime === undefined ? header.mtime : Math.floor(Number.parseFloat(mtime)) || 0,
      target,
      ...(hardLink === undefined ? {} : { hardLink }),
      ...(sparse ? { sparse } : {}),
      dataAt,
      stored,
      next: dataAt + blocks(stored),
      ...(type === TYPE.label ? { label: path } : {}),
    };
  }

  /** A hard link with a size: POSIX lets its bytes follow, older makers state the file's size and store nothing. */
  #hasBytes(at: number, extended: Extended | undefined): boolean {
    if (extended) return true;
    if (at + BLOCK > this.window.source.size) return false;
    const block = this.window.take(at, BLOCK);
    return !sumIsRight(block) && block.some((b) => b !== 0);
  }
}

function mapOf({ values, pieces }: Extended): SparseMap | undefined {
  const map = values.get('GNU.sparse.map');
  if (map !== undefined)
    return {
      form: 'numbers',
      numbers: map === '' ? [] : map.split(',').map((n) => decimal(n, 'GNU.sparse.map')),
    };
  if (values.get('GNU.sparse.major') === '1' && values.get('GNU.sparse.minor') === '0')
    return { form: 'lines' };
  return pieces.length > 0 || values.has('GNU.sparse.size')
    ? { form: 'numbers', numbers: pieces }
    : undefined;
}

/** The four or twenty-one pieces of a block of GNU's map, offset and length in turn. */
export function* blockNumbers(sp: Buffer): Generator<number> {
  for (let at = 0; at < sp.length && sp[at] !== 0; at += SPARSE_ENTRY) {
    yield number(sp.subarray(at, at + SPARSE_NUMBER), 'offset');
    yield number(sp.subarray(at + SPARSE_NUMBER, at + SPARSE_ENTRY), 'numbytes');
  }
}
