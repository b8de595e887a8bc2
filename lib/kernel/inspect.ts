/** What a kernel is and what it can do. A plain boot never comes here: most of it is found by unpacking the kernel. */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { printable } from '../bytes/text';
import { type KernelAbilities, type KernelFormat, xenStarts } from './abilities';
import { readElf, type XenNotes } from './elf';
import type { KernelFile } from './file';
import { type Layer, layersOf } from './layers';
import { banners } from './search';
import { UnpackedKernel } from './unpacked';

const X86 = /^(x86_64|i386)$/;
/** UEFI's and the ELF header's names → ours, which are Linux'. */
const NAMES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  ia32: 'i386',
  aa64: 'arm64',
  aarch64: 'arm64',
};

const named = (machine: string | undefined): string | undefined => machine && (NAMES[machine] ?? machine);

/**
 * @param file the guest's, or anything else that holds a kernel
 * @param what `headers`: nothing is unpacked or searched, some kilobytes are read
 * @throws GuestError when the file cannot be read, or is broken where it says what it is; what is wrong deeper inside is a problem
 */
export function inspectKernel(
  file: KernelFile,
  ctx: Context,
  what: 'all' | 'headers' = 'all',
): KernelAbilities {
  const { layers, error } = layersOf(file, ctx, what);
  const problems: string[] = [];
  const tell = (what: string) => problems.push(printable(what));
  for (const { problem } of layers) if (problem !== undefined) tell(problem);
  if (error) tell(error.describe());
  const last = layers[layers.length - 1]!;
  const of = <T>(get: (layer: Layer) => T | undefined): T | undefined => {
    for (const layer of layers) {
      const found = get(layer);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const guarded = <T>(what: () => T): T | undefined => {
    try {
      return what();
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'io') throw error;
      tell(error.describe());
      return undefined;
    }
  };
  const elf: XenNotes | undefined = last.kind === 'ELF' ? guarded(() => readElf(last.file, ctx)) : undefined;
  const boot = of((layer) => layer.bzImage);
  const image = of((layer) => layer.image);
  const uboot = of((layer) => layer.uboot);
  const pe = of((layer) => layer.pe);
  const architecture =
    boot?.architecture ??
    named(elf?.machine) ??
    image?.architecture ??
    uboot?.architecture ??
    named(pe?.machine);
  // The banner costs another look at everything: where a header has the version, it is not needed.
  const text =
    what === 'all' && boot?.version === undefined && /^(ELF|Image|PE)$/.test(last.kind)
      ? guarded(() => banners(last.file, ctx))
      : undefined;
  // What is behind that is not looked at, but must be sound: the kernel would not unpack itself.
  const { file: inner } = last;
  if (inner instanceof UnpackedKernel) guarded(() => inner.finish());
  const starts = elf ? xenStarts(elf) : undefined;
  const hypervisor = text?.xen === true && !starts?.guestOs;
  if (elf?.interpreter !== undefined)
    tell(`is a program that ${printable(elf.interpreter)} loads, not a kernel`);
  const packed = of((layer) => layer.packed);
  return {
    format: formatOf(layers),
    layers: namesOf(layers),
    version: boot?.version ?? text?.linux ?? uboot?.name,
    architecture,
    compression:
      packed?.compression ?? uboot?.compression ?? (/^(ELF|Image)$/.test(last.kind) ? 'none' : undefined),
    unpackedSize: packed ? packed.size : /^(ELF|Image)$/.test(last.kind) ? last.file.size : undefined,
    guestOs: starts?.guestOs,
    pv: hypervisor ? undefined : starts?.pv,
    pvh: hypervisor ? undefined : starts?.pvh,
    examined: elf !== undefined && X86.test(named(elf.machine)!),
    efiStub: pe !== undefined,
    hypervisor,
    protocol: boot?.protocol,
    relocatable: boot?.relocatable,
    initSize: boot?.initSize,
    commandLineSize: boot?.commandLineSize,
    loadFlags: boot?.loadFlags ?? [],
    textOffset: image?.textOffset,
    imageSize: image?.imageSize,
    problems,
  };
}

/** The outermost kernel format: that of the file that is handed over. */
function formatOf(layers: readonly Layer[]): KernelFormat {
  for (const { kind } of layers) if (kind !== 'UKI' && kind !== 'packed') return kind;
  return layers.some(({ kind }) => kind === 'UKI') ? 'PE' : 'unknown';
}

function namesOf(layers: readonly Layer[]): string[] {
  const names: string[] = [];
  for (const { kind, packed } of layers) {
    if (kind !== 'packed') names.push(kind);
    if (packed) names.push(packed.compression);
  }
  return names;
}
