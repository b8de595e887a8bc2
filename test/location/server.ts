/** A distribution's tree on a server of the test's own, and the built program beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bzImage } from '../boot/images';
import { ROOT } from '../support';

export const CA = join(ROOT, 'fixtures', 'location', 'ca.pem');
const KEY = join(ROOT, 'fixtures', 'location', 'server.key');
const CERTIFICATE = join(ROOT, 'fixtures', 'location', 'server.pem');

export const KERNEL = Buffer.from(bzImage('6.1'));
export const INITRD = Buffer.from('an initrd '.repeat(1000));
export const hash = (bytes: Uint8Array, algorithm = 'sha256'): string =>
  createHash(algorithm).update(bytes).digest('hex');

interface Owner {
  teardown(fn: () => unknown): unknown;
}

/** By path from the server's root: content, or what answers. */
export type Site = Record<
  string,
  string | Uint8Array | ((request: IncomingMessage, response: ServerResponse) => void)
>;

export interface Served {
  /** `http://127.0.0.1:PORT`, no slash at its end. */
  readonly url: string;
  /** `GET /x`, as they came. */
  readonly requests: string[];
  readonly headers: IncomingMessage['headers'][];
}

function listener(
  site: Site,
  served: { requests: string[]; headers: IncomingMessage['headers'][] },
): RequestListener {
  return (request, response) => {
    served.requests.push(`${request.method} ${request.url}`);
    served.headers.push(request.headers);
    const what = site[decodeURIComponent((request.url ?? '').replace(/^http:\/\/[^/]+/, ''))];
    if (typeof what === 'function') return what(request, response);
    if (what === undefined) {
      response.writeHead(404, { 'Content-Type': 'text/html' });
      return response.end(request.method === 'HEAD' ? undefined : '<h1>not here</h1>');
    }
    response.writeHead(200, { 'Content-Length': what.length });
    return response.end(request.method === 'HEAD' ? undefined : what);
  };
}

export async function serve(t: Owner, site: Site, secure = false): Promise<Served> {
  const served = { requests: [] as string[], headers: [] as IncomingMessage['headers'][] };
  const answer = listener(site, served);
  const server = secure
    ? https.createServer({ key: readFileSync(KEY), cert: readFileSync(CERTIFICATE) }, answer)
    : http.createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { ...served, url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}` };
}

/** A folder that everybody may enter. */
export function folder(t: Owner): string {
  const made = mkdtempSync(join(tmpdir(), 'nodegrub-location-'));
  chmodSync(made, 0o755);
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

export interface Ran {
  readonly status: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
  /** Names in the output directory afterwards. */
  readonly left: string[];
  /** Content of what the result names. */
  readonly kernel: Buffer | undefined;
  readonly ramdisk: Buffer | undefined;
  readonly args: string | null;
}

export interface How {
  readonly env?: Record<string, string>;
  readonly started?: (child: ChildProcess) => void;
  /** `-q` and `--output-format=json` are there already. */
  readonly directory?: string;
}

/** The program as a toolstack starts it, while this process serves. tap's hook is kept out by `env -i`. */
export function fetchFrom(t: Owner, args: readonly string[], how: How = {}): Promise<Ran> {
  const directory = how.directory ?? join(folder(t), 'out');
  mkdirSync(directory, { recursive: true });
  const variables = Object.entries({ PATH: process.env.PATH ?? '', ...how.env }).map(([k, v]) => `${k}=${v}`);
  const child = spawn(
    'env',
    [
      '-i',
      ...variables,
      process.execPath,
      join(ROOT, 'dist', 'nodegrub.js'),
      '-q',
      '--output-format=json',
      `--output-directory=${directory}`,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  how.started?.(child);
  return new Promise((done) => {
    child.on('close', (status, signal) => {
      const result = status === 0 && out.startsWith('{') ? JSON.parse(out) : {};
      const content = (path: unknown) =>
        typeof path === 'string' && path.startsWith('/') ? readFileSync(path) : undefined;
      done({
        status,
        signal,
        out,
        err,
        left: readdirSync(directory),
        kernel: content(result.kernel),
        ramdisk: content(result.ramdisk),
        args: result.args ?? null,
      });
    });
  });
}
