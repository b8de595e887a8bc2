/**
 * The newstyle handshake, fixed or not (proto.md, "Newstyle negotiation" and "Option types"), as a generator: it asks for bytes
 * and is given them, and sends by a function. It holds no socket, so that it can be tried with any bytes.
 */
import { Fault, violation } from './fault';
import {
  CLISERV_MAGIC,
  DEFAULT_MAXIMUM,
  DEFAULT_MINIMUM,
  DEFAULT_PREFERRED,
  FLAG_FIXED_NEWSTYLE,
  FLAG_NO_ZEROES,
  IHAVEOPT,
  INFO_BLOCK_SIZE,
  INFO_DESCRIPTION,
  INFO_EXPORT,
  MAX_MINIMUM_BLOCK,
  MAX_OPTION_REPLIES,
  MAX_OPTION_REPLY,
  MAX_STRING,
  NBDMAGIC,
  OPT_ABORT,
  OPT_EXPORT_NAME,
  OPT_GO,
  OPT_STARTTLS,
  OPT_STRUCTURED_REPLY,
  OPTION_ERRORS,
  REP_ACK,
  REP_ERR_TLS_REQD,
  REP_ERR_UNKNOWN,
  REP_ERR_UNSUP,
  REP_FLAG_ERROR,
  REP_INFO,
  REP_MAGIC,
} from './layout';

/** What the server says of the export. Bytes. */
export interface Export {
  /** A safe integer; whole minimum blocks. */
  readonly size: number;
  readonly minimum: number;
  readonly preferred: number;
  /** At least one minimum block, whole minimum blocks. */
  readonly maximum: number;
  readonly structured: boolean;
  /** A text of the server's, as latin1. */
  readonly description: string;
}

/** So many bytes, or that the connection be upgraded to TLS. */
export type Ask = number | 'tls';

type Talk<T> = Generator<Ask, T, Buffer>;
type Send = (bytes: Buffer) => void;

interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

/** @throws Fault from the generator */
export function* negotiate(name: Buffer, tls: boolean, send: Send): Talk<Export> {
  const greeting = yield 16;
  if (greeting.readBigUInt64BE(0) !== NBDMAGIC)
    throw new Fault('io', `not an NBD server: it begins with 0x${greeting.toString('hex', 0, 8)}`);
  const style = greeting.readBigUInt64BE(8);
  if (style === CLISERV_MAGIC)
    throw new Fault('unsupported', 'the server knows the oldstyle handshake only, which names no export');
  if (style !== IHAVEOPT) throw violation(`0x${style.toString(16)} where IHAVEOPT is due`);
  const offered = (yield 2).readUInt16BE(0);
  const flags = offered & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
  const answer = Buffer.alloc(4);
  answer.writeUInt32BE(flags);
  send(answer);
  const zeroes = (flags & FLAG_NO_ZEROES) === 0;
  if ((flags & FLAG_FIXED_NEWSTYLE) === 0) {
    if (tls) throw new Fault('unsupported', 'the server has no TLS (no fixed newstyle handshake)');
    return yield* byExportName(name, false, zeroes, send);
  }
  if (tls) {
    const { type, data } = yield* ask(OPT_STARTTLS, Buffer.alloc(0), send);
    if (type !== REP_ACK) throw refused('TLS', type, data);
    yield 'tls';
  }
  const structured = yield* ask(OPT_STRUCTURED_REPLY, Buffer.alloc(0), send);
  if (structured.type === REP_ERR_TLS_REQD)
    throw refused('to go on without TLS', structured.type, structured.data);
  const isStructured = structured.type === REP_ACK;
  return (yield* go(name, isStructured, send)) ?? (yield* byExportName(name, isStructured, zeroes, send));
}

/** @returns undefined where the server does not know NBD_OPT_GO */
function* go(name: Buffer, structured: boolean, send: Send): Talk<Export | undefined> {
  const wishes = [INFO_BLOCK_SIZE, INFO_DESCRIPTION];
  const data = Buffer.alloc(4 + name.length + 2 + 2 * wishes.length);
  data.writeUInt32BE(name.length);
  name.copy(data, 4);
  data.writeUInt16BE(wishes.length, 4 + name.length);
  for (const [i, wish] of wishes.entries()) data.writeUInt16BE(wish, 6 + name.length + 2 * i);
  send(option(OPT_GO, data));
  let size: number | undefined;
  let blocks: Blocks | undefined;
  let description = '';
  for (let count = 0; count < MAX_OPTION_REPLIES; count++) {
    const { type, data } = yield* reply(OPT_GO);
    if (type === REP_ERR_UNSUP) return undefined;
    if (type === REP_ACK) {
      if (size === undefined) throw violation('NBD_REP_ACK without NBD_INFO_EXPORT');
      return whole(size, blocks, structured, description);
    }
    if (type !== REP_INFO) {
      send(option(OPT_ABORT, Buffer.alloc(0)));
      throw refused(`the export '${name.toString('latin1')}'`, type, data);
    }
    if (data.length < 2) throw violation(`NBD_REP_INFO of ${data.length} bytes`);
    const kind = data.readUInt16BE(0);
    if (kind === INFO_EXPORT) {
      if (data.length !== 12) throw violation(`NBD_INFO_EXPORT of ${data.length} bytes, 12 are due`);
      size = sizeOf(data.readBigUInt64BE(2));
    } else if (kind === INFO_BLOCK_SIZE) blocks = blockSizes(data);
    else if (kind === INFO_DESCRIPTION) description = data.toString('latin1', 2, 2 + MAX_STRING);
  }
  throw violation(`more than ${MAX_OPTION_REPLIES} replies to NBD_OPT_GO`);
}

/** For servers without NBD_OPT_GO. One that has no such export ends the connection. */
function* byExportName(name: Buffer, structured: boolean, zeroes: boolean, send: Send): Talk<Export> {
  send(option(OPT_EXPORT_NAME, name));
  const size = sizeOf((yield 8).readBigUInt64BE(0));
  yield zeroes ? 2 + 124 : 2;
  return whole(size, undefined, structured, '');
}

function option(number: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(16 + data.length);
  bytes.writeBigUInt64BE(IHAVEOPT);
  bytes.writeUInt32BE(number, 8);
  bytes.writeUInt32BE(data.length, 12);
  data.copy(bytes, 16);
  return bytes;
}

function* ask(number: number, data: Buffer, send: Send): Talk<OptionReply> {
  send(option(number, data));
  const answer = yield* reply(number);
  if (answer.type !== REP_ACK && answer.type < REP_FLAG_ERROR)
    throw violation(`reply ${answer.type} to option ${number}`);
  return answer;
}

function* reply(number: number): Talk<OptionReply> {
  const head = yield 20;
  const magic = head.readBigUInt64BE(0);
  if (magic !== REP_MAGIC) throw violation(`0x${magic.toString(16)} where an option's reply is due`);
  const of = head.readUInt32BE(8);
  if (of !== number) throw violation(`a reply to option ${of}, asked was ${number}`);
  const type = head.readUInt32BE(12);
  const length = head.readUInt32BE(16);
  if (length > MAX_OPTION_REPLY)
    throw violation(`an option's reply of ${length} bytes, at most ${MAX_OPTION_REPLY} are read`);
  return { type, data: length === 0 ? Buffer.alloc(0) : Buffer.from(yield length) };
}

function refused(what: string, type: number, data: Buffer): Fault {
  const name = OPTION_ERRORS[type - REP_FLAG_ERROR] ?? `reply 0x${type.toString(16)}`;
  const text = data.toString('latin1', 0, MAX_STRING);
  const said = text === '' ? '' : `, '${text}'`;
  const advice = type === REP_ERR_TLS_REQD ? '; it wants TLS: nbds://' : '';
  const code = type === REP_ERR_UNKNOWN ? 'not-found' : type === REP_ERR_TLS_REQD ? 'unsupported' : 'io';
  return new Fault(code, `the server refuses ${what} (${name}${said})${advice}`);
}

function sizeOf(size: bigint): number {
  if (size > BigInt(Number.MAX_SAFE_INTEGER))
    throw new Fault('unsupported', `an export of ${size} bytes, at most 2^53-1 can be addressed`);
  return Number(size);
}

interface Blocks {
  readonly minimum: number;
  readonly preferred: number;
  readonly maximum: number;
}

const isPower = (n: number): boolean => n > 0 && Number.isInteger(Math.log2(n));

function blockSizes(data: Buffer): Blocks {
  if (data.length !== 14) throw violation(`NBD_INFO_BLOCK_SIZE of ${data.length} bytes, 14 are due`);
  const minimum = data.readUInt32BE(2);
  const preferred = data.readUInt32BE(6);
  const maximum = data.readUInt32BE(10);
  if (!isPower(minimum) || minimum > MAX_MINIMUM_BLOCK || !isPower(preferred) || preferred < minimum)
    throw violation(`block sizes of ${minimum} (minimum) and ${preferred} (preferred)`);
  if (maximum < minimum) throw violation(`a maximum of ${maximum} bytes below the minimum of ${minimum}`);
  return { minimum, preferred, maximum };
}

function whole(size: number, blocks: Blocks | undefined, structured: boolean, description: string): Export {
  const { minimum, preferred, maximum } = blocks ?? {
    // What every server must take, where the export is made of sectors.
    minimum: size % DEFAULT_MINIMUM === 0 ? DEFAULT_MINIMUM : 1,
    preferred: DEFAULT_PREFERRED,
    maximum: DEFAULT_MAXIMUM,
  };
  return {
    // What lies behind the last whole block cannot be asked for ("Size constraints").
    size: size - (size % minimum),
    minimum,
    preferred,
    maximum: maximum - (maximum % minimum),
    structured,
    description,
  };
}
