/** Names: UTF-16, decomposed, compared without regard to case by Apple's table of 1998 (TN1150). */
import { type ByteString, fromHost } from '../../lib/bytes/text';

/** [from, to, step, added]: letters that are compared as others. */
const FOLDED: readonly (readonly [number, number, number, number])[] = [
  [0x41, 0x5a, 1, 0x20],
  [0xc6, 0xc6, 1, 0x20],
  [0xd0, 0xd0, 1, 0x20],
  [0xd8, 0xd8, 1, 0x20],
  [0xde, 0xde, 1, 0x20],
  [0x391, 0x3a1, 1, 0x20],
  [0x3a3, 0x3a9, 1, 0x20],
  [0x3e2, 0x3ee, 2, 1],
  [0x410, 0x418, 1, 0x20],
  [0x41a, 0x42f, 1, 0x20],
  [0x460, 0x474, 2, 1],
  [0x478, 0x480, 2, 1],
  [0x490, 0x4be, 2, 1],
  [0x531, 0x556, 1, 0x30],
  [0x10a0, 0x10c5, 1, 0x30],
  [0x2160, 0x216f, 1, 0x10],
  [0xff21, 0xff3a, 1, 0x20],
];
/** Those that follow no rule, each with its other. */
const SINGLE =
  '110:111 126:127 132:133 13f:140 141:142 14a:14b 152:153 166:167 181:253 182:183 184:185 186:254 187:188 189:256 ' +
  '18a:257 18b:18c 18e:1dd 18f:259 190:25b 191:192 193:260 194:263 196:269 197:268 198:199 19c:26f 19d:272 19f:275 ' +
  '1a2:1a3 1a4:1a5 1a7:1a8 1a9:283 1ac:1ad 1ae:288 1b1:28a 1b2:28b 1b3:1b4 1b5:1b6 1b7:292 1b8:1b9 1bc:1bd 1c4:1c6 ' +
  '1c5:1c6 1c7:1c9 1c8:1c9 1ca:1cc 1cb:1cc 1e4:1e5 1f1:1f3 1f2:1f3 402:452 404:454 405:455 406:456 408:458 409:459 ' +
  '40a:45a 40b:45b 40f:45f 4c3:4c4 4c7:4c8 4cb:4cc 0:ffff';
/** Characters that are passed over. */
const IGNORED = [
  [0x200c, 0x200f],
  [0x202a, 0x202e],
  [0x206a, 0x206f],
  [0xfeff, 0xfeff],
] as const;

function foldTable(): ReadonlyMap<number, number> {
  const table = new Map<number, number>();
  for (const [from, to, step, added] of FOLDED)
    for (let c = from; c <= to; c += step) table.set(c, c + added);
  for (const pair of SINGLE.split(' ')) {
    const [from, to] = pair.split(':');
    table.set(Number.parseInt(from!, 16), Number.parseInt(to!, 16));
  }
  for (const [from, to] of IGNORED) for (let c = from; c <= to; c++) table.set(c, 0);
  return table;
}

/** Compares the name at [at, at + 2 * length) of `b` with `name` (UTF-16, big-endian). */
export type CompareNames = (b: Buffer, at: number, length: number, name: Buffer) => number;

/** HFSX with `kHFSBinaryCompare`: unit by unit. */
export const binaryCompare: CompareNames = (b, at, length, name) =>
  b.compare(name, 0, name.length, at, at + 2 * length);

export function caseFolding(): CompareNames {
  const table = foldTable();
  const fold = (c: number) => table.get(c) ?? c;
  return (b, at, length, name) => {
    const end = at + 2 * length;
    let p = at;
    let q = 0;
    for (;;) {
      let mine = 0;
      let other = 0;
      for (; mine === 0 && p < end; p += 2) mine = fold((b[p]! << 8) | b[p + 1]!);
      for (; other === 0 && q < name.length; q += 2) other = fold((name[q]! << 8) | name[q + 1]!);
      if (mine !== other) return mine - other;
      if (mine === 0) return 0;
    }
  };
}

const toUtf16 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

/** On the disk a slash may stand in a name; paths have a colon there (Linux, GRUB, Mac OS X). */
export function fromDisk(b: Buffer): ByteString {
  return fromHost(Buffer.from(b).swap16().toString('utf16le').replace(/\//g, ':'));
}

/** The forms in which a name may be on the disk: decomposed, as Mac OS X and Linux write it, or as somebody else did. */
export function toDisk(name: ByteString): Buffer[] {
  const text = Buffer.from(name, 'latin1').toString('utf8').replace(/:/g, '/');
  return [...new Set([text.normalize('NFD'), text, text.normalize('NFC')])].map(toUtf16);
}
