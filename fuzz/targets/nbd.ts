/** What an NBD server says, damaged: the handshake, and replies to reads. Neither parser has a socket. */
import { Fault } from '../../lib/source/nbd/fault';
import { negotiate } from '../../lib/source/nbd/handshake';
import { Pending, Replies } from '../../lib/source/nbd/replies';
import { interesting } from '../mutate';
import type { Random } from '../random';
import type { Target } from '../target';

interface Said {
  readonly bytes: Buffer;
  /** Bytes that come at a time. */
  readonly piece: number;
}

const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
const u32 = (n: number): Buffer => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
};
const u64 = (n: bigint): Buffer => {
  const b = Buffer.alloc(8);
  b.writeBigUInt64BE(n);
  return b;
};
const REQUESTS = [
  { at: 0, length: 4096 },
  { at: 1_000_000, length: 10_000 },
  { at: 2_000_000, length: 512 },
];
const content = Buffer.alloc(10_000, 0xa5);

function damaged(random: Random, sound: Buffer): Said {
  let bytes = Buffer.from(sound);
  for (let n = random.skewed(5); n > 0 && bytes.length > 8; n--) {
    const at = random.chance(0.6) ? random.skewed(bytes.length) : random.below(bytes.length);
    const size = Math.min(random.pick([1, 2, 4, 8]), bytes.length - at);
    switch (random.below(4)) {
      case 0:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 1: {
        let old = 0n;
        for (let i = 0; i < size; i++) old = (old << 8n) | BigInt(bytes[at + i]!);
        let value = BigInt.asUintN(size * 8, interesting(random, old, size, bytes.length));
        for (let i = size - 1; i >= 0; i--, value >>= 8n) bytes[at + i] = Number(value & 0xffn);
        break;
      }
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(bytes.length))]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at + size), bytes.subarray(at)]);
    }
  }
  return { bytes, piece: random.pick([1, 7, 64, 1 << 20]) };
}

class NbdTarget implements Target<Said> {
  readonly kind = 'parser';
  readonly weight = 1;
  constructor(
    readonly name: string,
    readonly sound: readonly Buffer[],
    readonly feed: (said: Said) => boolean,
  ) {}

  make(random: Random): Said {
    return damaged(random, random.pick(this.sound));
  }

  run(said: Said): boolean {
    try {
      return this.feed(said);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return true;
    }
  }

  *smaller({ bytes, piece }: Said): Generator<Said> {
    for (let size = bytes.length >> 1; size >= 1; size >>= 1)
      yield { piece, bytes: bytes.subarray(0, bytes.length - size) };
  }

  files({ bytes, piece }: Said): Record<string, Buffer | string> {
    return { '.bin': bytes, '.json': `${JSON.stringify({ piece })}\n` };
  }
}

function handshake({ bytes }: Said): boolean {
  const talk = negotiate(Buffer.from('disk'), false, () => {});
  let step = talk.next();
  for (let at = 0; ; ) {
    if (step.done) {
      const { size, minimum, maximum } = step.value;
      if (!Number.isSafeInteger(size) || !(minimum >= 1 && maximum >= minimum) || maximum % minimum !== 0)
        throw new Error(`an export of ${size} bytes, blocks of ${minimum} to ${maximum}`);
      return true;
    }
    const want = step.value;
    if (want === 'tls') throw new Error('TLS was not asked for');
    if (want > 16384) throw new Error(`${want} bytes are collected`);
    if (at + want > bytes.length) return at > 18;
    step = talk.next(bytes.subarray(at, at + want));
    at += want;
  }
}

function replies(structured: boolean): (said: Said) => boolean {
  return ({ bytes, piece }) => {
    let finished = 0;
    const parser = new Replies(structured, (request) => {
      finished++;
      if (!request.problem && request.coverage.total !== request.into.length) throw new Error('not whole');
    });
    // One memory for all, as the program has it: what is written beside a request's place shows.
    const memory = new Uint8Array(20_000).fill(0x11);
    let start = 100;
    for (const [i, { at, length }] of REQUESTS.entries()) {
      const request = new Pending(i + 1, i, at, memory.subarray(start, start + length));
      parser.pending.set(request.cookie, request);
      start += length + 100;
    }
    let fault: unknown;
    try {
      for (let at = 0; at < bytes.length; at += piece) parser.feed(bytes.subarray(at, at + piece));
    } catch (error) {
      fault = error;
    }
    start = 0;
    for (const { length } of REQUESTS) {
      for (let i = start; i < start + 100; i++)
        if (memory[i] !== 0x11) throw new Error(`byte ${i} lies outside every request`);
      start += length + 100;
    }
    if (fault) throw fault;
    return finished > 0;
  };
}

/** What a sound server says, by proto.md. */
export function nbdTargets(): NbdTarget[] {
  const greeting = [Buffer.from('NBDMAGICIHAVEOPT'), u16(3)];
  const reply = (option: number, type: number, ...data: Buffer[]): Buffer => {
    const all = Buffer.concat(data);
    return Buffer.concat([u64(0x3e889045565a9n), u32(option), u32(type), u32(all.length), all]);
  };
  const go = [
    reply(7, 3, u16(0), u64(50_000_000n), u16(1)),
    reply(7, 3, u16(3), u32(512), u32(4096), u32(1 << 25)),
    reply(7, 3, u16(2), Buffer.from('a disk')),
    reply(7, 1),
  ];
  const old = [reply(7, 0x80000001, Buffer.from('unknown')), u64(50_000_000n), u16(1)];
  const cookie = (i: number) => u64(BigInt(i + 1));
  const chunk = (i: number, flags: number, type: number, ...data: Buffer[]): Buffer => {
    const all = Buffer.concat(data);
    return Buffer.concat([u32(0x668e33ef), u16(flags), u16(type), cookie(i), u32(all.length), all]);
  };
  const data = (i: number, from: number, length: number, flags: number): Buffer =>
    chunk(i, flags, 1, u64(BigInt(REQUESTS[i]!.at + from)), content.subarray(0, length));
  const hole = (i: number, from: number, length: number, flags: number): Buffer =>
    chunk(i, flags, 2, u64(BigInt(REQUESTS[i]!.at + from)), u32(length));
  const simple = (i: number, error = 0): Buffer =>
    Buffer.concat([
      u32(0x67446698),
      u32(error),
      cookie(i),
      content.subarray(0, error ? 0 : REQUESTS[i]!.length),
    ]);
  return [
    new NbdTarget(
      'nbd-handshake',
      [
        Buffer.concat([...greeting, reply(8, 1), ...go]),
        Buffer.concat([...greeting, reply(8, 0x80000001), ...old]),
        Buffer.concat([...greeting, reply(8, 0x80000005, Buffer.from('TLS'))]),
        Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(0), u64(4096n), Buffer.alloc(126)]),
      ],
      handshake,
    ),
    new NbdTarget(
      'nbd-replies',
      [
        Buffer.concat([
          data(1, 5000, 5000, 0),
          data(0, 0, 4096, 1),
          hole(1, 0, 5000, 0),
          chunk(1, 1, 0),
          data(2, 0, 512, 1),
        ]),
        Buffer.concat([
          chunk(0, 0, 0x8002, u32(5), u16(3), Buffer.from('bad'), u64(7n)),
          chunk(0, 1, 0),
          hole(2, 0, 512, 1),
        ]),
        Buffer.concat([chunk(2, 1, 0x8001, u32(108), u16(0)), hole(1, 0, 10_000, 1)]),
      ],
      replies(true),
    ),
    new NbdTarget(
      'nbd-replies-simple',
      [Buffer.concat([simple(2), simple(0), simple(1)]), Buffer.concat([simple(1, 5), simple(0)])],
      replies(false),
    ),
  ];
}
