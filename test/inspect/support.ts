/** A guest of disks in memory, inspected as the program does it. */
import type { BootTarget } from '../../lib/boot/model';
import { Bootloader } from '../../lib/bootloader';
import { LIMITS, type Limits } from '../../lib/bytes/limits';
import { type Inspection, inspection, Search } from '../../lib/inspect';
import { type BlockSource, MemorySource } from '../../lib/source/types';

/** @param disks names with their bytes, `hd0` first */
export function inspect(
  disks: Readonly<Record<string, Uint8Array>>,
  limits: Partial<Limits> = {},
): Inspection {
  const paths = Object.keys(disks);
  return inspectSources(
    paths.map((name) => new MemorySource(disks[name]!, name)),
    paths,
    limits,
  );
}

export function inspectSources(
  sources: readonly BlockSource[],
  paths: readonly string[],
  limits: Partial<Limits> = {},
): Inspection {
  const loader = new Bootloader({
    disks: sources,
    quiet: true,
    guess: true,
    limits: { ...LIMITS, cpuSeconds: 1000, memory: 2 ** 40, ...limits },
    say: () => {},
  });
  const search = new Search(loader);
  const decision = search.decide(undefined);
  return inspection(loader, search, decision, {
    image: paths[0]!,
    given: sources.map((source, i) => ({ path: paths[i]!, source, format: undefined })),
    keys: [],
    args: (target: BootTarget) => target.args,
  });
}
