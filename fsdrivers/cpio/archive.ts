/** One cpio archive after the other, as an initramfs has them: members in order, and where their bytes are. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, printable } from '../../lib/bytes/text';
import { type Archive, type Member, type MemberNode, Window } from '../../lib/fs/archive';
import { NameTable, NONE } from '../../lib/fs/name-table';
import type { Extent } from '../../lib/fs/types';
import { type BlockSource, readBytes, readOnce } from '../../lib/source/types';
import { type Format, formatAt, type Header, kindOf, readHeader } from './header';
import { LINKED_MOST, TRAILER, ZEROS_MOST } from './layout';

const GRUB_NAMES: Readonly<Record<Format, string>> = {
  newc: 'newc',
  crc: 'newc',
  odc: 'odc',
  binary: 'cpiofs',
  'binary-be': 'cpiofs_be',
};
/** Bytes that are summed at once. */
const PIECE = 256 * 1024;
const PIECE_OF_ZEROS = 4096;

/** Members of one archive that are the same file, of which one has the bytes. */
interface Linked {
  /** By identity: the place of the one with bytes. */
  readonly files: NameTable;
  /** Those without, and what they are in `files`. */
  readonly empty: { readonly place: number; readonly file: number }[];
}

export class CpioArchive implements Archive {
  readonly type = 'cpio';
  readonly grubName: string;
  readonly #window: Window;
  /** Members without bytes that are hard links → the member that has them. */
  readonly #data = new Map<number, number>();
  #linked = 0;
  #zerosLeft = ZEROS_MOST;
  /** Members whose sum has been looked at. */
  readonly #summed = new Set<number>();

  constructor(
    readonly source: BlockSource,
    format: Format,
    readonly ctx: Context,
  ) {
    this.grubName = GRUB_NAMES[format];
    this.#window = new Window(source, ctx);
  }

  *members(): Generator<Member> {
    let linked = this.#none();
    let at = 0;
    /** Ended by a trailer, or not begun. */
    let complete = true;
    for (;;) {
      const format = formatAt(this.#window, at);
      if (!format) {
        const next = this.#nextArchive(at, complete);
        if (next === undefined) break;
        at = next;
        continue;
      }
      const header = this.#headerOrEnd(format, at);
      if (!header) break;
      if (header.name === TRAILER) {
        this.#join(linked);
        linked = this.#none();
        complete = true;
      } else {
        complete = false;
        const kind = kindOf(header.mode);
        if (header.name === undefined)
          this.ctx.warn(`cpio: the member at ${at} is left out: its name is longer than a path can be`);
        else yield { path: header.name, kind, place: at };
        // The other formats store the bytes with each, and cut off numbers of inodes.
        if (kind === 'file' && header.links > 1 && GRUB_NAMES[format] === 'newc')
          this.#remember(linked, header, at);
        if (header.dataAt + header.size > this.source.size) {
          this.ctx.warn(`cpio: ${this.#beyond(header, at)}, and the archive ends there`);
          break;
        }
      }
      at = header.next;
    }
    this.#join(linked);
  }

  node(place: number): MemberNode {
    const from = this.#data.get(place) ?? place;
    const { mode, size, mtime } = this.#header(from);
    return { kind: kindOf(mode), size, mtime, id: `member at ${from}`, place: from };
  }

  target(place: number): ByteString {
    const { size, dataAt } = this.#header(place);
    if (size > LIMITS.pathBytes) throw limit(`link of ${size} bytes, maximum ${LIMITS.pathBytes}`);
    // Some makers count the zero byte.
    return fromBytes(readBytes(this.source, dataAt, size, this.ctx)).replace(/\0$/, '');
  }

  *extents(place: number): Generator<Extent> {
    const header = this.#header(place);
    const { size, dataAt } = header;
    if (dataAt + size > this.source.size) throw corrupt(this.#beyond(header, place));
    if (size === 0) return;
    if (header.sum !== undefined) this.#verify(header, place, header.sum);
    yield { kind: 'data', offset: 0, length: size, source: this.source, at: dataAt };
  }

  #header(place: number): Header {
    return within(`member at ${place}`, () => {
      const format = formatAt(this.#window, place);
      if (!format) throw corrupt('no magic number');
      return readHeader(this.#window, format, place);
    });
  }

  #beyond({ size, dataAt }: Header, at: number): string {
    return `member at ${at}: ${size} bytes at ${dataAt} reach beyond the end (${this.source.size} bytes)`;
  }

  /** A header that cannot be read ends the archive: nothing says where the next one would be. */
  #headerOrEnd(format: Format, at: number): Header | undefined {
    try {
      return readHeader(this.#window, format, at);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      this.ctx.warn(`cpio: member at ${at}: ${error.message}; what follows is not seen`);
      return undefined;
    }
  }

  /** Past zeros; undefined: nothing follows, or nothing that is read here. */
  #nextArchive(from: number, complete: boolean): number | undefined {
    const end = Math.min(this.source.size, from + this.#zerosLeft);
    const zeros = Buffer.alloc(PIECE_OF_ZEROS);
    let at = from;
    while (at < end) {
      this.ctx.budget.step();
      const bytes = this.#window.take(at, Math.min(zeros.length, end - at));
      if (bytes.compare(zeros, 0, bytes.length) !== 0) {
        at += bytes.findIndex((b) => b !== 0);
        this.#zerosLeft -= at - from;
        if (at > from && formatAt(this.#window, at)) return at;
        this.ctx.warn(`cpio: what follows at ${at} is compressed, or no cpio archive, and is not seen`);
        return undefined;
      }
      at += bytes.length;
    }
    if (!complete) this.ctx.warn('cpio: the archive ends without a trailer');
    return undefined;
  }

  #none(): Linked {
    return { files: new NameTable(this.ctx), empty: [] };
  }

  #remember({ files, empty }: Linked, { identity, size }: Header, place: number): void {
    if (++this.#linked > LINKED_MOST) throw limit(`more than ${LINKED_MOST} hard links`);
    const file = files.add(0, identity);
    if (size > 0) files.set(file, 'file', place);
    else empty.push({ place, file });
  }

  #join({ files, empty }: Linked): void {
    for (const { place, file } of empty) {
      const data = files.place(file);
      if (data !== NONE) this.#data.set(place, data);
    }
  }

  #verify({ name, size, dataAt }: Header, place: number, wanted: number): void {
    if (this.#summed.has(place)) return;
    this.#summed.add(place);
    this.ctx.budget.allocate(PIECE);
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, size));
    let sum = 0;
    for (let done = 0; done < size; done += piece.length) {
      this.ctx.budget.step();
      const part = piece.subarray(0, Math.min(piece.length, size - done));
      readOnce(this.source, dataAt + done, part);
      for (let i = 0; i < part.length; i++) sum = (sum + part[i]!) | 0;
    }
    if (sum >>> 0 !== wanted)
      this.ctx.warn(
        `cpio: ${printable(name ?? '')}: the sum of its bytes is 0x${(sum >>> 0).toString(16)}, not 0x${wanted.toString(16)}`,
      );
  }
}
