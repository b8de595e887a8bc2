/**
 * The transmission phase's replies, simple and structured (proto.md, "Transmission" and "Structured reply types"): bytes in whatever
 * pieces they come, data straight to their places. It holds no socket, so that it can be tried with any bytes.
 */
import { Coverage } from './coverage';
import { violation } from './fault';
import {
  errorName,
  MAX_STRING,
  REPLY_FLAG_DONE,
  REPLY_FLAG_ERROR,
  REPLY_TYPE_ERROR_OFFSET,
  REPLY_TYPE_NONE,
  REPLY_TYPE_OFFSET_DATA,
  REPLY_TYPE_OFFSET_HOLE,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from './layout';

/** Why one request failed, while the connection is well. */
export interface Problem {
  /** `NBD_EIO`'s number and the like. */
  readonly error: number;
  /** With a server's text, as latin1. */
  readonly text: string;
}

/** A read that the server has been asked for. */
export class Pending {
  readonly coverage = new Coverage();
  chunks = 0;
  problem: Problem | undefined;

  /**
   * @param cookie below 2^53
   * @param at byte of the export
   * @param into where the data goes, all of the request's length
   */
  constructor(
    readonly cookie: number,
    readonly slot: number,
    readonly at: number,
    readonly into: Uint8Array,
  ) {}
}

/** The longest payload that is collected before it is looked at. */
const COLLECTED = MAX_STRING + 64;
/** Chunks of a reply beside one for each sector. */
const FURTHER_CHUNKS = 64;

export class Replies {
  readonly pending = new Map<number, Pending>();
  /** Bytes of the disk that have come, those of holes too. */
  payload = 0;
  readonly #head = Buffer.alloc(20);
  readonly #collected = Buffer.alloc(COLLECTED);
  #have = 0;
  #need: number;
  /** What the bytes that come belong to: a header, the start of a payload, data. */
  #state: 'head' | 'collect' | 'data' = 'head';
  #request: Pending | undefined;
  #type = 0;
  #done = false;
  /** Where in `#request.into` the next data goes, and where it ends. */
  #place = 0;
  #end = 0;

  /**
   * @param structured what was agreed
   * @param finished called once for each request; `problem` is its own
   */
  constructor(
    readonly structured: boolean,
    readonly finished: (request: Pending) => void,
  ) {
    this.#need = structured ? 20 : 16;
  }

  /** @throws Fault when the server breaks the protocol */
  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'data') {
        const count = Math.min(bytes.length - at, this.#end - this.#place);
        this.#request!.into.set(bytes.subarray(at, at + count), this.#place);
        this.#place += count;
        this.payload += count;
        at += count;
        if (this.#place === this.#end) this.#chunkEnds();
        continue;
      }
      const into = this.#state === 'head' ? this.#head : this.#collected;
      const count = Math.min(bytes.length - at, this.#need - this.#have);
      into.set(bytes.subarray(at, at + count), this.#have);
      this.#have += count;
      at += count;
      // The other form's header is of another length.
      if (this.#state === 'head' && this.#have >= 4) this.#magic();
      if (this.#have < this.#need) continue;
      this.#have = 0;
      if (this.#state === 'collect') this.#payloadBegins();
      else if (this.structured) this.#structured();
      else this.#simple();
    }
  }

  #find(at: number): Pending {
    const cookie = this.#head.readBigUInt64BE(at);
    const request = cookie > Number.MAX_SAFE_INTEGER ? undefined : this.pending.get(Number(cookie));
    if (!request) throw violation(`a reply to a request that was not made (cookie 0x${cookie.toString(16)})`);
    return request;
  }

  #magic(): void {
    const magic = this.#head.readUInt32BE(0);
    if (magic !== (this.structured ? STRUCTURED_REPLY_MAGIC : SIMPLE_REPLY_MAGIC))
      throw violation(
        `0x${magic.toString(16)} where a ${this.structured ? 'structured' : 'simple'} reply is due`,
      );
  }

  #simple(): void {
    const error = this.#head.readUInt32BE(4);
    const request = this.#find(8);
    this.#request = request;
    this.#done = true;
    if (error !== 0) {
      request.problem = { error, text: errorName(error) };
      this.#chunkEnds();
      return;
    }
    request.coverage.add(0, request.into.length);
    this.#data(0, request.into.length);
  }

  #structured(): void {
    const head = this.#head;
    const request = this.#find(8);
    this.#request = request;
    this.#done = (head.readUInt16BE(4) & REPLY_FLAG_DONE) !== 0;
    this.#type = head.readUInt16BE(6);
    const length = head.readUInt32BE(16);
    const most = request.into.length / 512 + FURTHER_CHUNKS;
    if (++request.chunks > most)
      throw violation(`more than ${Math.floor(most)} chunks for ${request.into.length} bytes`);
    const sized = (ok: boolean): void => {
      if (!ok) throw violation(`a chunk of type ${this.#type} with ${length} bytes`);
    };
    this.#state = 'collect';
    if (this.#type === REPLY_TYPE_NONE) {
      sized(length === 0 && this.#done);
      this.#chunkEnds();
    } else if (this.#type === REPLY_TYPE_OFFSET_DATA) {
      sized(length >= 9 && length - 8 <= request.into.length);
      this.#need = 8;
      this.#end = length - 8;
    } else if (this.#type === REPLY_TYPE_OFFSET_HOLE) {
      sized(length === 12);
      this.#need = 12;
    } else {
      if ((this.#type & REPLY_FLAG_ERROR) === 0) throw violation(`a chunk of unknown type ${this.#type}`);
      const least = this.#type === REPLY_TYPE_ERROR_OFFSET ? 14 : 6;
      sized(length >= least && length <= COLLECTED);
      this.#need = length;
    }
  }

  /** The collected part of a chunk's payload is there. */
  #payloadBegins(): void {
    const bytes = this.#collected;
    const request = this.#request!;
    if ((this.#type & REPLY_FLAG_ERROR) !== 0) {
      const fixed = this.#type === REPLY_TYPE_ERROR_OFFSET ? 14 : 6;
      const error = bytes.readUInt32BE(0);
      const length = bytes.readUInt16BE(4);
      if (error === 0 || length > MAX_STRING || length > this.#need - fixed)
        throw violation(
          `an error chunk with error ${error} and a message of ${length} bytes in ${this.#need}`,
        );
      const said = length === 0 ? '' : `, '${bytes.toString('latin1', 6, 6 + length)}'`;
      request.problem ??= { error, text: errorName(error) + said };
      this.#chunkEnds();
      return;
    }
    const hole = this.#type === REPLY_TYPE_OFFSET_HOLE;
    const length = hole ? bytes.readUInt32BE(8) : this.#end;
    const offset = bytes.readBigUInt64BE(0);
    const from = Number(offset - BigInt(request.at));
    if (length === 0 || !(from >= 0 && from + length <= request.into.length))
      throw violation(
        `${length} bytes at ${offset} in a reply to a read of ${request.into.length} bytes at ${request.at}`,
      );
    if (!request.coverage.add(from, from + length))
      throw violation(`${length} bytes at ${offset} overlap with an earlier chunk of the reply`);
    if (!hole) {
      this.#data(from, from + length);
      return;
    }
    request.into.fill(0, from, from + length);
    this.payload += length;
    this.#chunkEnds();
  }

  #data(from: number, to: number): void {
    this.#state = 'data';
    this.#place = from;
    this.#end = to;
  }

  #chunkEnds(): void {
    this.#state = 'head';
    this.#need = this.structured ? 20 : 16;
    if (!this.#done) return;
    const request = this.#request!;
    this.#request = undefined;
    const { total } = request.coverage;
    if (!request.problem && total !== request.into.length)
      throw violation(
        `${total} of ${request.into.length} bytes at ${request.at}, and the reply is said to be done`,
      );
    this.pending.delete(request.cookie);
    this.finished(request);
  }
}
