/**
 * The header of an x86 kernel. Source: Linux, Documentation/arch/x86/boot.rst ("The Real-Mode Kernel Header"), whose names are used;
 * what follows it in the file: arch/x86/boot/tools/build.c and compressed/mkpiggy.c.
 */
import type { Context } from '../bytes/budget';
import { corrupt } from '../bytes/errors';
import { struct, u8, u16le, u32le } from '../bytes/struct';
import type { KernelFile } from './file';
import type { Packed } from './unpack';
import { compressionOf } from './unpack';

const SetupHeader = struct('setup_header', 0x268, {
  setup_sects: u8(0x1f1),
  boot_flag: u16le(0x1fe),
  header: u32le(0x202),
  version: u16le(0x206),
  kernel_version: u16le(0x20e),
  loadflags: u8(0x211),
  kernel_alignment: u32le(0x230),
  relocatable_kernel: u8(0x234),
  xloadflags: u16le(0x236),
  cmdline_size: u32le(0x238),
  payload_offset: u32le(0x248),
  payload_length: u32le(0x24c),
  init_size: u32le(0x260),
});

const SECTOR = 512;
/** `setup_sects` of 0 means this many. */
const OLD_SETUP = 4;
/** Longest version that is looked at: Linux' own are below 200. */
const MAX_VERSION = 512;
const LOADED_HIGH = 1;
const KERNEL_64 = 1;
const XLOADFLAGS = [
  'KERNEL_64',
  'CAN_BE_LOADED_ABOVE_4G',
  'EFI_HANDOVER_32',
  'EFI_HANDOVER_64',
  'EFI_KEXEC',
  '5LEVEL',
  '5LEVEL_ENABLED',
  'MEM_ENCRYPTION',
];
/** gzip's magic number and its only method: how the payload of a kernel before 2.6.26 is found, as Linux' extract-vmlinux does. */
const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);
/** Code that may stand before it: some 20 kB in those kernels. */
const SEARCHED = 1024 * 1024;

export interface BzImage {
  /** `2.15` */
  readonly protocol: string;
  readonly version: string | undefined;
  readonly architecture: 'x86_64' | 'i386' | undefined;
  /** `bzImage`, or `zImage`: loaded below 640 KiB. */
  readonly format: 'bzImage' | 'zImage';
  readonly relocatable: boolean;
  /** Names of the bits of `xloadflags`. */
  readonly loadFlags: readonly string[];
  /** Bytes of memory that it needs to unpack itself, and bytes that its command line may have; undefined before 2.10 and 2.06. */
  readonly initSize: number | undefined;
  readonly commandLineSize: number | undefined;
  /** Undefined: not where it is promised, and `problem` says why. */
  readonly payload: Packed | undefined;
  readonly problem: string | undefined;
}

/** @throws GuestError `corrupt` when the header is cut off or contradicts itself */
export function readBzImage(file: KernelFile, ctx: Context): BzImage {
  const head = Buffer.alloc(SetupHeader.size);
  const start = file.upTo(0, SetupHeader.size, ctx);
  if (start.length < 0x220) throw corrupt(`a kernel of ${file.size} bytes ends inside its header`);
  start.copy(head);
  // What lies behind the header of an old protocol is code: no field of it is read below.
  const h = SetupHeader.read(head);
  const protocol = `${h.version >> 8}.${String(h.version & 0xff).padStart(2, '0')}`;
  const setup = ((h.setup_sects || OLD_SETUP) + 1) * SECTOR;
  if (setup > file.size)
    throw corrupt(`setup of ${setup} bytes, the file has ${file.size}`, `bzImage ${protocol}`);
  const since = (version: number) => h.version >= version;
  const flags = since(0x20c) ? h.xloadflags : 0;
  let payload: Packed | undefined;
  let problem: string | undefined;
  if (since(0x208)) {
    const at = setup + h.payload_offset;
    if (h.payload_length <= 4 || at + h.payload_length > file.size)
      problem = `its payload (${h.payload_length} bytes at ${at}) does not lie in the file (${file.size} bytes)`;
    else {
      payload = packedAt(file.part(at, h.payload_length, 'payload'), ctx);
      if (!payload) problem = 'its payload is packed in a way that is not known';
    }
  } else {
    const at = file.upTo(setup, SEARCHED, ctx).indexOf(GZIP);
    if (at < 0)
      problem = `protocol ${protocol} does not say where its payload is, and no gzip stream was found`;
    else {
      const from = setup + at;
      const part = file.part(from, file.size - from, 'payload');
      payload = { compression: 'gzip', file: part, size: undefined, appended: false };
    }
  }
  return {
    protocol,
    format: h.loadflags & LOADED_HIGH ? 'bzImage' : 'zImage',
    version: versionAt(file, h.kernel_version, setup, ctx),
    architecture: since(0x20c) ? (flags & KERNEL_64 ? 'x86_64' : 'i386') : undefined,
    relocatable: since(0x205) && h.relocatable_kernel !== 0,
    loadFlags: XLOADFLAGS.filter((_, bit) => flags & (1 << bit)),
    initSize: since(0x20a) ? h.init_size : undefined,
    commandLineSize: since(0x206) ? h.cmdline_size : undefined,
    payload,
    problem,
  };
}

/** Whatever it is packed with, four bytes at its end are the size of what comes out: gzip's own, or appended by Linux' build. */
function packedAt(file: KernelFile, ctx: Context): Packed | undefined {
  const compression = compressionOf(file.upTo(0, 16, ctx));
  if (!compression) return undefined;
  const size = file.read(file.size - 4, 4, ctx).readUInt32LE(0);
  return { compression, file, size, appended: compression !== 'gzip' };
}

/** The text that `kernel_version` points to: `6.1.0-56-amd64 (debian-kernel@…) #1 SMP …`. */
function versionAt(file: KernelFile, pointer: number, setup: number, ctx: Context): string | undefined {
  const at = 0x200 + pointer;
  if (pointer === 0 || at >= setup) return undefined;
  const text = file.upTo(at, Math.min(MAX_VERSION, setup - at), ctx).toString('latin1');
  const end = text.indexOf('\0');
  return end > 0 ? text.slice(0, end) : undefined;
}
