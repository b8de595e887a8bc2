/** U-Boot's images, which are named and not unpacked: no hypervisor takes one. Sources: U-Boot, include/image.h, doc/usage/fit/. */
import { struct, text, u8, u32be } from '../bytes/struct';

/** Numbers with their highest byte first. */
const LegacyHeader = struct('image_header', 64, {
  ih_magic: u32be(0),
  ih_size: u32be(12),
  ih_arch: u8(29),
  ih_comp: u8(31),
  ih_name: text(32, 32),
});
const MAGIC = 0x27051956;
/** A flattened device tree, whose images a FIT lists. */
const FDT = 0xd00dfeed;

const ARCHITECTURES: Readonly<Record<number, string>> = {
  2: 'arm',
  3: 'i386',
  22: 'arm64',
  24: 'x86_64',
  26: 'riscv',
};
const COMPRESSIONS = ['none', 'gzip', 'bzip2', 'lzma', 'lzo', 'lz4', 'zstd'];

export interface UbootImage {
  readonly format: 'uImage' | 'FIT';
  readonly architecture?: string | undefined;
  readonly compression?: string | undefined;
  /** Of a uImage: `Linux-6.1.0`. */
  readonly name?: string | undefined;
}

export function readUboot(head: Buffer): UbootImage | undefined {
  if (head.length < LegacyHeader.size) return undefined;
  const h = LegacyHeader.read(head);
  if (h.ih_magic === FDT) return { format: 'FIT' };
  if (h.ih_magic !== MAGIC) return undefined;
  return {
    format: 'uImage',
    architecture: ARCHITECTURES[h.ih_arch],
    compression: COMPRESSIONS[h.ih_comp],
    name: h.ih_name === '' ? undefined : h.ih_name,
  };
}
