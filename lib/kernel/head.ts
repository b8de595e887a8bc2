/** What the first bytes of a file say: is this a kernel at all? */
import type { Context } from '../bytes/budget';
import { fileExtents } from '../fs/file';
import type { FileSystem, FsNode } from '../fs/types';

/** Bytes that `kernelKind` wants to see. */
export const HEAD_BYTES = 1024;

/** At most `length` bytes from byte `at` of a file: fewer at its end. @throws GuestError */
export function readRange(fs: FileSystem, node: FsNode, at: number, length: number, ctx: Context): Buffer {
  const end = Math.min(node.size, at + length);
  if (!(at >= 0 && at < end)) return Buffer.alloc(0);
  ctx.budget.allocate(end - at);
  ctx.budget.read(end - at);
  const into = Buffer.alloc(end - at);
  for (const extent of fileExtents(fs, node, ctx)) {
    if (extent.offset >= end) break;
    const from = Math.max(at, extent.offset);
    const to = Math.min(end, extent.offset + extent.length);
    if (from >= to) continue;
    const part = into.subarray(from - at, to - at);
    const skip = from - extent.offset;
    switch (extent.kind) {
      case 'hole':
        break;
      case 'data':
        extent.source.read(extent.at + skip, part);
        break;
      case 'inline':
        part.set(extent.bytes.subarray(skip, skip + part.length));
        break;
      case 'packed':
        part.set(extent.unpack().subarray(skip, skip + part.length));
    }
  }
  return into;
}

/**
 * `bzImage`: Linux' x86 boot protocol (Documentation/arch/x86/boot.rst); `Image`: arm64 or riscv
 * (Documentation/arch/arm64/booting.rst); `PE`: EFI zboot and the like; `uImage`: U-Boot's legacy header.
 */
export type KernelKind = 'bzImage' | 'Image' | 'ELF' | 'PE' | 'uImage' | 'compressed';

/** Magic numbers of what a kernel may be packed with: gzip, xz, zstd, lz4 (legacy and frame), bzip2, lzma, lzop. */
const PACKED: readonly string[] = [
  '\x1f\x8b',
  '\xfd7zXZ\0',
  '\x28\xb5\x2f\xfd',
  '\x02\x21\x4c\x18',
  '\x04\x22\x4d\x18',
  'BZh',
  '\x5d\0\0',
  '\x89LZO',
];

/** Undefined: nothing that could be booted as a kernel. */
export function kernelKind(head: Buffer): KernelKind | undefined {
  const magic = (at: number, text: string) => head.toString('latin1', at, at + text.length) === text;
  if (magic(0x1fe, '\x55\xaa') && magic(0x202, 'HdrS')) return 'bzImage';
  if (magic(0, '\x7fELF')) return 'ELF';
  if (magic(0x38, 'ARM\x64') || magic(0x38, 'RSC\x05')) return 'Image';
  if (magic(0, 'MZ')) return 'PE';
  if (magic(0, '\x27\x05\x19\x56')) return 'uImage';
  return PACKED.some((text) => magic(0, text)) ? 'compressed' : undefined;
}
