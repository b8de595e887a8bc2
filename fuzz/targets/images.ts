/** Parsers of disks and files: a sound image, changed where the survey saw it read. */
import { gzipSync } from 'node:zlib';
import type { Context } from '../../lib/bytes/budget';
import { GuestError } from '../../lib/bytes/errors';
import type { BlockSource } from '../../lib/source/types';
import { type Changes, Disk, type Image } from '../disk';
import type { Edit } from '../edits';
import { hooks } from '../hooks';
import { type Mutation, Mutator } from '../mutate';
import type { Random } from '../random';
import { Recorder, type Survey } from '../survey';
import { context, type Target } from '../target';

/** What a parser does with an image. */
export interface Parser<T> {
  /** Undefined: not mine. */
  open(disk: BlockSource, ctx: Context, others: () => Iterable<BlockSource>): T | undefined;
  /** Looks at the paths, as the program would. */
  use(opened: T, paths: readonly string[], ctx: Context): void;
  /** What there is to look at in a sound image. */
  paths(opened: T, ctx: Context): string[];
}

export interface Sample {
  readonly name: string;
  load(): Image;
  /** Images of the other members of the filesystem. */
  readonly members?: () => Image[];
  /** Changes that fields do not say, in half of the rounds. */
  readonly edit?: Edit;
}

export interface ImageCase {
  readonly sample: number;
  readonly mutation: Mutation;
}

interface Loaded {
  readonly disk: Disk;
  readonly survey: Survey;
  readonly others: () => Iterable<BlockSource>;
}

/** Errors of looking at one thing do not keep from looking at the next; a spent budget does. */
export function guarded(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof GuestError) || /^too m(uch|any)/.test(error.message)) throw error;
  }
}

export class ImageTarget<T> implements Target<ImageCase> {
  readonly kind = 'parser';
  readonly #loaded = new Map<number, Loaded>();

  constructor(
    readonly name: string,
    readonly parser: Parser<T>,
    readonly samples: readonly Sample[],
    /** Share of the changes that go where opening looks: what keeps three of ten inputs past the superblock. */
    readonly early = 0.2,
    readonly weight = 1,
  ) {
    if (samples.length === 0) throw new Error(`fuzz: ${name} has no images`);
  }

  #load(index: number): Loaded {
    const known = this.#loaded.get(index);
    if (known) return known;
    const sample = this.samples[index]!;
    const disk = new Disk(sample.load(), sample.name);
    const others = (sample.members?.() ?? []).map((image) => new Disk(image, image.name));
    const loaded = { disk, survey: this.#survey(disk, () => others), others: () => others };
    this.#loaded.set(index, loaded);
    return loaded;
  }

  #survey(disk: Disk, others: () => Iterable<BlockSource>): Survey {
    // A first time without notes: what there is.
    const large = { runSteps: 3_000_000, runBytesRead: 2 ** 30, runBytesAllocated: 2 ** 30 };
    const ctx = context(large);
    let paths: string[] = [];
    try {
      const opened = this.parser.open(disk, ctx, others);
      if (opened !== undefined) paths = this.parser.paths(opened, ctx);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
    const recorder = new Recorder();
    recorder.start();
    disk.onRead = recorder.read;
    const again = context(large);
    try {
      const opened = this.parser.open(disk, again, others);
      if (opened !== undefined)
        for (const [i, path] of paths.entries()) {
          recorder.path = i;
          this.parser.use(opened, [path], again);
        }
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    } finally {
      recorder.stop();
      disk.onRead = undefined;
    }
    return recorder.result(paths);
  }

  make(random: Random): ImageCase {
    const sample = random.below(this.samples.length);
    const { disk, survey } = this.#load(sample);
    const mutation = new Mutator(random, survey, disk, this.early).make();
    const { edit } = this.samples[sample]!;
    if (!edit || random.chance(0.5)) return { sample, mutation };
    const writes = edit(disk, random);
    if (random.chance(0.3))
      return { sample, mutation: { ...mutation, writes: [...writes, ...mutation.writes] } };
    const { paths, sums } = mutation;
    return { sample, mutation: { writes, paths, unpacked: [], sums } };
  }

  run({ sample, mutation }: ImageCase): boolean {
    const { disk, survey, others } = this.#load(sample);
    const { unpacked } = mutation;
    disk.apply(mutation);
    hooks.sums = mutation.sums;
    if (unpacked.length > 0) {
      let turn = 0;
      hooks.unpacked = (into) => {
        for (const change of unpacked)
          if (change.turn === turn && change.at + change.bytes.length <= into.length)
            into.set(change.bytes, change.at);
        turn++;
      };
    }
    let accepted = false;
    try {
      const ctx = context();
      const opened = this.parser.open(disk, ctx, others);
      if (opened !== undefined) {
        accepted = true;
        this.parser.use(
          opened,
          mutation.paths.map((i) => survey.paths[i]!),
          ctx,
        );
      }
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    } finally {
      hooks.sums = false;
      hooks.unpacked = undefined;
      disk.reset();
    }
    return accepted;
  }

  *smaller({ sample, mutation }: ImageCase): Generator<ImageCase> {
    const but = (change: Partial<Mutation>): ImageCase => ({ sample, mutation: { ...mutation, ...change } });
    const { writes, unpacked, paths } = mutation;
    if (mutation.sums) yield but({ sums: false });
    for (let i = 0; i < writes.length; i++) yield but({ writes: writes.filter((_, n) => n !== i) });
    for (let i = 0; i < unpacked.length; i++) yield but({ unpacked: unpacked.filter((_, n) => n !== i) });
    for (let i = 0; i < paths.length; i++) yield but({ paths: paths.filter((_, n) => n !== i) });
    if (mutation.insert) {
      const { insert: _, ...rest } = mutation;
      yield { sample, mutation: rest };
    }
    if (mutation.size !== undefined) {
      const { size: _, ...rest } = mutation;
      yield { sample, mutation: rest };
    }
    for (const [i, { at, bytes }] of writes.entries()) {
      if (bytes.length < 2) continue;
      const half = bytes.length >> 1;
      const parts = [
        { at, bytes: bytes.subarray(0, half) },
        { at: at + half, bytes: bytes.subarray(half) },
      ];
      for (const part of parts) yield but({ writes: writes.map((w, n) => (n === i ? part : w)) });
    }
  }

  files({ sample, mutation }: ImageCase): Record<string, Buffer | string> {
    const { disk, survey } = this.#load(sample);
    const changes: Changes = mutation;
    const told = {
      image: this.samples[sample]!.name,
      ...(changes.size === undefined ? {} : { size: changes.size }),
      changes: changes.writes.map((w) => [w.at, w.bytes.toString('hex')]),
      insert: changes.insert,
      unpacked: mutation.unpacked.map((u) => [u.turn, u.at, u.bytes.toString('hex')]),
      sums: mutation.sums,
      paths: mutation.paths.map((i) => survey.paths[i]),
    };
    disk.apply(changes);
    const files: Record<string, Buffer | string> = { '.json': `${JSON.stringify(told, null, 2)}\n` };
    if (disk.size <= 32 * 1024 ** 2) files['.img.gz'] = gzipSync(disk.whole(), { level: 9 });
    disk.reset();
    return files;
  }
}
