/** Is it a Linux kernel? GRUB decides by what a file holds whether `module` means a module or a ramdisk. */
import type { Budget, Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import type { GuestFile } from '../model';
import { head } from './saved';

/** Bytes looked at: GRUB reads 8 KiB (MULTIBOOT_SEARCH), the header of a Linux image lies in the first two sectors. */
const HEAD = 4096;
/** DEFLATE cannot make more of 4,096 bytes (1,032 to 1). */
const UNPACKED = 5 * 1024 * 1024;

/** GRUB unpacks gzip as it reads. */
function unpacked(bytes: Buffer, budget: Budget): Buffer {
  if (bytes.length < 18 || bytes.readUInt16BE(0) !== 0x1f8b) return bytes;
  budget.allocate(UNPACKED);
  const zlib = require('node:zlib') as typeof import('node:zlib');
  try {
    // The head of a stream is cut off anywhere.
    return zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength: UNPACKED });
  } catch {
    return bytes;
  }
}

/** Documentation/arch/x86/boot.rst: boot_flag 0xAA55 at 0x1fe, `HdrS` at 0x202. */
export function isLinuxImage(file: GuestFile, ctx: Context, budget: Budget): boolean {
  try {
    const bytes = unpacked(head(file, HEAD, { ...ctx, budget }), budget);
    return (
      bytes.length >= 0x206 &&
      bytes.readUInt16LE(0x1fe) === 0xaa55 &&
      bytes.toString('latin1', 0x202, 0x206) === 'HdrS'
    );
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}
