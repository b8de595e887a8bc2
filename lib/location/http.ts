/**
 * Files of a tree over http and https, by Node's own client. The server is not trusted: redirects are counted and stay within http
 * and https (never from https down to http), nothing is unpacked, headers and silence are bounded.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { GuestError } from '../bytes/errors';
import type { Limits } from '../bytes/limits';
import { credentials, proxyFor } from './proxy';
import { type Body, type Files, shown } from './tree';

/** Mirrors redirect once or twice; curl follows 50. */
const REDIRECTS = 10;
/** Bytes a second, over `silentSeconds` of waiting: a server that gives less is as good as silent. */
const SLOWEST = 256;
/** Bytes of all headers; Node's default. */
const HEADER_BYTES = 16 * 1024;

/** As it is shown: without user and password. */
export function named(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return shown(copy.href);
}

const io = (detail: string): GuestError => new GuestError('io', detail);

/** Node's error, or OpenSSL's, as one short line. */
function failure(url: URL, error: unknown): GuestError {
  if (error instanceof GuestError) return error;
  const { code, message, errors } = error as NodeJS.ErrnoException & { errors?: Error[] };
  if (message === 'aborted') return io(`${named(url)}: the connection ended too early`);
  const text = message || errors?.[0]?.message || code || 'no reason given';
  return io(
    `${named(url)}: ${shown(text.replace(/\s+/g, ' '), 200)}${code && !text.includes(code) ? ` (${code})` : ''}`,
  );
}

export class HttpFiles implements Files {
  readonly local = false;
  readonly base: string;
  readonly #agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 2 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 2 }),
  };

  /** @param url `http:` or `https:`, its path ends with `/` */
  constructor(
    readonly url: URL,
    readonly limits: Limits,
    readonly environment: NodeJS.ProcessEnv,
  ) {
    this.base = named(url);
  }

  async exists(path: string): Promise<boolean> {
    const response = await this.#get(path, 'HEAD');
    response?.destroy();
    return response !== undefined;
  }

  async open(path: string): Promise<Body | undefined> {
    const response = await this.#get(path, 'GET');
    if (!response) return undefined;
    const { headers } = response;
    const url = this.#urlOf(path);
    try {
      const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
      if (encoding !== 'identity')
        throw io(
          `${named(url)}: comes with Content-Encoding ${shown(encoding, 40)}, which was not asked for`,
        );
      const length = headers['content-length'];
      if (length !== undefined && !/^[0-9]{1,15}$/.test(length))
        throw io(`${named(url)}: the server gives no sound length: '${shown(length, 40)}'`);
      return {
        length: length === undefined ? undefined : Number(length),
        pieces: this.#pieces(response, url),
      };
    } catch (error) {
      response.destroy();
      throw error;
    }
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #urlOf(path: string): URL {
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.url);
  }

  /** Undefined: the server says that there is none. Some stores say 403 of what is not there. */
  async #get(path: string, method: 'GET' | 'HEAD'): Promise<http.IncomingMessage | undefined> {
    let url = this.#urlOf(path);
    for (let redirects = 0; ; redirects++) {
      const response = await this.#once(url, method);
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return response;
      // Its body is not waited for: it may have no end.
      response.destroy();
      if ([404, 410, 403].includes(statusCode)) return undefined;
      if (![301, 302, 303, 307, 308].includes(statusCode))
        throw io(
          `${named(url)}: the server answers ${statusCode} ${shown(response.statusMessage ?? '', 60)}`,
        );
      if (redirects === REDIRECTS) throw io(`${named(url)}: more than ${REDIRECTS} redirects`);
      url = redirected(url, headers.location);
    }
  }

  async #once(url: URL, method: 'GET' | 'HEAD'): Promise<http.IncomingMessage> {
    const secure = url.protocol === 'https:';
    const proxy = proxyFor(url, this.environment);
    const headers: http.OutgoingHttpHeaders = {
      'User-Agent': 'nodegrub',
      Accept: '*/*',
      'Accept-Encoding': 'identity',
    };
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const options: https.RequestOptions = {
      method,
      headers,
      host,
      port: url.port || (secure ? 443 : 80),
      path: url.pathname + url.search,
      maxHeaderSize: HEADER_BYTES,
      agent: this.#agents[secure ? 'https:' : 'http:'],
      ...(url.username === ''
        ? {}
        : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
    };
    if (proxy && secure) {
      const socket = await this.#tunnel(proxy, host, String(options.port), url);
      // tls.connect checks the certificate against `host`; an address has no server name.
      const servername = isIP(host) ? {} : { servername: host };
      // With an agent, its own connection would be taken.
      options.agent = undefined;
      options.createConnection = () => connect({ socket, host, ...servername });
    } else if (proxy) {
      headers.Host = url.host;
      const authorization = credentials(proxy);
      if (authorization) headers['Proxy-Authorization'] = authorization;
      const bare = new URL(url);
      bare.username = '';
      bare.password = '';
      bare.hash = '';
      Object.assign(options, {
        host: proxy.hostname.replace(/^\[|\]$/g, ''),
        port: proxy.port || 80,
        path: bare.href,
      });
    }
    for (;;) {
      const request = (secure ? https : http).request(options);
      request.end();
      try {
        return await this.#answer(request, 'response', url);
      } catch (error) {
        // A connection that was kept, and that the server has closed meanwhile: each attempt uses one up.
        if (!request.reusedSocket || !/ECONNRESET|EPIPE/.test((error as Error).message)) throw error;
      }
    }
  }

  /** A connection through the proxy, not yet secured. */
  async #tunnel(proxy: URL, host: string, port: string, url: URL): Promise<Socket> {
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    const authorization = credentials(proxy);
    const request = http.request({
      method: 'CONNECT',
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || 80,
      path: target,
      headers: { Host: target, ...(authorization ? { 'Proxy-Authorization': authorization } : {}) },
      maxHeaderSize: HEADER_BYTES,
      agent: false,
    });
    request.end();
    const response = await this.#answer(request, 'connect', url);
    if (response.statusCode === 200) return response.socket;
    response.socket.destroy();
    throw io(
      `${named(url)}: the proxy answers ${response.statusCode} ${shown(response.statusMessage ?? '', 60)}`,
    );
  }

  /** The head of the answer, within `silentSeconds` whatever comes before it (a server may send 100 Continue for ever). */
  #answer(
    request: http.ClientRequest,
    event: 'response' | 'connect',
    url: URL,
  ): Promise<http.IncomingMessage> {
    const { silentSeconds } = this.limits;
    return new Promise((done, fail) => {
      const timer = setTimeout(
        () => request.destroy(io(`${named(url)}: no answer within ${silentSeconds} s`)),
        silentSeconds * 1000,
      );
      request.once(event, (response: http.IncomingMessage) => {
        clearTimeout(timer);
        done(response);
      });
      // Also after the answer: then the body's reader has it too.
      request.on('error', (error) => {
        clearTimeout(timer);
        fail(failure(url, error));
      });
      request.once('close', () => {
        clearTimeout(timer);
        fail(io(`${named(url)}: the server closes the connection without an answer`));
      });
    });
  }

  async *#pieces(response: http.IncomingMessage, url: URL): AsyncGenerator<Uint8Array> {
    const milliseconds = this.limits.silentSeconds * 1000;
    const pieces = response[Symbol.asyncIterator]();
    /** Of the time that was spent waiting. */
    let waited = 0;
    let received = 0;
    try {
      for (;;) {
        const silent = setTimeout(
          () => response.destroy(io(`${named(url)}: nothing came for ${this.limits.silentSeconds} s`)),
          milliseconds,
        );
        const since = performance.now();
        let next: IteratorResult<Buffer>;
        try {
          next = await pieces.next();
        } finally {
          clearTimeout(silent);
        }
        if (next.done) return;
        waited += performance.now() - since;
        received += next.value.length;
        if (waited > milliseconds) {
          if (received < (SLOWEST * waited) / 1000)
            throw io(`${named(url)}: less than ${SLOWEST} bytes a second for ${this.limits.silentSeconds} s`);
          waited = 0;
          received = 0;
        }
        yield next.value;
      }
    } catch (error) {
      throw failure(url, error);
    } finally {
      response.destroy();
    }
  }
}

/** @throws GuestError `io` for what a redirect must not do */
function redirected(from: URL, location: string | undefined): URL {
  let to: URL | undefined;
  try {
    if (location !== undefined) to = new URL(location, from);
  } catch {
    // Said below.
  }
  if (!to) throw io(`${named(from)}: redirects to no URL`);
  if (to.protocol !== 'http:' && to.protocol !== 'https:')
    throw io(`${named(from)}: redirects to ${shown(to.protocol, 40)}, which is refused`);
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw io(`${named(from)}: redirects from https to http (${named(to)}), which is refused`);
  return to;
}
