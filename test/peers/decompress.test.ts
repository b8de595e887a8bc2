/** The decompressors on what the tools of each format make of random data, over their settings. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { lz4Block } from '../../lib/bytes/decompress/lz4';
import { lzma, microLzma } from '../../lib/bytes/decompress/lzma';
import { lzo1x } from '../../lib/bytes/decompress/lzo';
import { xz } from '../../lib/bytes/decompress/xz';
import { zstd } from '../../lib/bytes/decompress/zstd';
import { lz4Pieces, lzopPieces, microFrom, type Piece } from '../bytes/containers';
import { THOROUGH } from '../support';

function pack(data: Buffer, tool: string, ...args: string[]): Buffer {
  const r = spawnSync(tool, args, { input: data, maxBuffer: 1 << 28 });
  if (r.error) throw r.error;
  if (r.status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${r.stderr}`);
  return r.stdout;
}

/** Runs of random bytes, of zeros, of machine code, and copies of what was before: near, far, short, long. */
function mixture(size: number): Buffer {
  const program = readFileSync(process.execPath).subarray(0, 8 << 20);
  const out = Buffer.alloc(size);
  const dice = randomBytes(16 * size + 64);
  let d = 0;
  const random = (n: number) => {
    d += 4;
    return dice.readUInt32LE(d % (dice.length - 4)) % n;
  };
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, random(4) === 0 ? random(20_000) : 1 + random(300));
    const from = random(program.length - length);
    const kind = random(5);
    if (kind === 0) out.set(dice.subarray(from % size, (from % size) + length), at);
    else if (kind === 1) out.fill(random(3) === 0 ? random(256) : 0, at, at + length);
    else if (kind === 2 || at === 0) program.copy(out, at, from, from + length);
    else {
      const distance = 1 + random(random(2) === 0 ? Math.min(at, 20) : at);
      for (let i = 0; i < length; i++) out[at + i] = out[at + i - distance]!;
    }
    at += length;
  }
  return out;
}

const inputs = [0, 1, 2, 5, 100, 4096, 70_000, THOROUGH ? 1_300_000 : 300_000].map(mixture);

function equal(t: Test, data: Buffer, what: string, run: (into: Buffer) => number): void {
  const into = Buffer.alloc(data.length);
  const length = run(into);
  t.ok(length === data.length && into.equals(data), `${what}, ${data.length} bytes gave ${length}`);
}

function pieces(all: readonly Piece[], into: Buffer, run: (from: Buffer, into: Buffer) => number): number {
  let at = 0;
  for (const { packed, stored } of all) at += stored ? packed.copy(into, at) : run(packed, into.subarray(at));
  return at;
}

t.test('lz4', async (t) => {
  for (const data of inputs)
    for (const level of ['-1', '-6', '-12', '--fast=7'])
      for (const size of ['-B4', '-B7']) {
        const packed = pack(data, 'lz4', '-c', '-q', level, size, '--no-frame-crc', '-');
        equal(t, data, `lz4 ${level} ${size}`, (into) =>
          pieces(lz4Pieces(packed), into, (f, i) => lz4Block(f, i)),
        );
      }
});

t.test('lz4 with blocks that reach back into the one before', async (t) => {
  for (const data of inputs) {
    const packed = pack(data, 'lz4', '-c', '-q', '-9', '-B4', '-BD', '--no-frame-crc', '-');
    equal(t, data, 'lz4 -BD', (into) => {
      let at = 0;
      for (const { packed: p, stored } of lz4Pieces(packed))
        at += stored
          ? p.copy(into, at)
          : lz4Block(p, into.subarray(at), into.subarray(Math.max(0, at - 65536), at));
      return at;
    });
  }
});

t.test('lzo', async (t) => {
  for (const data of inputs)
    for (const level of ['-1', '-3', '-7', '-9']) {
      const packed = pack(data, 'lzop', '-c', level, '-');
      equal(t, data, `lzop ${level}`, (into) => pieces(lzopPieces(packed), into, lzo1x));
    }
});

t.test('xz and lzma', async (t) => {
  const settings = ['-0', '-6', '--lzma2=lc=0,lp=2,pb=0', '--check=sha256 -1', '--block-size=65536 -1 -T2'];
  for (const filter of ['x86', 'powerpc', 'ia64', 'arm', 'armthumb', 'arm64', 'sparc', 'delta'])
    settings.push(`--${filter} --lzma2=preset=1`);
  for (const data of inputs) {
    for (const setting of settings) {
      const packed = pack(data, 'xz', '-c', ...setting.split(' '));
      equal(t, data, `xz ${setting}`, (into) => xz(packed, into, 1 << 26));
    }
    for (const setting of ['preset=1', 'lc=4,lp=0,pb=4', 'lc=1,lp=3,pb=0,preset=1']) {
      const packed = pack(data, 'xz', '-c', '--format=lzma', `--lzma1=${setting}`);
      equal(t, data, `lzma ${setting}`, (into) => lzma(packed, into));
      if (data.length > 0)
        equal(t, data, `MicroLZMA ${setting}`, (into) => microLzma(microFrom(packed), into));
    }
  }
});

t.test('zstd', async (t) => {
  const settings = [
    '-1',
    '-3',
    '-12',
    '-19',
    '--ultra -22',
    '--fast=4',
    '--long=27 -3',
    '-7 --no-check --single-thread',
  ];
  for (const data of inputs)
    for (const setting of settings) {
      // Hundreds of megabytes of tables, whatever the input's length.
      if (!THOROUGH && /ultra|long/.test(setting) && data !== inputs.at(-1)) continue;
      const packed = pack(data, 'zstd', '-c', '-q', ...setting.split(' '));
      for (const own of [false, true])
        equal(t, data, `zstd ${setting}${own ? ', our own' : ''}`, (into) => zstd(packed, into, { own }));
    }
});
