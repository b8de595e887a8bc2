/**
 * What an ELF kernel says of Xen: its notes named `Xen` and, before those, the section `__xen_guest`.
 * Sources: elf(5); Xen's public/elfnote.h; libelf's rule that note segments come before note sections.
 */
import type { Context } from '../bytes/budget';
import { corrupt, unsupported } from '../bytes/errors';
import { safe } from '../bytes/struct';
import type { FileSystem, FsNode } from '../fs/types';
import { KernelFile } from './file';
import { readRange } from './head';

/** Types of the notes (public/elfnote.h). */
export const XEN_NOTE = {
  entry: 1,
  hypercallPage: 2,
  virtBase: 3,
  paddrOffset: 4,
  version: 5,
  guestOs: 6,
  guestVersion: 7,
  loader: 8,
  paeMode: 9,
  features: 10,
  supportedFeatures: 17,
  phys32Entry: 18,
} as const;

export interface XenNotes {
  /** `x86_64`, `i386` …; the number of e_machine where it has no name here. */
  readonly machine: string;
  readonly bits: 32 | 64;
  /** Address at which it starts where nothing else is said (`e_entry`). */
  readonly entry: bigint;
  /** Descriptions by type, as they stand; the last of a type counts. */
  readonly notes: ReadonlyMap<number, Buffer>;
  /** Contents of `__xen_guest`: `GUEST_OS=netbsd,XEN_VER=xen-3.0,LOADER=generic`. */
  readonly guest: string | undefined;
  /** Xen can start it as PVH: the note PHYS32_ENTRY. */
  readonly pvh: boolean;
  /** Xen can start it as PV: it says which Xen it was made for, and where it begins. */
  readonly pv: boolean;
  /** The program that is to load it (PT_INTERP): then it is one of an operating system's, and no kernel. */
  readonly interpreter: string | undefined;
}

const MACHINES: { readonly [number: number]: string } = {
  3: 'i386',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
  258: 'loongarch',
};
const PT_INTERP = 3;
const PT_NOTE = 4;
const SHT_NOTE = 7;
/** A kernel has about ten segments and fifty sections. */
const MAX_HEADERS = 4096;
/** Bytes of one run of notes, and of the table of names: some kB in a kernel. */
const MAX_NOTES = 1024 * 1024;
/** Bytes of an interpreter's path that are shown. */
const MAX_INTERPRETER = 256;

interface Header {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly name: number;
}

/** @throws GuestError `corrupt` when it is no ELF file or its tables lie outside it, `unsupported` for big-endian ones */
export function readXenNotes(fs: FileSystem, node: FsNode, ctx: Context): XenNotes {
  const source = {
    label: `${node.id}`,
    size: node.size,
    sectorSize: 512,
    read: (at: number, into: Uint8Array) => into.set(readRange(fs, node, at, into.length, ctx)),
  };
  return readElf(new KernelFile(source, node.size), ctx);
}

/** Reads forwards as far as the tables allow, so that a file that is unpacked on the way is unpacked once. @throws as `readXenNotes` */
export function readElf(file: KernelFile, ctx: Context): XenNotes {
  const head = file.upTo(0, 64, ctx);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) throw corrupt('no ELF file');
  const is64 = head[4] === 2;
  if (head[5] !== 1) throw unsupported('a big-endian ELF file');
  if (is64 && head.length < 64) throw corrupt('ELF header cut off');
  const word = (at: number) =>
    is64 ? safe(head.readUInt32LE(at + 4), head.readUInt32LE(at)) : head.readUInt32LE(at);
  const counts = is64 ? 54 : 42;
  const table = (at: number, size: number, count: number, wanted: number): Buffer => {
    if (count === 0) return Buffer.alloc(0);
    if (size < wanted || count > MAX_HEADERS) throw corrupt(`${count} ELF headers of ${size} bytes`);
    return whole(at, size * count);
  };
  const whole = (at: number, length: number): Buffer => {
    ctx.budget.step();
    if (at + length > file.size)
      throw corrupt(`ELF table at ${at} (${length} bytes) beyond the end (${file.size} bytes)`);
    return file.read(at, length, ctx);
  };
  const number = (buffer: Buffer, at: number, wide: boolean) =>
    wide ? safe(buffer.readUInt32LE(at + 4), buffer.readUInt32LE(at)) : buffer.readUInt32LE(at);

  const phSize = head.readUInt16LE(counts);
  const phCount = head.readUInt16LE(counts + 2);
  const segments = table(word(is64 ? 32 : 28), phSize, phCount, is64 ? 56 : 32);
  const shSize = head.readUInt16LE(counts + 4);
  const shCount = head.readUInt16LE(counts + 6);
  const names = head.readUInt16LE(counts + 8);
  const notes = new Map<number, Buffer>();
  const runs: Header[] = [];
  for (let i = 0; i < phCount; i++) {
    ctx.budget.step();
    const at = i * phSize;
    const type = segments.readUInt32LE(at);
    if (type !== PT_NOTE && type !== PT_INTERP) continue;
    const offset = number(segments, at + (is64 ? 8 : 4), is64);
    runs.push({ type, name: 0, offset, size: number(segments, at + (is64 ? 32 : 16), is64) });
  }
  let interpreter: string | undefined;
  for (const { type, offset, size } of runs.sort((a, b) => a.offset - b.offset)) {
    if (type === PT_INTERP)
      interpreter = whole(offset, Math.min(size, MAX_INTERPRETER))
        .toString('latin1')
        .replace(/\0[\s\S]*$/, '');
    else addNotes(notes, whole(offset, bounded(size)), ctx);
  }

  let guest: string | undefined;
  if (notes.size === 0 && shCount > 0) {
    const sections = table(word(is64 ? 40 : 32), shSize, shCount, is64 ? 64 : 40);
    const section = (i: number): Header => {
      const at = i * shSize;
      return {
        name: sections.readUInt32LE(at),
        type: sections.readUInt32LE(at + 4),
        offset: number(sections, at + (is64 ? 24 : 16), is64),
        size: number(sections, at + (is64 ? 32 : 20), is64),
      };
    };
    const strings = names < shCount ? section(names) : undefined;
    const text = strings ? whole(strings.offset, bounded(strings.size)) : Buffer.alloc(0);
    for (let i = 0; i < shCount; i++) {
      ctx.budget.step();
      const { type, name, offset, size } = section(i);
      if (type === SHT_NOTE) addNotes(notes, whole(offset, bounded(size)), ctx);
      else if (text.toString('latin1', name, name + 12) === '__xen_guest\0')
        guest = whole(offset, bounded(size))
          .toString('latin1')
          .replace(/\0[\s\S]*$/, '');
    }
  }
  const machine = head.readUInt16LE(18);
  const version = notes.get(XEN_NOTE.version)?.toString('latin1') ?? '';
  return {
    machine: MACHINES[machine] ?? String(machine),
    bits: is64 ? 64 : 32,
    entry: is64 ? head.readBigUInt64LE(24) : BigInt(head.readUInt32LE(24)),
    notes,
    guest,
    pvh: notes.has(XEN_NOTE.phys32Entry),
    pv:
      (version.startsWith('xen-3.') && notes.has(XEN_NOTE.entry)) ||
      /(?:^|,)XEN_VER=xen-3\./.test(guest ?? ''),
    interpreter,
  };
}

function bounded(size: number): number {
  if (size > MAX_NOTES) throw corrupt(`ELF notes of ${size} bytes, maximum ${MAX_NOTES}`);
  return size;
}

/** Notes named `Xen`: sizes of name and description, type; both padded to four bytes. What is cut off is left out. */
function addNotes(notes: Map<number, Buffer>, run: Buffer, ctx: Context): void {
  for (let at = 0; at + 12 <= run.length; ) {
    ctx.budget.step();
    const nameSize = run.readUInt32LE(at);
    const size = run.readUInt32LE(at + 4);
    const type = run.readUInt32LE(at + 8);
    const from = at + 12 + pad(nameSize);
    if (from + size > run.length) return;
    if (nameSize === 4 && run.toString('latin1', at + 12, at + 16) === 'Xen\0')
      notes.set(type, run.subarray(from, from + size));
    at = from + pad(size);
  }
}

const pad = (size: number): number => Math.ceil(size / 4) * 4;
