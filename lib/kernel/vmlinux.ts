/** `--decompress`: the kernel proper, as it is in memory: an ELF file for x86, an Image for arm64, RISC-V and LoongArch. */
import type { Context } from '../bytes/budget';
import { corrupt, unsupported } from '../bytes/errors';
import type { KernelFile } from './file';
import { layersOf } from './layers';
import { UnpackedKernel } from './unpacked';

const PIECE = 1024 * 1024;

export interface Vmlinux {
  readonly kind: 'ELF' | 'Image';
  /** From the outside in, what it was taken out of: `['bzImage', 'xz']`; empty: the file is one already. */
  readonly from: readonly string[];
  /** Its bytes, each piece valid until the next one is asked for. Nothing may be read of the file but through this. */
  readonly pieces: () => Generator<Uint8Array>;
}

/** @throws GuestError when there is none in the file, saying why */
export function vmlinux(file: KernelFile, ctx: Context): Vmlinux {
  const { layers, error } = layersOf(file, ctx);
  if (error) throw error;
  const last = layers[layers.length - 1]!;
  if (last.problem !== undefined) throw corrupt(last.problem);
  const { kind } = last;
  if (kind !== 'ELF' && kind !== 'Image') {
    if (layers.length > 1) throw corrupt('what it is packed around is neither an ELF file nor an Image');
    throw unsupported(
      kind === 'unknown'
        ? 'it is no kernel that is known'
        : `nothing is known to be packed in a ${kind} file`,
    );
  }
  const from = layers.slice(0, -1).flatMap((layer) => {
    const own = layer.kind === 'packed' ? [] : [layer.kind as string];
    return layer.packed ? [...own, layer.packed.compression] : own;
  });
  return { kind, from, pieces: () => piecesOf(last.file, ctx) };
}

function* piecesOf(file: KernelFile, ctx: Context): Generator<Uint8Array> {
  if (file instanceof UnpackedKernel) {
    yield* file.all();
    return;
  }
  for (let at = 0; at < file.size; at += PIECE) yield file.upTo(at, PIECE, ctx);
}
