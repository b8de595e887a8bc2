/** NBD URIs (doc/uri.md of github.com/NetworkBlockDevice/nbd), with libnbd's `tls-certificates`. */
import { GuestError } from '../../bytes/errors';
import { fromHost, printable } from '../../bytes/text';
import { MAX_STRING } from './layout';

export interface NbdAddress {
  /** Where; a Unix socket or a TCP port. */
  readonly socket: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Bytes of the export's name, as latin1. */
  readonly name: string;
  /** Undefined: without TLS. */
  readonly tls: TlsWish | undefined;
  /** For messages: the URI without its query, printable. */
  readonly label: string;
}

export interface TlsWish {
  /** Folder with ca-cert.pem and perhaps client-cert.pem, client-key.pem, ca-crl.pem; undefined: the roots that Node has. */
  readonly certificates: string | undefined;
  /** Undefined: the chain is verified, and no name: a Unix socket has none. */
  readonly hostname: string | undefined;
  readonly verify: boolean;
}

const FORM = /^(nbds?)(\+unix)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/s;
/** RFC 3986, 3.2.2: an address of IPv6 stands in brackets. */
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+(?:%25[\w.~-]+)?)\]|([^:@[\]]*))(?::(\d*))?$/;
const PORT = 10809;

/** @throws GuestError `unsupported` for what is not one, or asks for what is not there */
export function parseUri(uri: string): NbdAddress {
  const shown = printable(fromHost(uri.replace(/[?#].*/s, '')));
  const bad = (why: string) => new GuestError('unsupported', `${shown}: ${why}`);
  const form = FORM.exec(uri);
  if (!form) throw bad('not an NBD URI');
  const [, scheme, unix, authority = '', path = '', query = ''] = form;
  const decode = (text: string): string => {
    const bytes = fromHost(text).replace(/%([0-9A-Fa-f]{2})?/g, (_, hex?: string) => {
      if (hex === undefined) throw bad("'%' without two hexadecimal digits");
      return String.fromCharCode(Number.parseInt(hex, 16));
    });
    return bytes;
  };
  const host = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
  const given = new Map<string, string>();
  for (const item of query.split('&').filter(Boolean)) {
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(item)!;
    if (given.has(decode(key))) throw bad(`'${printable(decode(key), 60)}' is said twice`);
    given.set(decode(key), decode(value));
  }
  const take = (key: string): string | undefined => {
    const value = given.get(key);
    given.delete(key);
    return value;
  };
  const name = decode(path);
  if (name.includes('\0')) throw bad('a NUL in the name of the export');
  if (name.length > MAX_STRING)
    throw bad(`a name of ${name.length} bytes, at most ${MAX_STRING} are allowed`);
  const socket = take('socket');
  let at = { host: '', port: 0 };
  if (unix) {
    if (!socket) throw bad('no socket= is named');
    if (authority !== '') throw bad('a host is named beside a Unix socket');
  } else {
    if (socket !== undefined) throw bad(`socket= goes with ${scheme}+unix://`);
    if (authority.includes('@')) throw bad('a user is named: TLS with shared keys is not supported');
    const [, six, plain = '', port = ''] = AUTHORITY.exec(authority) ?? [];
    at = {
      host: six === undefined ? host(decode(plain)) : six.replace('%25', '%'),
      port: port === '' ? PORT : Number(port),
    };
    if (at.host === '' || /[\s\0/]/.test(at.host)) throw bad('no host is named');
    if (!(at.port > 0 && at.port < 65536)) throw bad('not a port');
  }
  const secure = scheme === 'nbds';
  const wish = {
    type: take('tls-type'),
    certificates: take('tls-certificates'),
    hostname: take('tls-hostname'),
    verify: take('tls-verify-peer'),
  };
  if (!secure && Object.values(wish).some((value) => value !== undefined))
    throw bad(`TLS is asked for with nbds${unix ?? ''}://`);
  if (wish.type !== undefined && wish.type !== 'x509') throw bad('tls-type: only x509 is supported');
  if (wish.verify !== undefined && !/^(0|1|true|false)$/.test(wish.verify))
    throw bad('tls-verify-peer: neither 0 nor 1');
  const [unknown] = given.keys();
  if (unknown !== undefined) throw bad(`unknown parameter '${printable(unknown, 60)}'`);
  const text = (bytes: string | undefined) => (bytes === undefined ? undefined : host(bytes));
  return {
    socket: text(socket),
    ...at,
    name,
    tls: secure
      ? {
          certificates: text(wish.certificates),
          hostname: text(wish.hostname) ?? (at.host === '' ? undefined : at.host),
          verify: !/^(0|false)$/.test(wish.verify ?? ''),
        }
      : undefined,
    label: shown,
  };
}
