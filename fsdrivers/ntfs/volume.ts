/** The one door to the disk: MFT records by their numbers, attributes wherever their parts are. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import { fromUtf16 } from '../../lib/bytes/utf16';
import { type BlockSource, readBytes } from '../../lib/source/types';
import type { Geometry } from './boot';
import { attributeExtents } from './data';
import { ATTR, FILE, LIST_MOST, ListEntry, MIRRORED, NonResident, Resident, UPCASE_UNITS } from './layout';
import { MftRecord, putRight, type RawAttribute, type Reference, reference } from './record';
import { decodeRuns, type Run, RunMap } from './runs';

/** An attribute, whole. */
export interface Attribute {
  readonly flags: number;
  readonly size: number;
  /** What lies behind was never written: zeros. */
  readonly initialized: number;
  /** Of one that stands in its record. */
  readonly resident?: Buffer;
  /** Clusters that are compressed together. */
  readonly unit: number;
  runs(): Iterable<Run>;
}

interface Part {
  readonly vcn: number;
  readonly record: Reference;
}

export class NtfsVolume {
  readonly #warned = new Set<string>();
  readonly #mft: RunMap;
  #records = 0;
  #upcase: Uint16Array | undefined;

  /** @throws GuestError `corrupt` when neither $MFT nor its mirror can be read */
  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {
    this.#mft = new RunMap(source, geometry, ctx);
    within('$MFT', () => this.#openMft());
  }

  /** One warning for each kind of damage. */
  warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(message);
  }

  /** Its own runs may stand in records that only those before them lead to. */
  #openMft(): void {
    const { mftAt, recordBytes } = this.geometry;
    const base = this.#mirrored(FILE.mft, () => readBytes(this.source, mftAt, recordBytes, this.ctx));
    const own = this.#raw(base, ATTR.data, '', 0);
    if (!own || own.isResident) throw corrupt('no runs in its own record');
    this.#mft.add(this.#decode(own));
    this.#records = Math.floor(NonResident.fields.data_size.read(own.bytes, 0) / recordBytes);
    for (const part of this.#parts(base, ATTR.data, '') ?? [])
      if (part.vcn > 0) this.#mft.add(this.#partRuns(base, part, ATTR.data, ''));
  }

  /** @throws GuestError `corrupt` for numbers beyond $MFT, damaged and freed records, and one that was used anew */
  record({ number, sequence }: Reference): MftRecord {
    const { recordBytes } = this.geometry;
    if (number >= this.#records) throw corrupt(`$MFT has ${this.#records} records`, `MFT record ${number}`);
    const record = this.#mirrored(number, () => this.#mft.read(number * recordBytes, recordBytes));
    if (sequence !== 0 && record.head.sequence_number !== sequence)
      throw corrupt(
        `sequence number ${record.head.sequence_number}, ${sequence} is wanted: it belongs to another file now`,
        record.place,
      );
    return record;
  }

  #mirrored(number: number, read: () => Buffer): MftRecord {
    const open = (bytes: Buffer) =>
      within(`MFT record ${number}`, () => {
        putRight(bytes, 'FILE');
        return new MftRecord(bytes, number);
      });
    try {
      return open(read());
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt' || number >= MIRRORED) throw error;
      const { mirrorAt, recordBytes } = this.geometry;
      const record = open(readBytes(this.source, mirrorAt + number * recordBytes, recordBytes, this.ctx));
      this.warnOnce('mirror', `NTFS ${error.describe()}; its copy in $MFTMirr is used`);
      return record;
    }
  }

  /** @returns undefined when the file has none */
  attribute(record: MftRecord, type: number, name = ''): Attribute | undefined {
    return within(record.place, () => {
      const parts = this.#parts(record, type, name);
      if (parts && parts.length === 0) return undefined;
      const owner = parts ? this.#part(record, parts[0]!.record) : record;
      const first = this.#raw(owner, type, name, parts && 0);
      if (first) return this.#whole(record, first, parts, type, name);
      if (parts) throw corrupt(`attribute 0x${type.toString(16)} is not in ${owner.place}`);
      return undefined;
    });
  }

  #whole(
    record: MftRecord,
    first: RawAttribute,
    parts: readonly Part[] | undefined,
    type: number,
    name: string,
  ): Attribute {
    if (first.isResident) {
      const { value_length, value_offset } = Resident.read(first.bytes);
      if (value_offset + value_length > first.bytes.length)
        throw corrupt(`attribute 0x${type.toString(16)}: ${value_length} bytes at ${value_offset}`);
      const resident = first.bytes.subarray(value_offset, value_offset + value_length);
      return {
        flags: first.flags,
        size: value_length,
        initialized: value_length,
        resident,
        unit: 0,
        runs: () => [],
      };
    }
    const head = NonResident.read(first.bytes);
    const volume = this;
    return {
      flags: first.flags,
      size: head.data_size,
      initialized: Math.min(head.data_size, head.initialized_size),
      unit: head.compression_unit === 0 ? 0 : 2 ** head.compression_unit,
      *runs() {
        if (!parts) yield* volume.#decode(first);
        else for (const part of parts) yield* volume.#partRuns(record, part, type, name);
      },
    };
  }

  /** In one record, the part that begins at a cluster; the first one where that does not matter. */
  #raw(record: MftRecord, type: number, name: string, vcn?: number): RawAttribute | undefined {
    for (const a of record.attributes(this.ctx))
      if (
        a.type === type &&
        a.name === name &&
        (vcn === undefined || a.isResident ? !vcn : NonResident.fields.lowest_vcn.read(a.bytes, 0) === vcn)
      )
        return a;
    return undefined;
  }

  #decode(part: RawAttribute): Generator<Run> {
    const { lowest_vcn, mapping_pairs_offset } = NonResident.read(part.bytes);
    return decodeRuns(
      part.bytes.subarray(mapping_pairs_offset),
      lowest_vcn,
      this.geometry.clusters,
      this.ctx,
    );
  }

  #partRuns(base: MftRecord, part: Part, type: number, name: string): Generator<Run> {
    const owner = this.#part(base, part.record);
    const raw = this.#raw(owner, type, name, part.vcn);
    if (!raw || raw.isResident)
      throw corrupt(`no runs of cluster ${part.vcn} of attribute 0x${type.toString(16)}`, owner.place);
    return this.#decode(raw);
  }

  /** The record of a part: the file's own, or one that says that it is the file's. */
  #part(base: MftRecord, where: Reference): MftRecord {
    if (where.number === base.number) return base;
    const record = this.record(where);
    if (Number(record.head.base_mft_record & 0xffffffffffffn) !== base.number)
      throw corrupt(`not a part of MFT record ${base.number}`, record.place);
    return record;
  }

  /** Where the attribute list says that the parts are, in their order; undefined: there is no list. */
  #parts(record: MftRecord, type: number, name: string): Part[] | undefined {
    const raw = type === ATTR.list ? undefined : this.#raw(record, ATTR.list, '');
    if (!raw) return undefined;
    const list = this.bytes(this.#whole(record, raw, undefined, ATTR.list, ''), LIST_MOST, 'attribute list');
    const parts: Part[] = [];
    for (let at = 0; at + ListEntry.size <= list.length; ) {
      this.ctx.budget.step();
      const entry = ListEntry.read(list, at);
      if (
        entry.length < ListEntry.size ||
        at + entry.length > list.length ||
        entry.name_offset + 2 * entry.name_length > entry.length
      )
        throw corrupt(`entry of ${entry.length} bytes at ${at} of the attribute list`);
      if (entry.type === type && fromUtf16(list, at + entry.name_offset, entry.name_length) === name)
        parts.push({ vcn: entry.lowest_vcn, record: reference(list, at + 16) });
      at += entry.length;
    }
    return parts.sort((a, b) => a.vcn - b.vcn);
  }

  /**
   * All bytes of a small attribute.
   * @throws GuestError `corrupt` when it is larger than `most`
   */
  bytes(attribute: Attribute, most: number, what: string): Buffer {
    if (attribute.size > most) throw corrupt(`${what} of ${attribute.size} bytes, maximum ${most}`);
    if (attribute.resident) return attribute.resident;
    this.ctx.budget.allocate(attribute.size);
    const into = Buffer.alloc(attribute.size);
    for (const extent of attributeExtents(this, attribute)) {
      const part = into.subarray(extent.offset, extent.offset + extent.length);
      if (extent.kind === 'packed') part.set(extent.unpack());
      else if (extent.kind === 'data') {
        this.ctx.budget.read(part.length);
        extent.source.read(extent.at, part);
      }
    }
    return into;
  }

  /** A map of an attribute's runs, to be read from anywhere. */
  map(attribute: Attribute): RunMap {
    const map = new RunMap(this.source, this.geometry, this.ctx);
    map.add(attribute.runs());
    return map;
  }

  /** The volume's own table of capital letters. */
  get upcase(): Uint16Array {
    this.#upcase ??= this.#readUpcase();
    return this.#upcase;
  }

  #readUpcase(): Uint16Array {
    const table = new Uint16Array(UPCASE_UNITS);
    for (let i = 0; i < UPCASE_UNITS; i++) table[i] = i;
    try {
      const data = this.attribute(this.record({ number: FILE.upcase, sequence: 0 }), ATTR.data);
      if (!data) throw corrupt('no data');
      const bytes = this.bytes(data, UPCASE_UNITS * 2, 'table');
      for (let i = 0; 2 * i + 2 <= bytes.length; i++) table[i] = bytes.readUInt16LE(2 * i);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      this.ctx.warn(`NTFS $UpCase: ${error.describe()}; only a to z are the same as A to Z`);
      for (let i = 0x61; i <= 0x7a; i++) table[i] = i - 0x20;
    }
    return table;
  }
}
