/** What lies in what: a kernel in a unified image, packed in a bzImage, a zboot image or a compressed file. */
import type { Context } from '../bytes/budget';
import { GuestError, limit } from '../bytes/errors';
import type { KernelFormat } from './abilities';
import { type BzImage, readBzImage } from './bzimage';
import type { KernelFile } from './file';
import { kernelKind } from './head';
import { type BootImage, isZboot, readImage, readZboot, type Zboot } from './image';
import { type PeImage, readPeFrom } from './pe';
import { readUboot, type UbootImage } from './uboot';
import { allSections } from './uki';
import { compressionOf, type Packed } from './unpack';
import { UnpackedKernel } from './unpacked';

/** A unified image that holds a packed file that holds a bzImage that holds a packed ELF: no real kernel has more. */
const MOST_LAYERS = 6;
const HEAD = 4096;

export interface Layer {
  /** `UKI` and `packed` have something inside; so do bzImage and zboot, unless `problem` says why not. */
  readonly kind: KernelFormat | 'UKI' | 'packed';
  readonly file: KernelFile;
  readonly bzImage?: BzImage;
  readonly image?: BootImage;
  readonly zboot?: Zboot;
  readonly uboot?: UbootImage;
  readonly pe?: PeImage | undefined;
  /** How the next layer is packed. */
  readonly packed?: Packed | undefined;
  /** Why the next layer cannot be had. */
  readonly problem?: string | undefined;
}

/** One layer; the bytes of the next one are not looked at. @throws GuestError */
function layerOf(file: KernelFile, ctx: Context): Layer {
  const head = file.upTo(0, HEAD, ctx);
  const kind = kernelKind(head);
  if (kind === 'bzImage') {
    const bzImage = readBzImage(file, ctx);
    const { payload: packed, problem } = bzImage;
    return { kind: bzImage.format, file, bzImage, packed, problem, pe: peOf(file, ctx) };
  }
  if (kind === 'ELF') return { kind: 'ELF', file };
  if (isZboot(head)) {
    const zboot = readZboot(file, head, ctx);
    const { payload: packed, problem } = zboot;
    return { kind: 'zboot', file, zboot, packed, problem, pe: peOf(file, ctx) };
  }
  const image = readImage(head);
  if (image) return { kind: 'Image', file, image, pe: peOf(file, ctx) };
  const uboot = readUboot(head);
  if (uboot) return { kind: uboot.format, file, uboot };
  const compression = compressionOf(head);
  if (compression) {
    // What gzip says of its size counts modulo 2^32, for the last member, if nothing follows it: for nothing.
    return { kind: 'packed', file, packed: { compression, file, size: undefined, appended: false } };
  }
  if (kind === 'PE') {
    const pe = readPeFrom(file.source, file.size, 'kernel', ctx);
    if (pe && allSections(pe).first('.linux')) return { kind: 'UKI', file, pe };
    return { kind: 'PE', file, pe };
  }
  return { kind: 'unknown', file };
}

/** The EFI stub, if there is one; one that is broken is none. */
function peOf(file: KernelFile, ctx: Context): PeImage | undefined {
  try {
    return readPeFrom(file.source, file.size, 'kernel', ctx);
  } catch (error) {
    if (error instanceof GuestError && error.code !== 'io') return undefined;
    throw error;
  }
}

/**
 * All layers from the outside in. The last one is the kernel proper (`ELF`, `Image`), or as far as one can see: its `problem`, or
 * the error of the layer that would be next, says why.
 * @param what `headers`: nothing is unpacked
 * @throws GuestError when the file itself cannot be read or its own header is broken
 */
export function layersOf(
  file: KernelFile,
  ctx: Context,
  what: 'all' | 'headers' = 'all',
): { layers: readonly Layer[]; error?: GuestError } {
  const layers: Layer[] = [];
  try {
    for (let next: KernelFile | undefined = file; next; ) {
      ctx.budget.step();
      if (layers.length >= MOST_LAYERS) throw limit(`a kernel in more than ${MOST_LAYERS} layers`);
      const layer: Layer = layerOf(next, ctx);
      layers.push(layer);
      next = what === 'all' || !layer.packed ? insideOf(layer, ctx) : undefined;
    }
  } catch (error) {
    if (!(error instanceof GuestError) || layers.length === 0 || error.code === 'io') throw error;
    return { layers, error };
  }
  return { layers };
}

function insideOf(layer: Layer, ctx: Context): KernelFile | undefined {
  if (layer.packed) return new UnpackedKernel(layer.packed, ctx);
  if (layer.kind !== 'UKI' || !layer.pe) return undefined;
  const { at, size } = layer.pe.range(allSections(layer.pe).first('.linux')!);
  return layer.file.part(at, size, '.linux');
}
