/**
 * What every driver must show, written once: its fixtures read as their makers' kernel or tools read them, its hostile
 * samples refused by name, and damaged copies of sound images never more than an error.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { drivers, openFileSystem } from '../../fsdrivers';
import { GuestError } from '../../lib/bytes/errors';
import { readWhole } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { CacheSource } from '../../lib/source/cache';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { context, cpuMs, image, ROOT, rounds, source, type TestContext } from '../support';
import { type Listing, listing, sameAs } from './compare';

/** The images of a driver: `NAME.img.gz` and `NAME-VARIANT.img.gz` that have an expected.json. */
export function fixtureNames(driver: string): string[] {
  return readdirSync(join(ROOT, 'fixtures', 'images'))
    .filter(
      (f) => f === `${driver}.expected.json` || (f.startsWith(`${driver}-`) && f.endsWith('.expected.json')),
    )
    .map((f) => f.slice(0, -'.expected.json'.length));
}

/** Opens an image as the program does, through the list of drivers and a cache. */
export function openFixture(name: string, ctx: TestContext, expected: Partial<Listing> = {}): FileSystem {
  const others = (expected.members ?? []).map((m): BlockSource => new CacheSource(source(`${m}.img`)));
  const fs = openFileSystem(new CacheSource(source(`${name}.img`)), ctx, () => others);
  if (!fs) throw new Error(`${name} is not known`);
  return fs;
}

/** A test for each fixture: type, UUID, label, every path, every byte, and the warnings that belong to it. */
export function soundFixtures(driver: string, grubName: string | RegExp, atLeast = 1): void {
  const names = fixtureNames(driver);
  t.test(`${driver} has fixtures`, async (t) => {
    t.ok(names.length >= atLeast, names.join(' '));
  });
  for (const name of names)
    t.test(name, async (t) => {
      const ctx = context();
      const expected = listing(name);
      const fs = openFixture(name, ctx, expected);
      t.match(fs.grubName, grubName);
      sameAs(t, fs, expected, ctx);
      const wanted = expected.warnings ?? [];
      t.equal(ctx.warnings.length, wanted.length, `warnings: ${ctx.warnings.join(' | ')}`);
      for (const [i, pattern] of wanted.entries()) t.match(ctx.warnings[i], new RegExp(pattern));
      t.equal(fs.lookup(fs.root, 'no such name'), undefined);
    });
}

export type Act = (fs: FileSystem, ctx: TestContext) => unknown;
/** Opening it is enough. */
export const opened: Act = () => {};
/** A file's bytes, as latin1. */
export const read =
  (path: string): Act =>
  (fs, ctx) =>
    readWhole(fs, walk(fs, path), 1 << 22, ctx).toString('latin1');
export const link =
  (path: string): Act =>
  (fs) =>
    fs.readlink(walk(fs, path, false));
/** All names of a directory, and their nodes. */
export const enter =
  (path: string): Act =>
  (fs) =>
    [...fs.readdir(walk(fs, path))].map((e) => [e.name, e.node().kind]);
export const find =
  (path: string): Act =>
  (fs) =>
    walk(fs, path).id;

/**
 * `fixtures/malformed/DRIVER-SAMPLE.img.gz`, every one of them: SAMPLE begins with the code of the error
 * (`corrupt-cycle`), which `act` must give with a message like `message`; `warned-…` must give the warning and succeed
 * (with `result`, where one is named). Each within a second and its steps.
 */
export function malformedSamples(
  driver: string,
  samples: Record<string, readonly [act: Act, message: RegExp, result?: unknown]>,
  steps = 400_000,
): void {
  t.test(`${driver}: malformed samples`, async (t) => {
    const patches = patchesOf(driver);
    const there = readdirSync(join(ROOT, 'fixtures', 'malformed'))
      .filter((f) => f.startsWith(`${driver}-`) && f.endsWith('.img.gz'))
      .map((f) => f.slice(driver.length + 1, -'.img.gz'.length));
    t.same([...there, ...Object.keys(patches)].sort(), Object.keys(samples).sort(), 'each sample is used');
    // The first sample's second is not for the compiler.
    for (const { name, load } of drivers()) if (name === driver) load();
    for (const [sample, [act, message, result]] of Object.entries(samples)) {
      const ctx = context(steps);
      const code = /^not-found|^[a-z]+/.exec(sample)?.[0];
      const patch = patches[sample];
      const disk = patch ? patched(patch) : source(`${driver}-${sample}.img`, 'malformed');
      const start = cpuMs();
      try {
        const fs = openFileSystem(new CacheSource(disk), ctx, () => []);
        if (!fs) throw new Error(`${sample} is not known`);
        const got = act(fs, ctx);
        if (code !== 'warned') t.fail(`${sample}: nothing was said`);
        else {
          if (result !== undefined) t.same(got, result, sample);
          t.ok(
            ctx.warnings.some((w) => message.test(w)),
            `${sample}: ${ctx.warnings.join(' | ')}`,
          );
        }
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        t.equal(error.code, code, `${sample}: ${error.describe()}`);
        t.ok(message.test(error.describe()), `${sample}: ${error.describe()}`);
      }
      t.ok(cpuMs() - start < 1000, `${sample}: ${cpuMs() - start} ms`);
    }
  });
}

/** A sample told as what it changes of a sound image, where the format's smallest image is large. */
interface Patch {
  /** Of fixtures/images. */
  readonly image: string;
  /** Bytes that are left of it; absent: all. */
  readonly size?: number;
  readonly changes: readonly (readonly [at: number, hex: string])[];
}

/** `fixtures/malformed/DRIVER-patches.json`, by the recipes' `patches`. */
function patchesOf(driver: string): Record<string, Patch> {
  const path = join(ROOT, 'fixtures', 'malformed', `${driver}-patches.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

/** The image that was unpacked last: most samples follow one of the same image, and the largest have 50 MB. */
let unpacked: Unpacked | undefined;
interface Unpacked {
  readonly name: string;
  readonly bytes: Buffer;
  /** What the last patch changed, the last change first. */
  readonly undo: { readonly at: number; readonly before: Buffer }[];
}

/** The disk as the patch makes it, until the next call. */
function patched(patch: Patch): MemorySource {
  if (unpacked?.name !== patch.image)
    unpacked = { name: patch.image, bytes: image(`${patch.image}.img`), undo: [] };
  const { bytes, undo } = unpacked;
  for (const { at, before } of undo.splice(0)) bytes.set(before, at);
  for (const [at, hex] of patch.changes) {
    undo.unshift({ at, before: Buffer.from(bytes.subarray(at, at + hex.length / 2)) });
    bytes.write(hex, at, 'hex');
  }
  return new MemorySource(bytes.subarray(0, patch.size));
}

/** Everything there is, a few levels deep, within the budget. */
export function useAll(fs: FileSystem, dir: FsNode, ctx: TestContext, depth: number): void {
  const guard = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      // The budget is used up.
      if (/^too m(uch|any)/.test(error.message)) throw error;
    }
  };
  guard(() => {
    for (const entry of fs.readdir(dir)) {
      guard(() => {
        const node = entry.node();
        guard(() => void (node.kind === 'file' && readWhole(fs, node, 1 << 19, ctx)));
        guard(() => void (node.kind === 'symlink' && fs.readlink(node)));
        guard(() => void fs.lookup(dir, entry.name));
        if (node.kind === 'directory' && depth > 0) useAll(fs, node, ctx, depth - 1);
      });
    }
  });
  guard(() => void fs.lookup(dir, 'nothing'));
}

export interface Damage {
  /** Byte ranges of the image where metadata is; most damage goes there. Default: all of it. */
  readonly places?: readonly (readonly [from: number, to: number])[];
  readonly rounds?: number;
  /** Put right after the damage, for instance checksums: so that it is met further in. */
  readonly repair?: (image: Buffer) => void;
  readonly seed?: number;
  /** Steps that one round may cost. */
  readonly steps?: number;
}

/**
 * Copies of a sound image with bytes changed, stretches zeroed and the end cut off: opened and used, they may give
 * GuestErrors and nothing else, each within a second. Bytes that nothing points to any more are not looked at.
 */
export function damaged(
  name: string,
  { places, rounds: all = 250, repair, seed = 20231114, steps = 400_000 }: Damage = {},
): void {
  t.test(`${name} with bytes changed, zeroed and cut off`, async (t) => {
    const sound = image(`${name}.img`);
    const expected = listing(name);
    const others = (expected.members ?? []).map((m) => source(`${m}.img`));
    const where = places ?? used(sound);
    let state = seed;
    const random = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const place = () => {
      const [from, to] = where[random(where.length)]!;
      return Math.min(sound.length - 1, from + random(to - from));
    };
    let errors = 0;
    let slowest = 0;
    const count = rounds(all);
    for (let round = 0; round < count; round++) {
      let bytes: Buffer = Buffer.from(sound);
      if (round % 8 === 6) {
        const from = place();
        bytes.fill(0, from, Math.min(bytes.length, from + 1 + random(3000)));
      } else if (round % 8 === 7) bytes = bytes.subarray(0, place());
      else
        for (let i = 0; i <= random(30); i++)
          bytes[place()] = random(3) === 0 ? [0, 0xff, 0x7f, 0x80, 1][random(5)]! : random(256);
      repair?.(bytes);
      const ctx = context(steps);
      const start = cpuMs();
      try {
        const fs = openFileSystem(new CacheSource(new MemorySource(bytes)), ctx, () => others);
        if (fs) useAll(fs, fs.root, ctx, 6);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        errors++;
      }
      slowest = Math.max(slowest, cpuMs() - start);
    }
    t.ok(errors < count, `${errors} of ${count} could not be used at all`);
    t.ok(slowest < 1000, `${slowest} ms`);
  });
}

/** The stretches of an image that are not zeros, in pieces of 4 KiB. */
function used(bytes: Buffer): [number, number][] {
  const zeros = Buffer.alloc(4096);
  const found: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += 4096) {
    const end = Math.min(bytes.length, at + 4096);
    if (bytes.compare(zeros, 0, end - at, at, end) !== 0) found.push([at, end]);
  }
  return found;
}
