/**
 * A connection for somebody who can make none: the parser in the strict sandbox. Without TLS it is the socket itself; with TLS the
 * keys stay here, and what comes in clear goes through a pair of sockets. The handshake behind STARTTLS, and all that follows, is
 * the parser's.
 */
import type { Duplex } from 'node:stream';
import { GuestError } from '../../bytes/errors';
import type { Limits } from '../../bytes/limits';
import { printable } from '../../bytes/text';
import { credentials, dial, hostWords, upgrade } from './dial';
import { Fault, violation } from './fault';
import { negotiate } from './handshake';
import { FLAG_FIXED_NEWSTYLE, FLAG_NO_ZEROES, IHAVEOPT, NBDMAGIC } from './layout';
import { type NbdAddress, parseUri } from './uri';

export interface HandedOver {
  /** A connected socket; undefined: `through` is to be called with the end of a pair of sockets. */
  readonly fd: number | undefined;
  through(other: Duplex): void;
  /** This process's part of it, or the whole of it, ends. */
  close(): void;
}

/** @throws GuestError */
export async function handOver(uri: string, { silentSeconds }: Limits): Promise<HandedOver> {
  const address = parseUri(uri);
  let stop = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, fail) => {
      const fault = new Fault('io', `no connection after ${silentSeconds} s`);
      timer = setTimeout(() => fail(fault), silentSeconds * 1000);
    });
    const made = address.tls ? secured(address) : plain(address);
    stop = made.stop;
    return await Promise.race([made.connected, late]);
  } catch (error) {
    stop();
    const { code, message } = error instanceof Fault ? error : new Fault('io', hostWords(error));
    throw new GuestError(code, printable(message, 1000), [address.label]);
  } finally {
    clearTimeout(timer);
  }
}

interface Making {
  readonly connected: Promise<HandedOver>;
  stop(): void;
}

function plain(address: NbdAddress): Making {
  const socket = dial(address, undefined, undefined);
  // Not one byte is read here.
  socket.pause();
  const connected = new Promise<HandedOver>((done, fail) => {
    socket.on('error', fail);
    socket.on('connect', () => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      done({ fd, through() {}, close: () => void socket.destroy() });
    });
  });
  return { connected, stop: () => void socket.destroy() };
}

function secured(address: NbdAddress): Making {
  const context = credentials(address.tls!);
  const socket = dial(address, undefined, undefined);
  const connected = new Promise<HandedOver>((done, fail) => {
    // Ends where it asks for TLS: nothing after that is said here.
    const talk = negotiate(Buffer.from(address.name, 'latin1'), true, (bytes) => void socket.write(bytes));
    let ask = talk.next().value;
    let rest: Buffer = Buffer.alloc(0);
    const hear = (bytes: Buffer): void => {
      rest = Buffer.concat([rest, bytes]);
      try {
        while (typeof ask === 'number' && rest.length >= ask) {
          const part = rest.subarray(0, ask);
          rest = rest.subarray(ask);
          ask = talk.next(part).value;
        }
        if (ask !== 'tls') return;
        if (rest.length > 0) throw violation(`${rest.length} bytes in clear where TLS begins`);
      } catch (error) {
        fail(error);
        return;
      }
      socket.off('data', hear);
      const clear = upgrade(socket, address.tls!, context);
      clear.on('error', fail);
      clear.on('secureConnect', () => done(bridge(clear)));
    };
    socket.on('data', hear);
    socket.on('error', fail);
    socket.on('close', () => fail(new Fault('io', 'the server closed the connection during the handshake')));
  });
  return { connected, stop: () => void socket.destroy() };
}

/** Bytes of the client's flags, which the server has had from us. */
const FLAGS = 4;

function bridge(clear: Duplex): HandedOver {
  return {
    fd: undefined,
    through(other) {
      const end = () => {
        clear.destroy();
        other.destroy();
      };
      for (const side of [clear, other]) side.on('error', end).on('close', end);
      // To the parser the connection looks like a new one.
      const greeting = Buffer.alloc(18);
      greeting.writeBigUInt64BE(NBDMAGIC);
      greeting.writeBigUInt64BE(IHAVEOPT, 8);
      greeting.writeUInt16BE(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES, 16);
      other.write(greeting);
      let skip = FLAGS;
      other.on('data', (bytes: Buffer) => {
        const rest = bytes.subarray(skip);
        skip -= bytes.length - rest.length;
        if (rest.length > 0 && !clear.write(rest)) {
          other.pause();
          clear.once('drain', () => other.resume());
        }
      });
      clear.pipe(other);
    },
    close: () => void clear.destroy(),
  };
}
