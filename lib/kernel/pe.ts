/**
 * The section table of a Portable Executable, as far as EFI images need it.
 * Source: Microsoft's "PE Format"; sizes are read as systemd-boot does (a section's bytes are the smaller of
 * VirtualSize and SizeOfRawData: the raw size is padded, the virtual one may include memory that starts as zeros).
 */
import type { Context } from '../bytes/budget';
import { corrupt, limit } from '../bytes/errors';
import { bytes, struct, text, u16le, u32le } from '../bytes/struct';
import { printable } from '../bytes/text';
import { FileBackedSource } from '../fs/file-source';
import type { FileSystem, FsNode } from '../fs/types';
import { type BlockSource, readBytes } from '../source/types';

const DosHeader = struct('IMAGE_DOS_HEADER', 64, { e_magic: u16le(0), e_lfanew: u32le(0x3c) });

/** Signature, IMAGE_FILE_HEADER and the first field of the optional header. */
const NtHeaders = struct('IMAGE_NT_HEADERS', 26, {
  Signature: u32le(0),
  Machine: u16le(4),
  NumberOfSections: u16le(6),
  SizeOfOptionalHeader: u16le(20),
  Magic: u16le(24),
});
const OPTIONAL_HEADER_AT = 24;

const SectionHeader = struct('IMAGE_SECTION_HEADER', 40, {
  Name: text(0, 8),
  VirtualSize: u32le(8),
  VirtualAddress: u32le(12),
  SizeOfRawData: u32le(16),
  PointerToRawData: u32le(20),
  rest: bytes(24, 16),
});

const MZ = 0x5a4d;
const PE = 0x4550;
const PE32 = 0x10b;
const PE32_PLUS = 0x20b;
/** The most profiles of a unified kernel image (256) with a dozen sections each stay below. */
const MAX_SECTIONS = 4096;

export interface PeSection {
  /** Without its NULs, at most eight bytes: `.cmdline`. */
  readonly name: string;
  /** Byte of the file at which it starts, and how many bytes of the file it has; `read` and `range` check both. */
  readonly at: number;
  readonly size: number;
  /** Bytes in memory; 0 means that it counts as absent. */
  readonly memorySize: number;
}

/** UEFI's names of machines (UEFI specification, "Machine types"), in lower case. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [0x014c, 'ia32'],
  [0x0200, 'ia64'],
  [0x01c2, 'arm'],
  [0x8664, 'x64'],
  [0xaa64, 'aa64'],
  [0x5032, 'riscv32'],
  [0x5064, 'riscv64'],
  [0x6232, 'loongarch32'],
  [0x6264, 'loongarch64'],
]);

export class PeImage {
  readonly #source: BlockSource;
  readonly #size: number;

  /** @param size of the file; its source is longer, whole sectors */
  constructor(
    source: BlockSource,
    size: number,
    /** `x64`, `aa64` …, or the number as `0x…`. */
    readonly machine: string,
    /** In the table's order. */
    readonly sections: readonly PeSection[],
  ) {
    this.#source = source;
    this.#size = size;
  }

  /** @throws GuestError `corrupt` when the section does not lie wholly inside the file */
  range(section: PeSection): { at: number; size: number } {
    const { at, size } = section;
    if (at + size > this.#size)
      throw corrupt(
        `section ${printable(section.name)} (${size} bytes at ${at}) lies beyond the end of the file (${this.#size} bytes)`,
      );
    return { at, size };
  }

  /** The section's bytes in memory. @throws GuestError `limit` when they are more than `maxBytes` */
  read(section: PeSection, maxBytes: number, ctx: Context): Buffer {
    const { at, size } = this.range(section);
    if (size > maxBytes)
      throw limit(`section ${printable(section.name)} of ${size} bytes, maximum ${maxBytes}`);
    return readBytes(this.#source, at, size, ctx);
  }
}

/**
 * Reads the headers of a file.
 * @returns undefined when the file is no PE image
 * @throws GuestError `corrupt` or `limit` when it says that it is one and cannot be
 */
export function readPe(fs: FileSystem, node: FsNode, label: string, ctx: Context): PeImage | undefined {
  if (node.kind !== 'file') return undefined;
  return readPeFrom(new FileBackedSource(fs, node, label, 0, ctx), node.size, label, ctx);
}

/** As `readPe`. @param size of the file; its source may be longer, whole sectors */
export function readPeFrom(
  source: BlockSource,
  size: number,
  label: string,
  ctx: Context,
): PeImage | undefined {
  if (size < DosHeader.size) return undefined;
  const dos = DosHeader.read(readBytes(source, 0, DosHeader.size, ctx));
  if (dos.e_magic !== MZ) return undefined;
  const start = dos.e_lfanew;
  // An x86 kernel without an EFI stub may start with MZ too, and then has anything here.
  if (start < DosHeader.size || start + NtHeaders.size > size) return undefined;
  const nt = NtHeaders.read(readBytes(source, start, NtHeaders.size, ctx));
  if (nt.Signature !== PE) return undefined;
  if (nt.Magic !== PE32 && nt.Magic !== PE32_PLUS)
    throw corrupt(`optional header's magic is 0x${nt.Magic.toString(16)}`, label, 'PE');
  if (nt.NumberOfSections > MAX_SECTIONS)
    throw limit(`${nt.NumberOfSections} sections, maximum ${MAX_SECTIONS}`, label, 'PE');
  const table = start + OPTIONAL_HEADER_AT + nt.SizeOfOptionalHeader;
  const length = nt.NumberOfSections * SectionHeader.size;
  if (table + length > size)
    throw corrupt(
      `${nt.NumberOfSections} section headers at ${table} reach beyond the end of the file (${size} bytes)`,
      label,
      'PE',
    );
  const raw = length > 0 ? readBytes(source, table, length, ctx) : Buffer.alloc(0);
  const sections: PeSection[] = [];
  for (let at = 0; at < length; at += SectionHeader.size) {
    ctx.budget.step();
    const header = SectionHeader.read(raw, at);
    sections.push({
      name: header.Name,
      at: header.PointerToRawData,
      size: Math.min(header.VirtualSize, header.SizeOfRawData),
      memorySize: header.VirtualSize,
    });
  }
  const machine = MACHINES.get(nt.Machine) ?? `0x${nt.Machine.toString(16)}`;
  return new PeImage(source, size, machine, sections);
}
