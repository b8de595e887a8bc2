/** Shared by the tests of all dialects: evaluates one over files in memory, and damages configurations for fuzzing. */
import type { BootContext, BootDialect, BootMenu } from '../../lib/boot/model';
import type { ByteString } from '../../lib/bytes/text';
import { walk } from '../../lib/fs/walk';
import { context, rounds } from '../support';
import { type MemoryDisk, MemoryFs, type MemoryTree, memoryGuest } from './memfs';

export interface Evaluated {
  readonly menu: BootMenu;
  readonly ctx: BootContext;
  readonly warnings: readonly string[];
}

/**
 * Evaluates the configuration at `path` of `hd0` (or of the volume named) as the program does.
 * @param guest the tree of the only filesystem, or whole disks
 */
export function evaluate(
  dialect: BootDialect,
  path: ByteString,
  guest: MemoryTree | { readonly disks: MemoryDisk[]; readonly volume: string },
  quiet = true,
): Evaluated {
  const base = context();
  const several = 'disks' in guest && Array.isArray(guest.disks);
  const disks = several ? (guest.disks as MemoryDisk[]) : [new MemoryFs(guest as MemoryTree)];
  const made = memoryGuest(base, disks);
  const ctx: BootContext = { ...base, guest: made, quiet };
  const volume = made.device(several ? (guest.volume as string) : 'hd0')!;
  const fs = volume.filesystem()!;
  const menu = dialect.evaluate({ volume, path, fs, node: walk(fs, path) }, ctx);
  return { menu, ctx, warnings: base.warnings };
}

/** Numbers in [0, n), always the same for a seed (mulberry32). */
export function generator(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

/** Damaged versions of `text`, `rounds(all)` of them: bytes changed, runs dropped, doubled, moved, lines swapped, cut off. */
export function* mutations(text: ByteString, all: number, seed = 1): Generator<ByteString> {
  const random = generator(seed);
  const some = (of: string) => of[random(of.length)]!;
  for (let i = rounds(all); i > 0; i--) {
    let damaged = text;
    for (let changes = 1 + random(4); changes > 0; changes--) {
      const at = random(damaged.length + 1);
      const length = random(random(4) === 0 ? 400 : 12);
      const run = damaged.slice(at, at + length);
      const [before, after] = [damaged.slice(0, at), damaged.slice(at + length)];
      switch (random(7)) {
        case 0:
          damaged = before + String.fromCharCode(random(256)) + after;
          break;
        case 1:
          damaged = before + after;
          break;
        case 2:
          damaged = before + run + run + after;
          break;
        case 3: {
          const to = random(before.length + after.length + 1);
          damaged = (before + after).slice(0, to) + run + (before + after).slice(to);
          break;
        }
        case 4:
          damaged = before + some('\n\n  \t\'"\\=,()[]{}$#-+\0\r/') + damaged.slice(at);
          break;
        case 5: {
          const lines = damaged.split('\n');
          const [a, b] = [random(lines.length), random(lines.length)];
          [lines[a], lines[b]] = [lines[b]!, lines[a]!];
          damaged = lines.join('\n');
          break;
        }
        default:
          damaged = random(3) === 0 ? before : damaged;
      }
    }
    yield damaged;
  }
}
