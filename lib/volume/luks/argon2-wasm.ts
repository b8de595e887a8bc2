/** hash-wasm's Argon2 (MIT), for Nodes without their own. A chunk of 30 kB, which is WebAssembly for the most part. */
import { argon2i, argon2id } from 'hash-wasm/dist/argon2.umd.min';

export async function argon2(
  type: 'argon2i' | 'argon2id',
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  memorySize: number,
  parallelism: number,
  hashLength: number,
): Promise<Buffer> {
  const options = {
    password,
    salt,
    iterations,
    memorySize,
    parallelism,
    hashLength,
    outputType: 'binary',
  } as const;
  return Buffer.from(await (type === 'argon2i' ? argon2i(options) : argon2id(options)));
}
