/** Which protocol a kernel image speaks, as GRUB legacy's `kernel` guesses it from the first bytes. */
import { constants, gunzipSync } from 'node:zlib';
import type { Context } from '../bytes/budget';
import type { FileSystem, FsNode } from '../fs/types';
import { kernelKind, readRange } from './head';

export type LoaderKind = 'linux' | 'multiboot' | 'unknown';

/** Multiboot 0.6.96, section 3.1: the header lies in the first 8,192 bytes, aligned to 4. */
const MULTIBOOT_SEARCH = 8192;
const MULTIBOOT_MAGIC = 0x1badb002;
/** Compressed bytes that are looked at: DEFLATE makes at most 1,032 bytes of one. */
const COMPRESSED_HEAD = 8192;
const UNPACKED_HEAD = COMPRESSED_HEAD * 1032;

/** A gzip'd image is looked into, as GRUB does. @throws GuestError when the file cannot be read */
export function loaderKind(fs: FileSystem, node: FsNode, ctx: Context): LoaderKind {
  const raw = readRange(fs, node, 0, COMPRESSED_HEAD, ctx);
  let head = raw;
  if (raw.length > 2 && raw.readUInt16BE(0) === 0x1f8b) {
    ctx.budget.step(1000);
    ctx.budget.allocate(UNPACKED_HEAD);
    try {
      head = gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
      return 'unknown';
    }
  }
  if (kernelKind(head) === 'bzImage') return 'linux';
  for (let at = 0; at + 12 <= Math.min(head.length, MULTIBOOT_SEARCH); at += 4) {
    if (head.readUInt32LE(at) !== MULTIBOOT_MAGIC) continue;
    // Magic, flags and checksum add up to zero.
    if (((MULTIBOOT_MAGIC + head.readUInt32LE(at + 4) + head.readUInt32LE(at + 8)) | 0) === 0)
      return 'multiboot';
  }
  return 'unknown';
}
