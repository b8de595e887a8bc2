/**
 * Changes of what a field alone does not say: the text that LVM's metadata are, LUKS2's JSON, DER inside a signature, one word of
 * all superblocks of an array. Sizes and checksums around them are written anew, as whoever made the disk would.
 */
import { createHash } from 'node:crypto';
import { lvmCrc } from '../lib/volume/lvm/label';
import {
  DiskLocn,
  LABEL_ID,
  LABEL_SECTORS,
  LabelHeader,
  MDA_HEADER,
  MdaHeader,
  PvHeader,
  RawLocn,
  SECTOR,
} from '../lib/volume/lvm/layout';
import { HEAD_1, MAGIC, SIZE_0, Superblock1, Word0 } from '../lib/volume/md/layout';
import type { Changes, Disk } from './disk';
import { encoded, interesting } from './mutate';
import type { Random } from './random';
import { changedPlace, damaged } from './targets/plain';

export type Writes = Changes['writes'];
/** Writes over a sound image; none where there is nothing to edit. */
export type Edit = (disk: Disk, random: Random) => Writes;

/** A member of a set inside the one image that all of them are. */
export interface Part {
  readonly start: number;
  readonly size: number;
}

const NUMBERS = [0, 1, 2, 3, 63, 64, 255, 65535, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 999_999_999_999_999, -1];
const SEGMENTS = [
  ...['striped', 'linear', 'mirror', 'zero', 'error', 'snapshot', 'thin', 'thin-pool', 'cache', 'cache-pool'],
  ...['writecache', 'integrity', 'vdo', 'raid0', 'raid0_meta', 'raid1', 'raid4', 'raid5_ls', 'raid5_n'],
  ...['raid6_zr', 'raid6_ls_6', 'raid10', 'raid10_near', 'cache+METADATA_FORMAT', ''],
];
const WORDS = [
  'segment1 {',
  '}',
  '[',
  ']',
  '"pv0", 0',
  'stripes = [',
  'origin = "root"',
  '\\"',
  '#',
  'id = "',
];

/** Metadata with other numbers, names and kinds of segments; seldom damaged as text. */
function metadata(random: Random, sound: string): string {
  let text = sound;
  for (let n = 1 + random.skewed(4); n > 0; n--)
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        text = changedPlace(random, text, /(?<=[=,[] ?)-?\d+/g, (old) =>
          String(random.chance(0.3) ? Number(old) + random.pick([-1, 1, 2, 64]) : random.pick(NUMBERS)),
        );
        break;
      case 3:
      case 4: {
        const texts = text.match(/"[^"\n]*"/g) ?? [];
        const other = texts.length > 0 ? random.pick(texts) : '""';
        text = changedPlace(random, text, /"[^"\n]*"/g, () => other);
        break;
      }
      case 5:
        text = changedPlace(random, text, /type = "[^"]*"/g, () => `type = "${random.pick(SEGMENTS)}"`);
        break;
      case 6:
        // A section twice, under its own name or another.
        text = changedPlace(random, text, /\n[A-Za-z0-9_]+ \{[^{}]*\}/g, (found) => {
          const name = random.pick(['segment1', 'segment2', 'pv0', 'pv9', 'root', '../x']);
          return found + (random.chance(0.5) ? found : found.replace(/[A-Za-z0-9_]+/, name));
        });
        break;
      case 7:
        text = changedPlace(random, text, /\n[^\n]*(?=\n)/g, () => '');
        break;
      case 8:
        // A list with something else in it.
        text = changedPlace(random, text, /\[[^[\]]*\]/g, () =>
          random.pick(['[]', '["pv0"]', '[0, 0]', '[[["pv0", 0]]]', '["pv0", 0, "pv0", 0]', '"pv0"']),
        );
        break;
      default:
        text = damaged(random, text, WORDS);
    }
  return text;
}

/** Metadata areas of a PV: where the header is, and the text that it speaks of. */
function areasOf(
  disk: Disk,
  { start, size }: Part,
): { header: number; start: number; size: number; text: string }[] {
  for (let sector = 0; sector < LABEL_SECTORS; sector++) {
    const label = disk.bytes(start + sector * SECTOR, SECTOR);
    if (label.toString('latin1', 0, LABEL_ID.length) !== LABEL_ID) continue;
    const found = [];
    let at = LabelHeader.read(label).offset + PvHeader.size;
    for (let list = 0; list < 2; list++)
      for (; at + DiskLocn.size <= SECTOR; ) {
        const row = DiskLocn.read(label, at);
        at += DiskLocn.size;
        if (row.offset === 0) break;
        if (list === 0 || row.offset + MDA_HEADER > size) continue;
        const header = disk.bytes(start + row.offset, MDA_HEADER);
        const mda = MdaHeader.read(header);
        const locn = RawLocn.read(header, MdaHeader.size);
        if (locn.offset === 0 || mda.start + mda.size > size) continue;
        const first = Math.min(locn.size, mda.size - locn.offset);
        const text =
          disk.bytes(start + mda.start + locn.offset, first).toString('latin1') +
          disk.bytes(start + mda.start + MDA_HEADER, locn.size - first).toString('latin1');
        found.push({ header: start + row.offset, start: start + mda.start, size: mda.size, text });
      }
    return found;
  }
  return [];
}

/** Other metadata in all areas, or in one of them. */
export const editMetadata =
  (parts: readonly Part[]): Edit =>
  (disk, random) => {
    const areas = parts.flatMap((part) => areasOf(disk, part));
    if (areas.length === 0) return [];
    const one = random.pick(areas);
    const text = metadata(random, one.text);
    const writes: Writes = [];
    for (const area of random.chance(0.8) ? areas : [one]) {
      const bytes = Buffer.from(text, 'latin1').subarray(0, area.size - MDA_HEADER);
      const header = disk.bytes(area.header, MDA_HEADER);
      const { at } = RawLocn.fields.offset;
      header.writeBigUInt64LE(BigInt(MDA_HEADER), MdaHeader.size + at);
      header.writeBigUInt64LE(BigInt(bytes.length), MdaHeader.size + RawLocn.fields.size.at);
      header.writeUInt32LE(lvmCrc(bytes), MdaHeader.size + RawLocn.fields.checksum.at);
      header.writeUInt32LE(lvmCrc(header.subarray(4)), 0);
      writes.push({ at: area.header, bytes: header }, { at: area.start + MDA_HEADER, bytes });
    }
    return writes;
  };

/** The sum of both versions: words, with the carries added in. */
function mdSum(bytes: Buffer): number {
  let total = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) total += bytes.readUInt32LE(at);
  if (bytes.length % 4 !== 0) total += bytes.readUInt16LE(bytes.length - 2);
  return ((total % 2 ** 32) + Math.floor(total / 2 ** 32)) % 2 ** 32;
}

/** The superblock's bytes that its sum is of. */
function superblockOf(
  disk: Disk,
  { start, size }: Part,
): { at: number; bytes: Buffer; old: boolean } | undefined {
  const end = Math.floor(size / 512);
  for (const place of [0, 4096, (end - 16 - ((end - 16) % 8)) * 512]) {
    const bytes = disk.bytes(start + place, 4096);
    if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== 1) continue;
    const length = HEAD_1 + 2 * Superblock1.read(bytes).max_dev;
    return { at: start + place, bytes: bytes.subarray(0, Math.min(length, 4096)), old: false };
  }
  const at = start + Math.floor(size / 65536) * 65536 - 65536;
  const bytes = disk.bytes(at, SIZE_0);
  return bytes.readUInt32LE(0) === MAGIC ? { at, bytes, old: true } : undefined;
}

/** One field of all superblocks of an array, the same everywhere or of each its own; the sums are right. */
export const editSuperblocks =
  (parts: readonly Part[]): Edit =>
  (disk, random) => {
    const found = parts.flatMap((part) => superblockOf(disk, part) ?? []);
    const [first] = found;
    if (!first) return [];
    const changes = Array.from({ length: 1 + random.skewed(3) }, () => {
      const words = Object.values(Word0);
      const fields = Object.values(Superblock1.fields);
      const { at, size } = first.old
        ? { at: 4 * (random.chance(0.7) ? random.pick(words) : random.below(1024)), size: 4 }
        : random.chance(0.75)
          ? random.pick(fields)
          : { at: HEAD_1 + 2 * random.below(8), size: 2 };
      const width = Math.min(size, 8);
      let old = 0n;
      for (let i = width - 1; i >= 0; i--) old = (old << 8n) | BigInt(first.bytes[at + i] ?? 0);
      return {
        at,
        width,
        value: () => encoded(interesting(random, old, width, parts[0]!.size), width, false),
      };
    });
    const same = random.chance(0.7);
    const values = changes.map(({ value }) => value());
    const writes: Writes = [];
    for (const { at: place, bytes: sound, old } of found) {
      if (!same && random.chance(0.4)) continue;
      const bytes = Buffer.from(sound);
      for (const [i, { at, width, value }] of changes.entries())
        if (at + width <= bytes.length) (same ? values[i]! : value()).copy(bytes, at);
      const sumAt = old ? Word0.sb_csum * 4 : Superblock1.fields.sb_csum.at;
      bytes.writeUInt32LE(0, sumAt);
      const length = old ? SIZE_0 : Math.min(bytes.length, HEAD_1 + 2 * bytes.readUInt32LE(220));
      bytes.writeUInt32LE(mdSum(bytes.subarray(0, length)), sumAt);
      writes.push({ at: place, bytes });
    }
    return writes;
  };

const VALUES: readonly unknown[] = [
  ...[0, 1, -1, 1.5, 1e300, 2 ** 32 - 1, 2 ** 53, null, true, '', '0', '4096', '18446744073709551615'],
  ...['x'.repeat(2000), 'aes-xts-plain64', 'serpent-cbc-essiv:sha256', 'argon2id', 'pbkdf2', 'sha1', 'AAAA'],
  ...['\x1b[2J', '__proto__', [], ['0'], {}, { type: 'luks2' }, [[[[]]]]],
];

/** A value of the JSON in another's place, or one that makes no sense. */
function otherJson(random: Random, json: unknown): void {
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      visit((value as Record<string, unknown>)[key]);
    }
  };
  visit(json);
  if (places.length === 0) return;
  const [holder, key] = random.pick(places);
  switch (random.below(5)) {
    case 0:
      delete holder[key];
      break;
    case 1: {
      const [other, name] = random.pick(places);
      // A copy: a circle could not be written.
      holder[key] = structuredClone(other[name]);
      break;
    }
    case 2:
      holder[random.pick(['0', '1', '31', '32', 'x', '-1', 'type', 'size', 'flags'])] = structuredClone(
        holder[key],
      );
      break;
    default:
      holder[key] = structuredClone(random.pick(VALUES));
  }
}

const HDR2 = { size: 0x4000, json: 4096, sum: 448 };

/** LUKS2's JSON in both copies, each with its digest; of headers of the usual 16 KiB. */
export const editJson: Edit = (disk, random) => {
  const sound = disk.bytes(0, HDR2.size);
  if (sound.readUInt16BE(6) !== 2) return [];
  let text = sound.toString('latin1', HDR2.json).split('\0', 1)[0]!;
  if (random.chance(0.8)) {
    const json: unknown = JSON.parse(text);
    for (let n = 1 + random.skewed(4); n > 0; n--) otherJson(random, json);
    text = JSON.stringify(json);
  } else
    text = damaged(random, text, ['"0":{', '[', '}', '"', '\\u0000', '[[[[[[[[', '1e999', '"type":"luks2"']);
  const writes: Writes = [];
  for (const at of random.chance(0.8) ? [0, HDR2.size] : [0]) {
    const bytes = disk.bytes(at, HDR2.size);
    bytes.fill(0, HDR2.json);
    bytes.write(text, HDR2.json, HDR2.size - HDR2.json - 1, 'latin1');
    bytes.fill(0, HDR2.sum, HDR2.sum + 64);
    createHash('sha256').update(bytes).digest().copy(bytes, HDR2.sum);
    writes.push({ at, bytes });
  }
  return writes;
};

interface Tlv {
  readonly at: number;
  readonly head: number;
  readonly length: number;
}

/** The elements of DER from `at` on, those inside others too. */
function elementsOf(bytes: Buffer, from: number): Tlv[] {
  const found: Tlv[] = [];
  const visit = (start: number, end: number): void => {
    for (let at = start; at + 2 <= end && found.length < 2000; ) {
      let length = bytes[at + 1]!;
      let head = 2;
      if (length > 0x80 && length <= 0x83 && at + 5 <= end) {
        head += length - 0x80;
        length = bytes.readUIntBE(at + 2, head - 2);
      } else if (length >= 0x80) return;
      if (at + head + length > end) return;
      found.push({ at, head, length });
      const tag = bytes[at]!;
      if (tag & 0x20) visit(at + head, at + head + length);
      // An extension's value is DER in a string.
      else if (tag === 4 && length > 2) visit(at + head, at + head + length);
      at += head + length;
    }
  };
  visit(from, bytes.length);
  return found;
}

/** DER whose elements keep their lengths, or one of which does not. @param from where it begins */
export const editDer =
  (from: (bytes: Buffer) => number): Edit =>
  (disk, random) => {
    const bytes = disk.bytes(0, disk.image.size);
    const start = from(bytes);
    const all = elementsOf(bytes, start);
    if (all.length === 0) return [];
    const writes: Writes = [];
    for (let n = 1 + random.skewed(4); n > 0; n--) {
      const { at, head, length } = random.pick(all);
      switch (random.below(6)) {
        case 0:
          writes.push({
            at,
            bytes: Buffer.of(random.pick([1, 2, 3, 4, 5, 6, 0x13, 0x30, 0x31, 0xa0, 0xa1, 0x1f])),
          });
          break;
        case 1: {
          const old = bytes[at + head - 1]!;
          const value = random.pick([old + 1, old - 1, 0, 0x7f, 0x80, 0x84, 0xff]) & 0xff;
          writes.push({ at: at + random.pick([1, head - 1]), bytes: Buffer.of(value) });
          break;
        }
        case 2: {
          // Another of the same length in its place: an algorithm, a name, a key.
          const same = all.filter((e) => e.head + e.length === head + length);
          const other = random.pick(same);
          writes.push({ at, bytes: Buffer.from(bytes.subarray(other.at, other.at + head + length)) });
          break;
        }
        case 3:
          writes.push({ at: at + head, bytes: Buffer.alloc(length, random.pick([0, 0xff, 0x30, 0x05])) });
          break;
        default:
          if (length > 0)
            writes.push({ at: at + head + random.below(length), bytes: Buffer.of(random.below(256)) });
      }
    }
    return writes;
  };
