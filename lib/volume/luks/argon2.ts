/** Argon2: the runtime's own (Node 24.7 and newer), else hash-wasm's, which is a chunk. */
import * as crypto from 'node:crypto';
import { freemem } from 'node:os';
import type { Context } from '../../bytes/budget';
import { corrupt, limit, unsupported } from '../../bytes/errors';
import type { Derivation } from './header';

type Argon2 = Extract<Derivation, { type: 'argon2i' | 'argon2id' }>;

/** Of Node 24.7, which this project's types do not know yet. */
interface Native {
  argon2Sync?(algorithm: string, parameters: object): Buffer;
}

/**
 * @param key wiped by the caller
 * @throws GuestError `corrupt` for parameters that RFC 9106 does not allow, `limit`, `unsupported`
 */
export async function argon2(
  key: Uint8Array,
  { type, salt, passes, memory, lanes }: Argon2,
  length: number,
  ctx: Context,
): Promise<Buffer> {
  // RFC 9106, 3.1; the salt's and the key's least lengths are libargon2's.
  if (lanes < 1 || passes < 1 || memory < 8 * lanes || salt.length < 8 || length < 4)
    throw corrupt(
      `${type} with ${lanes} lanes, ${memory} KiB, ${passes} passes, ${salt.length} bytes of salt`,
    );
  const bytes = memory * 1024;
  ctx.budget.most('keyMemory', bytes, `${type}: bytes of memory`);
  if (bytes > freemem()) throw limit(`${type} needs ${bytes} bytes of memory, ${freemem()} are free here`);
  const native = (crypto as Native).argon2Sync;
  if (native) {
    const parameters = { message: key, nonce: salt, parallelism: lanes, tagLength: length, memory, passes };
    return native(type, parameters);
  }
  // hash-wasm takes none.
  if (key.length === 0) throw unsupported(`${type} of an empty passphrase before Node 24.7`);
  const wasm = require('./argon2-wasm') as typeof import('./argon2-wasm');
  const before = resident();
  try {
    const made = await wasm.argon2(type, key, salt, passes, memory, lanes, length);
    await givenBack(before, bytes);
    return made;
  } catch (error) {
    // WebAssembly cannot have that much.
    if (error instanceof RangeError)
      throw limit(`${type} needs ${bytes} bytes of memory, which cannot be had`);
    throw error;
  }
}

/** Bytes; 0 where a sandbox has no /proc. */
function resident(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

/** Milliseconds that V8 is given to return WebAssembly's memory, which it does in a thread of its own. */
const PATIENCE = 1000;

/**
 * V8 would keep the memory until it needs some itself; the limit of this process's memory (meter.ts) would be met by what nobody uses.
 * @param before bytes resident without it
 */
async function givenBack(before: number, bytes: number): Promise<void> {
  if (bytes < 16 * 1024 * 1024) return;
  const { setFlagsFromString } = require('node:v8') as typeof import('node:v8');
  const { runInNewContext } = require('node:vm') as typeof import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const began = performance.now();
  do {
    // Not in the turn that used it: its stack may still point there.
    await new Promise((done) => setTimeout(done, 5));
    collect();
  } while (resident() > before + bytes / 2 && performance.now() - began < PATIENCE);
}
