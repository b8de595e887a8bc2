/** How a server is reached: a socket, and TLS upon it. All that is needed of the host is opened at once, while the program is root. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { isIP, Socket } from 'node:net';
import { join } from 'node:path';
import type { SecureContext, TLSSocket } from 'node:tls';
import { Fault } from './fault';
import type { NbdAddress, TlsWish } from './uri';

/** Bytes of a file with certificates. */
const LARGEST = 1024 * 1024;

/** `connection refused (ECONNREFUSED)`, as far as Node says it. */
export function hostWords(error: unknown): string {
  const all = (error as AggregateError).errors;
  const { code, message } = (all?.[0] ?? error) as NodeJS.ErrnoException;
  return code !== undefined && !message.includes(code) ? `${message} (${code})` : message;
}

/** What Node knows of a server's certificates and ours. @throws Fault */
export function credentials(wish: TlsWish): SecureContext {
  const { createSecureContext } = require('node:tls') as typeof import('node:tls');
  const folder = wish.certificates;
  const read = (name: string, needed: boolean): Buffer | undefined => {
    const path = join(folder!, name);
    try {
      const fd = openSync(path, 'r');
      try {
        const stat = fstatSync(fd);
        if (!stat.isFile() || stat.size > LARGEST) throw new Error('not a file of at most 1 MiB');
        return readFileSync(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (!needed && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new Fault('io', `cannot read ${path}: ${hostWords(error)}`);
    }
  };
  try {
    if (folder === undefined) return createSecureContext({ minVersion: 'TLSv1.2' });
    const cert = read('client-cert.pem', false);
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ca: read('ca-cert.pem', true)!,
      ...(cert && { cert, key: read('client-key.pem', true)! }),
      ...Object.fromEntries([['crl', read('ca-crl.pem', false)]].filter(([, value]) => value)),
    });
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('io', `certificates in ${folder}: ${hostWords(error)}`);
  }
}

/** Bytes that one call of read(2) may bring; nothing is allocated for them. */
const READ = 256 * 1024;

/**
 * A socket that is connecting, or connected by somebody else (`fd`). Without TLS what comes goes to `take`.
 * @param take undefined: by `data` events
 */
export function dial(
  { socket, host, port }: NbdAddress,
  fd: number | undefined,
  take: ((bytes: Buffer) => void) | undefined,
): Socket {
  const onread = take && {
    buffer: Buffer.allocUnsafeSlow(READ),
    callback: (count: number, buffer: Uint8Array) => {
      take(buffer.subarray(0, count) as Buffer);
      return true;
    },
  };
  const options = { ...(fd !== undefined && { fd }), ...(onread && { onread }) };
  const made = new Socket(options as import('node:net').SocketConstructorOpts);
  if (fd !== undefined) return made;
  // `connect` of a socket that exists takes no `onread`; the constructor's stands.
  if (socket !== undefined) made.connect({ path: socket });
  else
    made.connect({ host, port, autoSelectFamily: true, noDelay: true, keepAlive: true } as object as {
      host: string;
      port: number;
    });
  return made;
}

/** The same connection under TLS. The caller hears `secureConnect`, `data`, `error`, `close` of it. */
export function upgrade(plain: Socket, wish: TlsWish, secureContext: SecureContext): TLSSocket {
  const { checkServerIdentity, connect } = require('node:tls') as typeof import('node:tls');
  const name = wish.hostname;
  return connect({
    socket: plain,
    secureContext,
    rejectUnauthorized: wish.verify,
    minVersion: 'TLSv1.2',
    // Addresses are no names for SNI (RFC 6066, 3).
    ...(name !== undefined && isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_, certificate) =>
      name === undefined ? undefined : checkServerIdentity(name, certificate),
  });
}
