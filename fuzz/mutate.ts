/** Changes of an image that a parser will meet: fields with values that matter, blocks in wrong places, random bytes. */
import type { Changes, Disk } from './disk';
import type { Random } from './random';
import type { Place, Survey } from './survey';

/** How the copy differs, and what must be looked at to meet it. */
export interface Mutation extends Changes {
  /** Indexes of `survey.paths`. */
  readonly paths: number[];
  /** Fields of what is decompressed: at which decompression, and the value put there. */
  readonly unpacked: { readonly turn: number; readonly at: number; readonly bytes: Buffer }[];
  /** Checksums are taken as put right. */
  readonly sums: boolean;
}

export function encoded(value: bigint, size: number, big: boolean): Buffer {
  const bytes = Buffer.alloc(size);
  let rest = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    bytes[big ? size - 1 - i : i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

function decoded(bytes: Buffer, big: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < bytes.length; i++)
    value = (value << 8n) | BigInt(bytes[big ? i : bytes.length - 1 - i]!);
  return value;
}

/** A value for a field of `size` bytes that holds `old`. */
export function interesting(random: Random, old: bigint, size: number, whole: number): bigint {
  const bits = BigInt(size * 8);
  const max = (1n << bits) - 1n;
  switch (random.below(17)) {
    case 0:
      return 0n;
    case 1:
      return 1n;
    case 2:
      return max;
    case 3:
      return max - 1n;
    case 4:
      return max >> 1n;
    case 5:
      return (max >> 1n) + 1n;
    case 6:
      return old + 1n;
    case 7:
      return old - 1n;
    case 8:
      return old * 2n;
    case 9:
      return old / 2n;
    case 10:
      return 1n << BigInt(random.below(size * 8));
    case 11:
      return (1n << BigInt(random.below(size * 8))) - 1n;
    case 12:
      return old ^ (1n << BigInt(random.below(size * 8)));
    case 13:
      return BigInt(random.below(256));
    case 14:
      return BigInt(Math.floor(whole / random.pick([1, 512, 1024, 2048, 4096, 16384])) + random.below(3) - 1);
    case 15:
      return old + BigInt(random.below(64)) - 32n;
    default:
      return BigInt(random.below(2 ** 31)) * BigInt(random.below(2 ** 31));
  }
}

export class Mutator {
  /**
   * @param early share of the changes that go where opening looks
   */
  constructor(
    readonly random: Random,
    readonly survey: Survey,
    readonly disk: Disk,
    readonly early: number,
  ) {}

  make(): Mutation {
    const { random, survey } = this;
    const made: Mutation = { writes: [], paths: [], unpacked: [], sums: random.chance(0.85) };
    const r = random.below(100);
    const count = r < 60 ? 1 : r < 85 ? 2 + random.below(2) : 4 + random.below(6);
    for (let i = 0; i < count; i++) {
      const kind = random.below(100);
      if (survey.unpacks > 0 && random.chance(0.3)) this.#unpacked(made);
      else if (kind < 62) this.#field(made);
      else if (kind < 72) this.#structure(made);
      else if (kind < 86) this.#bytes(made);
      else if (kind < 97) this.#block(made);
      else if (kind < 99) made.size = random.below(this.disk.image.size + 1);
      else
        made.insert = { at: random.below(this.disk.image.size + 1), length: random.pick([1, 4, 512, 4096]) };
      if (made.insert || made.size !== undefined) break;
    }
    for (let i = random.below(3); i > 0 && survey.paths.length > 0; i--)
      made.paths.push(random.below(survey.paths.length));
    return made;
  }

  #place(): Place | undefined {
    const { random, survey } = this;
    const { early, late } = survey;
    const from = late.length === 0 || (early.length > 0 && random.chance(this.early)) ? early : late;
    if (from.length === 0) return undefined;
    return survey.places[random.pick(survey.members[random.pick(from)]!)];
  }

  #look(made: Mutation, path: number): void {
    if (path >= 0 && !made.paths.includes(path)) made.paths.push(path);
  }

  #field(made: Mutation): void {
    const { random, survey, disk } = this;
    const place = this.#place();
    if (!place) {
      this.#bytes(made);
      return;
    }
    this.#look(made, place.path);
    const { at, size } = place;
    if (size > 8) {
      // A text or an array: one byte or word of it.
      const width = random.pick([1, 1, 2, 4]);
      const start = at + random.below(Math.max(1, size - width));
      const old = decoded(disk.bytes(start, width), place.big);
      if (old !== undefined)
        made.writes.push({
          at: start,
          bytes: encoded(interesting(random, old, width, disk.size), width, place.big),
        });
      return;
    }
    const big = place.big || random.chance(0.3);
    let value: bigint;
    if (random.chance(0.25)) {
      // Another instance's value: a pointer crosses over, a count belongs to somebody else.
      const members = random.chance(0.6)
        ? survey.members[place.group]!
        : survey.members[random.below(survey.members.length)]!;
      const other = survey.places[random.pick(members)]!;
      value = decoded(disk.bytes(other.at, Math.min(other.size, 8)), big);
    } else value = interesting(random, decoded(disk.bytes(at, size), big), size, disk.size);
    made.writes.push({ at, bytes: encoded(value, size, big) });
  }

  /** One instance of a structure over another, or both in each other's place. */
  #structure(made: Mutation): void {
    const { random, survey, disk } = this;
    const several = [...survey.structs.values()].filter((s) => s.at.length > 1);
    if (several.length === 0) {
      this.#field(made);
      return;
    }
    const { size, at } = random.pick(several);
    const [a, b] = [random.pick(at), random.pick(at)];
    const [first, second] = [disk.bytes(a, size), disk.bytes(b, size)];
    made.writes.push({ at: a, bytes: second });
    if (random.chance(0.5)) made.writes.push({ at: b, bytes: first });
    this.#anyPath(made);
  }

  #anyPath(made: Mutation): void {
    if (this.survey.paths.length > 0) this.#look(made, this.random.below(this.survey.paths.length));
  }

  /** Somewhere that is read. */
  #somewhere(made: Mutation): number {
    const { random, survey, disk } = this;
    if (survey.touched.length === 0 || random.chance(0.05)) return random.below(disk.image.size);
    for (let tries = 0; ; tries++) {
      const [at, length, path] = random.pick(survey.touched);
      if (path < 0 && tries < 3 && !random.chance(this.early)) continue;
      this.#look(made, path);
      return at + random.skewed(length);
    }
  }

  #bytes(made: Mutation): void {
    const { random, disk } = this;
    for (let i = random.below(4); i >= 0; i--) {
      const at = this.#somewhere(made);
      const old = disk.bytes(at, 1)[0] ?? 0;
      const value = random.pick([
        0,
        0xff,
        0x7f,
        0x80,
        1,
        old ^ (1 << random.below(8)),
        random.below(256),
        old + 1,
      ]);
      made.writes.push({ at, bytes: Buffer.of(value & 0xff) });
    }
  }

  #block(made: Mutation): void {
    const { random, disk } = this;
    const size = random.pick([16, 64, 512, 1024, 4096]);
    const align = (at: number) => at - (at % Math.min(size, 512));
    const a = align(this.#somewhere(made));
    const b = align(this.#somewhere(made));
    switch (random.below(5)) {
      case 0:
        made.writes.push({ at: a, bytes: Buffer.alloc(size) });
        break;
      case 1:
        made.writes.push({ at: a, bytes: Buffer.alloc(size, 0xff) });
        break;
      case 2:
        made.writes.push({ at: a, bytes: disk.bytes(b, size) });
        break;
      case 3: {
        const noise = Buffer.alloc(Math.min(size, 64));
        for (let i = 0; i < noise.length; i++) noise[i] = random.below(256);
        made.writes.push({ at: a, bytes: noise });
        break;
      }
      default: {
        const first = disk.bytes(a, size);
        made.writes.push({ at: a, bytes: disk.bytes(b, size) }, { at: b, bytes: first });
      }
    }
  }

  #unpacked(made: Mutation): void {
    const { random, survey } = this;
    const turn = random.skewed(Math.min(survey.unpacks, 24));
    if (survey.inside.length > 0 && random.chance(0.8)) {
      const { at, size, big } = random.pick(survey.inside);
      if (size <= 8) {
        const value = interesting(random, BigInt(random.below(64)), size, this.disk.size);
        made.unpacked.push({ turn, at, bytes: encoded(value, size, big) });
        this.#anyPath(made);
        return;
      }
    }
    made.unpacked.push({ turn, at: random.skewed(8192), bytes: Buffer.of(random.below(256)) });
    this.#anyPath(made);
  }
}
