/** Records with update sequence arrays, and the attributes in an MFT record. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { printable } from '../../lib/bytes/text';
import { fromUtf16 } from '../../lib/bytes/utf16';
import {
  ATTR,
  AttributeHead,
  MftRecordHead,
  NonResident,
  RECORD,
  RecordHead,
  Resident,
  STRIDE,
} from './layout';

/**
 * Puts the ends of its 512-byte pieces back in place.
 * @throws GuestError `corrupt` for another magic number, and for a record that was not written as a whole
 */
export function putRight(record: Buffer, magic: string): void {
  const { magic: found, usa_ofs: at, usa_count: count } = RecordHead.read(record);
  const text = found.toString('latin1');
  if (text !== magic) throw corrupt(`'${printable(text)}' where a record begins with '${magic}'`);
  if (
    count !== record.length / STRIDE + 1 ||
    at % 2 !== 0 ||
    at < RecordHead.size ||
    at + 2 * count > STRIDE - 2
  )
    throw corrupt(`update sequence array of ${count} numbers at ${at} of a record of ${record.length} bytes`);
  for (let i = 1; i < count; i++) {
    const end = i * STRIDE - 2;
    if (record[end] !== record[at] || record[end + 1] !== record[at + 1])
      throw corrupt(`piece ${i} of the record is of another time than the first (update sequence)`);
    record.copy(record, end, at + 2 * i, at + 2 * i + 2);
  }
}

export interface Reference {
  readonly number: number;
  /** 0: any. */
  readonly sequence: number;
}

/** Six bytes and two. */
export const reference = (bytes: Buffer, at: number): Reference => ({
  number: bytes.readUIntLE(at, 6),
  sequence: bytes.readUInt16LE(at + 6),
});

export interface RawAttribute {
  readonly type: number;
  readonly name: string;
  readonly flags: number;
  /** All of it. */
  readonly bytes: Buffer;
  readonly isResident: boolean;
}

export class MftRecord {
  readonly place: string;

  /**
   * @param bytes put right
   * @throws GuestError `corrupt` for a record that is free or whose head contradicts itself
   */
  constructor(
    readonly bytes: Buffer,
    readonly number: number,
  ) {
    this.place = `MFT record ${number}`;
    const { attrs_offset, bytes_in_use, flags } = this.head;
    if (!(flags & RECORD.inUse)) throw corrupt('a freed record', this.place);
    if (bytes_in_use > bytes.length || attrs_offset < MftRecordHead.size || attrs_offset > bytes_in_use)
      throw corrupt(`attributes at ${attrs_offset} of ${bytes_in_use} bytes in use`, this.place);
  }

  get head() {
    return MftRecordHead.read(this.bytes);
  }

  get isDirectory(): boolean {
    return (this.head.flags & RECORD.directory) !== 0;
  }

  /** @throws GuestError `corrupt` */
  *attributes(ctx: Context): Generator<RawAttribute> {
    const { attrs_offset, bytes_in_use } = this.head;
    for (let at = attrs_offset; at + 4 <= bytes_in_use; ) {
      ctx.budget.step();
      if (this.bytes.readUInt32LE(at) === ATTR.end) return;
      const a = AttributeHead.read(this.bytes, at);
      const least = a.non_resident ? NonResident.size : Resident.size;
      if (
        a.length < least ||
        at + a.length > bytes_in_use ||
        (a.name_length > 0 && a.name_offset + 2 * a.name_length > a.length)
      )
        throw corrupt(`attribute 0x${a.type.toString(16)} of ${a.length} bytes at ${at}`);
      const bytes = this.bytes.subarray(at, at + a.length);
      yield {
        type: a.type,
        name: fromUtf16(bytes, a.name_offset, a.name_length),
        flags: a.flags,
        bytes,
        isResident: a.non_resident === 0,
      };
      at += a.length;
    }
  }
}
