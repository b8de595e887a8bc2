/**
 * Images that are not packed by themselves, of arm64, RISC-V and LoongArch, and EFI zboot, which packs one.
 * Sources: Linux, Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst,
 * arch/loongarch/kernel/head.S, drivers/firmware/efi/libstub/zboot-header.S and Makefile.zboot.
 */
import type { Context } from '../bytes/budget';
import { safe, struct, text, u32le } from '../bytes/struct';
import type { KernelFile } from './file';
import { compressionOf, type Packed } from './unpack';

const ImageHeader = struct('image header', 64, {
  text_offset_low: u32le(8),
  text_offset_high: u32le(12),
  image_size_low: u32le(16),
  image_size_high: u32le(20),
  flags: u32le(24),
  magic: u32le(0x38),
});
const ARM64 = 0x644d5241;
const RISCV = 0x05435352;
/** LoongArch, and zboot of any machine (include/linux/pe.h: LINUX_PE_MAGIC). */
const LINUX_PE = 0x818223cd;

const ZbootHeader = struct('zboot header', 64, {
  MZ: u32le(0),
  zimg: u32le(4),
  payload_offset: u32le(8),
  payload_size: u32le(12),
  comp_type: text(24, 32),
});
const ZIMG = 0x676d697a;

const PAGES = ['unknown', '4 KiB', '16 KiB', '64 KiB'];

export interface BootImage {
  readonly architecture: 'arm64' | 'riscv' | 'loongarch';
  /** Where in memory, from a base that the machine's rules give, and how many bytes there; undefined: an old kernel does not say. */
  readonly textOffset: number;
  readonly imageSize: number | undefined;
  readonly endian: 'little' | 'big';
  /** arm64: `4 KiB` … */
  readonly pageSize: string | undefined;
}

/** @returns undefined when it is none of these. @throws GuestError `corrupt` for sizes beyond 2^53 */
export function readImage(head: Buffer): BootImage | undefined {
  if (head.length < ImageHeader.size) return undefined;
  const h = ImageHeader.read(head);
  const architecture = h.magic === ARM64 ? 'arm64' : h.magic === RISCV ? 'riscv' : 'loongarch';
  if (architecture === 'loongarch' && (h.magic !== LINUX_PE || isZboot(head))) return undefined;
  const size = safe(h.image_size_high, h.image_size_low);
  const at = architecture === 'loongarch' ? 24 : 8;
  return {
    architecture,
    textOffset: safe(head.readUInt32LE(at + 4), head.readUInt32LE(at)),
    imageSize: size === 0 ? undefined : size,
    endian: architecture === 'arm64' && h.flags & 1 ? 'big' : 'little',
    pageSize: architecture === 'arm64' ? PAGES[(h.flags >> 1) & 3] : undefined,
  };
}

export const isZboot = (head: Buffer): boolean =>
  head.length >= ZbootHeader.size &&
  head.toString('latin1', 0, 2) === 'MZ' &&
  ZbootHeader.fields.zimg.read(head, 0) === ZIMG;

/** What a zboot image carries. */
export interface Zboot {
  /** Linux' word for the compression: `gzip`, `zstd22` … */
  readonly named: string;
  readonly payload: Packed | undefined;
  readonly problem: string | undefined;
}

/** @param head at least 64 bytes of a file that `isZboot` */
export function readZboot(file: KernelFile, head: Buffer, ctx: Context): Zboot {
  const { payload_offset: at, payload_size: size, comp_type: named } = ZbootHeader.read(head);
  const none = (problem: string): Zboot => ({ named, payload: undefined, problem });
  if (size <= 4 || at + size > file.size)
    return none(`its payload (${size} bytes at ${at}) does not lie in the file (${file.size} bytes)`);
  const part = file.part(at, size, 'payload');
  const compression = compressionOf(part.upTo(0, 16, ctx));
  if (!compression) return none('its payload is packed in a way that is not known');
  // The size of what comes out is not counted in `payload_size`, but follows; gzip has its own.
  const last = compression === 'gzip' ? at + size - 4 : at + size;
  const promised = last + 4 <= file.size ? file.read(last, 4, ctx).readUInt32LE(0) : undefined;
  const payload = { compression, file: part, size: promised, appended: false };
  return { named, payload, problem: undefined };
}
