/** A tar archive: its members in order, and where their bytes are. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { type Archive, type Member, type MemberNode, Window } from '../../lib/fs/archive';
import type { Extent } from '../../lib/fs/types';
import type { BlockSource } from '../../lib/source/types';
import { BLOCK, OldGnuHeader, SparseHeader } from './layout';
import { blockNumbers, Members, type SparseMap, type TarMember } from './member';
import { decimal } from './pax';

export class TarArchive implements Archive {
  readonly type = 'tar';
  readonly grubName = 'tarfs';
  readonly label?: ByteString;
  readonly #window: Window;
  readonly #members: Members;

  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
  ) {
    this.#window = new Window(source, ctx);
    this.#members = new Members(this.#window);
    const label = this.#labelOf(0);
    if (label !== undefined) this.label = label;
  }

  *members(): Generator<Member> {
    let at = 0;
    for (let member = this.#next(at); member; member = this.#next(at)) {
      const { path, kind, place, hardLink, next } = member;
      at = next;
      if (kind) yield { path, kind, place, ...(hardLink === undefined ? {} : { hardLink }) };
      if (member.dataAt + member.stored > this.source.size) {
        this.ctx.warn(`tar: ${this.#beyond(member)}, and the archive ends there`);
        return;
      }
    }
    // Beyond it, `#next` has said so.
    if (at <= this.source.size && at + BLOCK > this.source.size)
      this.ctx.warn('tar: the archive ends without a block of zeros');
  }

  node(place: number): MemberNode {
    const { kind, size, mtime } = this.#member(place);
    return { kind: kind!, size, mtime, id: `member at ${place}`, place };
  }

  target(place: number): ByteString {
    return this.#member(place).target;
  }

  *extents(place: number): Generator<Extent> {
    const member = this.#member(place);
    const { source } = this;
    const { size, sparse, dataAt, stored } = member;
    if (dataAt + stored > source.size) throw corrupt(this.#beyond(member));
    if (!sparse) {
      if (size > 0) yield { kind: 'data', offset: 0, length: size, source, at: dataAt };
      return;
    }
    yield* this.#pieces(member);
  }

  #labelOf(place: number): ByteString | undefined {
    try {
      return this.#members.read(place)?.label;
    } catch (error) {
      // `members` will meet it again, and say it.
      if (error instanceof GuestError) return undefined;
      throw error;
    }
  }

  /** What cannot be read ends the archive: nothing says where the next member would be. */
  #next(place: number): TarMember | undefined {
    try {
      return this.#members.read(place);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      this.ctx.warn(`tar: member at ${place}: ${error.message}; what follows is not seen`);
      return undefined;
    }
  }

  #member(place: number): TarMember {
    return within(`member at ${place}`, () => {
      const member = this.#members.read(place);
      if (!member) throw corrupt('nothing there');
      return member;
    });
  }

  #beyond({ place, dataAt, stored }: TarMember): string {
    return `member at ${place}: ${stored} bytes at ${dataAt} reach beyond the end (${this.source.size} bytes)`;
  }

  *#pieces(member: TarMember): Generator<Extent> {
    const { place, size, dataAt, stored, sparse } = member;
    const where = `member at ${place}`;
    const end = dataAt + stored;
    let at = dataAt;
    let reached = 0;
    let numbers: Iterator<number>;
    if (sparse!.form === 'lines') {
      // Once to know where the data begins, and once to read it: the map may be as large as the file.
      const lines = new MapLines(this.#window, member);
      for (const _ of lines) this.ctx.budget.step();
      at = lines.at;
      numbers = new MapLines(this.#window, member)[Symbol.iterator]();
    } else numbers = this.#numbers(sparse!);
    for (;;) {
      this.ctx.budget.step();
      const offset = numbers.next().value as number | undefined;
      if (offset === undefined) break;
      const length = numbers.next().value as number | undefined;
      if (length === undefined) throw corrupt('a map that ends with an offset', where);
      if (offset < reached || offset + length > size)
        throw corrupt(
          `a piece of ${length} bytes at ${offset} of a file of ${size}, after ${reached}`,
          where,
        );
      if (at + length > end) throw corrupt(`pieces of more than the ${stored} bytes in the archive`, where);
      if (length > 0) yield { kind: 'data', offset, length, source: this.source, at };
      at += length;
      reached = offset + length;
    }
    // Zeros in place of what the map does not name would be another file.
    if (at !== end) throw corrupt(`pieces of ${at - dataAt} of the ${stored} bytes in the archive`, where);
  }

  /** Offset and length in turn. */
  *#numbers(sparse: SparseMap): Generator<number> {
    if (sparse.form === 'numbers') yield* sparse.numbers;
    if (sparse.form !== 'blocks') return;
    const { sp, isextended } = OldGnuHeader.read(this.#window.take(sparse.at, BLOCK));
    let more = isextended;
    // Whole blocks at a time: the window's bytes may be others when this goes on.
    yield* [...blockNumbers(sp)];
    for (let at = sparse.at + BLOCK; more !== 0; at += BLOCK) {
      const block = SparseHeader.read(this.#window.take(at, BLOCK));
      more = block.isextended;
      yield* [...blockNumbers(block.sp)];
    }
  }
}

/**
 * Version 1.0 of a map, before the data: the count of pieces, then offset and length in turn, a decimal number in each line,
 * up to a whole block.
 */
class MapLines {
  /** Behind the blocks that were read. */
  at: number;
  readonly #end: number;
  readonly #where: string;
  #held = '';
  #used = 0;

  constructor(
    readonly window: Window,
    { place, dataAt, stored }: TarMember,
  ) {
    this.at = dataAt;
    this.#end = dataAt + stored;
    this.#where = `member at ${place}`;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let left = 2 * this.#next(); left > 0; left--) yield this.#next();
  }

  #next(): number {
    for (;;) {
      const end = this.#held.indexOf('\n', this.#used);
      if (end >= 0) {
        const text = this.#held.slice(this.#used, end);
        this.#used = end + 1;
        return within(this.#where, () => decimal(text, 'a number of the map'));
      }
      if (this.at + BLOCK > this.#end) throw corrupt('a map that does not end', this.#where);
      if (this.#held.length - this.#used > BLOCK)
        throw corrupt('a number of the map is not a number', this.#where);
      this.#held = this.#held.slice(this.#used) + fromBytes(this.window.take(this.at, BLOCK));
      this.#used = 0;
      this.at += BLOCK;
    }
  }
}
