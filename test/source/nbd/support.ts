/** Starts the test's own server (server.cjs), and opens it. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LIMITS } from '../../../lib/bytes/limits';
import { type NbdSource, openNbd } from '../../../lib/source/nbd';

export interface Options {
  readonly size?: number;
  /** Minimum, preferred, maximum. */
  readonly blocks?: readonly [number, number, number];
}

interface Owner {
  teardown(fn: () => unknown): unknown;
}

export interface Server {
  readonly port: number;
  /** Seen so far: `option 7`, `read 0 131072` … */
  readonly events: string[];
  open(silentSeconds?: number, uri?: (port: number) => string): NbdSource;
  /** Lets events come. */
  settle(): Promise<void>;
}

interface Message {
  readonly id: number;
  readonly port?: number;
  readonly event?: string;
}

/** One thread serves a whole test file, a port each. */
let thread: Worker | undefined;
let servers = 0;

export async function server(t: Owner, behaviour: string, options: Options = {}): Promise<Server> {
  thread ??= new Worker(join(__dirname, 'server.cjs'), { execArgv: [], env: {} });
  thread.setMaxListeners(1000).unref();
  const id = servers++;
  const events: string[] = [];
  const opened: NbdSource[] = [];
  t.teardown(async () => {
    for (const source of opened) await source.client.close();
  });
  const port = await new Promise<number>((done) => {
    const keep = setTimeout(() => {}, 30_000);
    thread!.on('message', (message: Message) => {
      if (message.id !== id) return;
      if (message.event !== undefined) events.push(message.event);
      if (message.port === undefined) return;
      clearTimeout(keep);
      done(message.port);
    });
    thread!.postMessage({ id, behaviour, ...options });
  });
  return {
    port,
    events,
    open(silentSeconds = 20, uri = (port) => `nbd://127.0.0.1:${port}/disk`) {
      const source = openNbd(uri(port), { ...LIMITS, silentSeconds });
      opened.push(source);
      return source;
    },
    settle: () => new Promise((done) => setTimeout(done, 200)),
  };
}

/** What the server's disk holds. */
export function content(at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = ((at + i) * 7) ^ ((at + i) >> 8);
  return bytes;
}
