/** The kernels of fixtures/kernels, and what their makers' tools say of them (fixtures/recipes/kernels.sh). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../lib/bytes/budget';
import { type KernelFile, kernelInMemory } from '../../lib/kernel/file';
import { ROOT } from '../support';

export interface ExpectedKernel {
  /** What is in it: `both`, `pv`, `pvh`, `none` …, or an Image. */
  readonly inner: string;
  readonly size: number;
  readonly sha256: string;
  /** By file(1). */
  readonly file: string;
  /** By the linker. */
  readonly pvEntry?: string;
  readonly pvhEntry?: string;
  /** By Xen's domain builder. */
  readonly xen: { readonly pv: boolean; readonly pvh: boolean };
}

const FOLDER = join(ROOT, 'fixtures', 'kernels');

export const kernelBytes = (name: string): Buffer => readFileSync(join(FOLDER, name));

export const expectedKernels: Readonly<Record<string, ExpectedKernel>> = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
);

export const kernelNamed = (name: string): KernelFile => kernelInMemory(kernelBytes(name), name);

export function all(pieces: Iterable<Uint8Array>): Buffer {
  const parts: Buffer[] = [];
  for (const piece of pieces) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

export type Inspect<T> = (file: KernelFile, ctx: Context) => T;
