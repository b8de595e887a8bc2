/** What a kernel can do for whoever wants to start it. Sources: Xen's public/elfnote.h and public/features.h. */
import type { ByteString } from '../bytes/text';
import { XEN_NOTE, type XenNotes } from './elf';

export type KernelFormat =
  | 'bzImage'
  | 'zImage'
  | 'ELF'
  /** arm64, RISC-V, LoongArch. */
  | 'Image'
  /** EFI zboot: an EFI program that carries a packed Image. */
  | 'zboot'
  /** Another EFI program. */
  | 'PE'
  | 'uImage'
  | 'FIT'
  | 'unknown';

export interface PvStart {
  /** Virtual address, `0xffffffff830791c0`; undefined: the note has none, and the ELF header's counts. */
  readonly entry: string | undefined;
  /** `xen-3.0`, `generic`, `linux`, `2.6`: as the kernel says it, undefined where it does not. */
  readonly xenVersion: ByteString | undefined;
  readonly loader: ByteString | undefined;
  /** Names of features.h; those with `!` in front are asked for, without them it does not start. */
  readonly features: readonly ByteString[];
  /** Bits by name; `undefined` where the kernel has no such note. */
  readonly supportedFeatures: readonly string[] | undefined;
}

export interface PvhStart {
  /** Physical address, `0x1000850`. */
  readonly entry: string;
}

export interface KernelAbilities {
  readonly format: KernelFormat;
  /** From the outside in, `UKI`, `gzip` and `xz` among them: `['UKI', 'bzImage', 'xz', 'ELF']`. */
  readonly layers: readonly string[];
  /** As the kernel says it, with whatever follows the number: guest text. */
  readonly version: ByteString | undefined;
  /** `x86_64`, `i386`, `arm64`, `riscv` …, or what an ELF or PE header has for a number. */
  readonly architecture: string | undefined;
  /** What the kernel proper is packed with; `none`: nothing. Undefined: not known. */
  readonly compression: string | undefined;
  /** Bytes unpacked, as the image promises; bytes of the file where nothing is packed. Undefined: not said. */
  readonly unpackedSize: number | undefined;
  /** `linux`, `FreeBSD`, `NetBSD` …: the note GUEST_OS. */
  readonly guestOs: ByteString | undefined;
  /** How Xen can start it. `undefined`: not so, if `examined`; else nobody knows. */
  readonly pv: PvStart | undefined;
  readonly pvh: PvhStart | undefined;
  /** The notes for Xen were looked for where they would be. Always false for machines other than x86, which have none. */
  readonly examined: boolean;
  /** UEFI firmware can start the file itself. */
  readonly efiStub: boolean;
  /** It is Xen itself. */
  readonly hypervisor: boolean;
  /** x86: the boot protocol `2.15`, and what its header says. */
  readonly protocol: string | undefined;
  readonly relocatable: boolean | undefined;
  readonly initSize: number | undefined;
  readonly commandLineSize: number | undefined;
  readonly loadFlags: readonly string[];
  /** Image: where it wants to be, and memory that it takes. */
  readonly textOffset: number | undefined;
  readonly imageSize: number | undefined;
  /** Why something of it could not be looked at: one printable sentence each. */
  readonly problems: readonly string[];
}

/** Bit numbers of SUPPORTED_FEATURES. */
const FEATURES = [
  'writable_page_tables',
  'writable_descriptor_tables',
  'auto_translated_physmap',
  'supervisor_mode_kernel',
  'pae_pgdir_above_4gb',
  'mmu_pt_update_preserve_ad',
  'highmem_assist',
  'gnttab_map_avail_bits',
  'hvm_callback_vector',
  'hvm_safe_pvclock',
  'hvm_pirqs',
  'dom0',
  'grant_map_identity',
  'memory_op_vnode_supported',
  'ARM_SMCCC_supported',
  'linux_rsdp_unrestricted',
  'not_direct_mapped',
  'direct_mapped',
];

/** A note of 4 or 8 bytes as an address. */
export function addressOf(note: Buffer | undefined): string | undefined {
  if (note?.length === 8) return `0x${note.readBigUInt64LE(0).toString(16)}`;
  return note?.length === 4 ? `0x${note.readUInt32LE(0).toString(16)}` : undefined;
}

const textOf = (note: Buffer | undefined): ByteString | undefined =>
  note?.toString('latin1').replace(/\0[\s\S]*$/, '');

/** What `__xen_guest` says: `LOADER=generic,XEN_VER=xen-3.0`. */
function guestWord(guest: string | undefined, word: string): ByteString | undefined {
  const found = guest?.split(',').find((item) => item.startsWith(`${word}=`));
  return found?.slice(word.length + 1);
}

/** How Xen can start an ELF kernel, by its notes. */
export function xenStarts(elf: XenNotes): Pick<KernelAbilities, 'pv' | 'pvh' | 'guestOs'> {
  const { notes, guest } = elf;
  const supported = notes.get(XEN_NOTE.supportedFeatures);
  const bits = supported?.length === 4 ? supported.readUInt32LE(0) : undefined;
  const features = textOf(notes.get(XEN_NOTE.features)) ?? guestWord(guest, 'FEATURES') ?? '';
  const pv: PvStart = {
    entry: addressOf(notes.get(XEN_NOTE.entry)) ?? guestWord(guest, 'VIRT_ENTRY'),
    xenVersion: textOf(notes.get(XEN_NOTE.version)) ?? guestWord(guest, 'XEN_VER'),
    loader: textOf(notes.get(XEN_NOTE.loader)) ?? guestWord(guest, 'LOADER'),
    features: features.split('|').filter((name) => name !== ''),
    supportedFeatures:
      bits === undefined ? undefined : FEATURES.filter((_, bit) => Math.floor(bits / 2 ** bit) % 2 === 1),
  };
  const phys = notes.get(XEN_NOTE.phys32Entry);
  return {
    pv: elf.pv ? pv : undefined,
    pvh: elf.pvh ? { entry: addressOf(phys?.subarray(0, 4)) ?? '' } : undefined,
    guestOs: textOf(notes.get(XEN_NOTE.guestOs)) ?? guestWord(guest, 'GUEST_OS'),
  };
}
