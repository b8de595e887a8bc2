/**
 * The whole way of the data over damaged disks: every dialect's fixture disk with bytes flipped, zeroed or cut off.
 * What cannot be read is a diagnostic; nothing else is ever thrown. `ROUNDS=N` tries more, as does `THOROUGH=1`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Bootloader } from '../../lib/bootloader';
import { GuestError } from '../../lib/bytes/errors';
import { MemorySource } from '../../lib/source/types';
import { generator } from '../boot/dialect';
import { cpuMs, image, ROOT, rounds } from '../support';

const ROUNDS = Number(process.env.ROUNDS ?? rounds(25));
/** One run's whole budget takes ten seconds; a damaged disk of a megabyte must not come near it. */
const MOST_MS = 5000;

function damaged(disk: Buffer, random: (n: number) => number): Buffer {
  const copy = Buffer.from(disk);
  // Most of a small disk is zeros: the damage goes where something is.
  const somewhere = () => {
    for (let tries = 0; tries < 200; tries++) {
      const at = random(copy.length);
      if (copy[at] !== 0) return at;
    }
    return random(copy.length);
  };
  for (let n = 1 + random(12); n > 0; n--) {
    const at = somewhere();
    const kind = random(10);
    if (kind < 6) copy[at] = random(256);
    else if (kind < 8) copy[at]! ^= 1 << random(8);
    else if (kind < 9) copy.fill(0, at, Math.min(copy.length, at + random(600)));
    else copy.copy(copy, at, somewhere(), Math.min(copy.length, at + 512));
  }
  return random(12) === 0 ? copy.subarray(0, (random(copy.length / 512) + 1) * 512) : copy;
}

/** The drivers' own images are damaged in test/fsdrivers. */
const drivers = new Set(readdirSync(join(ROOT, 'fsdrivers')));
const images = readdirSync(join(ROOT, 'fixtures', 'images'))
  .filter((name) => /\.img(\.gz)?$/.test(name) && !drivers.has(/^[a-z0-9]+/.exec(name)?.[0] ?? ''))
  .map((name) => name.replace(/\.gz$/, ''));

for (const [i, name] of images.entries())
  t.test(name, async (t) => {
    const disk = image(name);
    const random = generator(i + 1);
    let slowest = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const source = new MemorySource(damaged(disk, random), name);
      for (const action of ['list', 'decide'] as const) {
        const from = cpuMs();
        try {
          const loader = new Bootloader({ disks: [source], quiet: true, guess: true, say() {} });
          if (action === 'list') loader.list();
          else loader.decide(undefined);
        } catch (error) {
          if (!(error instanceof GuestError)) t.fail(`round ${round}: ${(error as Error).stack}`);
        }
        slowest = Math.max(slowest, cpuMs() - from);
      }
    }
    t.ok(slowest < MOST_MS, `slowest ${slowest} ms`);
  });
