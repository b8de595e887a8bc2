/**
 * DER as far as certificates and signatures use it (ITU-T X.690): one cursor that moves forward over elements with tags of one
 * byte and definite lengths in their shortest form. Nothing is decoded before it is asked for, and nothing recurses, so
 * there is no depth to bound; every loop over elements has a bound of its own where it stands.
 */
import { corrupt, limit, unsupported } from '../../bytes/errors';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** `[n]`, constructed (explicit, or implicit of a constructed type). */
  context: (n: number): number => 0xa0 | n,
  /** `[n]`, implicit of a primitive type. */
  primitive: (n: number): number => 0x80 | n,
} as const;

/** One element. */
export interface Element {
  readonly tag: number;
  /** Tag, length and content. */
  readonly raw: Buffer;
  readonly content: Buffer;
}

export class Der {
  #at = 0;

  constructor(
    readonly bytes: Buffer,
    /** For messages. */
    readonly what: string,
  ) {}

  get more(): boolean {
    return this.#at < this.bytes.length;
  }

  /** What was not read yet. */
  get rest(): Buffer {
    return this.bytes.subarray(this.#at);
  }

  /** The next element's tag, or -1 at the end. */
  get tag(): number {
    return this.bytes[this.#at] ?? -1;
  }

  /** @throws GuestError `corrupt` where no whole element follows, `unsupported` for BER's indefinite lengths */
  any(): Element {
    const { bytes, what } = this;
    const start = this.#at;
    const left = bytes.length - start;
    if (left < 2) throw corrupt(`${what}: ends in the middle of an element`);
    const tag = bytes[start]!;
    if ((tag & 0x1f) === 0x1f) throw unsupported(`${what}: a tag of several bytes`);
    let length = bytes[start + 1]!;
    let head = 2;
    if (length === 0x80) throw unsupported(`${what}: BER with indefinite lengths, DER is wanted`);
    if (length > 0x80) {
      const count = length - 0x80;
      if (count > 4 || left < 2 + count) throw corrupt(`${what}: a length of ${count} bytes`);
      length = bytes.readUIntBE(start + 2, count);
      head += count;
      if (length < 0x80 || bytes[start + 2] === 0)
        throw corrupt(`${what}: a length in a longer form than needed`);
    }
    if (length > left - head)
      throw corrupt(`${what}: an element of ${length} bytes where ${left - head} are left`);
    this.#at = start + head + length;
    return { tag, raw: bytes.subarray(start, this.#at), content: bytes.subarray(start + head, this.#at) };
  }

  /** The next element, which must have this tag. */
  read(tag: number): Element {
    if (this.tag !== tag)
      throw corrupt(
        `${this.what}: tag 0x${Math.max(this.tag, 0).toString(16)} where 0x${tag.toString(16)} belongs`,
      );
    return this.any();
  }

  /** The next element if it has this tag. */
  optional(tag: number): Element | undefined {
    return this.tag === tag ? this.any() : undefined;
  }

  /** A cursor over the content of the next element, which must have this tag. */
  into(tag: number): Der {
    return new Der(this.read(tag).content, this.what);
  }

  /** Object identifier as hexadecimal digits of its encoding, which is all that comparing needs. */
  oid(): string {
    const { content } = this.read(TAG.oid);
    if (content.length > 64) throw limit(`${this.what}: an object identifier of ${content.length} bytes`);
    return content.toString('hex');
  }

  /** A number that is not negative, without leading zeros. @throws GuestError `limit` when longer than `most` bytes */
  unsigned(most: number): Buffer {
    const { content } = this.read(TAG.integer);
    if (content.length === 0 || content[0]! >= 0x80) throw corrupt(`${this.what}: not a positive number`);
    if (content.length > 1 && content[0] === 0 && content[1]! < 0x80)
      throw corrupt(`${this.what}: a number in a longer form than needed`);
    const number = content[0] === 0 ? content.subarray(1) : content;
    if (number.length > most)
      throw limit(`${this.what}: a number of ${number.length} bytes, maximum ${most}`);
    return number;
  }

  /** A bit string of whole bytes. */
  bits(): Buffer {
    const { content } = this.read(TAG.bitString);
    if (content.length < 1 || content[0] !== 0) throw corrupt(`${this.what}: a bit string of odd bits`);
    return content.subarray(1);
  }

  boolean(): boolean {
    const { content } = this.read(TAG.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
      throw corrupt(`${this.what}: not a truth value`);
    return content[0] === 0xff;
  }

  /** @throws GuestError `corrupt` when something is left */
  end(): void {
    if (this.more) throw corrupt(`${this.what}: ${this.bytes.length - this.#at} bytes behind its end`);
  }
}

/** The one element that `bytes` are. */
export function whole(bytes: Buffer, tag: number, what: string): Der {
  const der = new Der(bytes, what);
  const inner = der.into(tag);
  der.end();
  return inner;
}
