/** Commands that show or compare files: `ls`, `cat`, `cmp`, `hashsum` and its short forms. */
import { GuestError } from '../../../bytes/errors';
import { type ByteString, fromBytes } from '../../../bytes/text';
import type { FsNode } from '../../../fs/types';
import { tryWalk, walk } from '../../../fs/walk';
import { splitDevice, type Volume } from '../../guest';
import { devices } from './devices';
import {
  fileBytes,
  type OpenFile,
  openDevice,
  openFile,
  openFileSystem,
  quietFileSystem,
  reading,
} from './open';
import { has, type OptionSpec, optionValue, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Text that one `cat` or `ls` puts on the console; a person at GRUB's screen would not read more. */
const SHOWN_BYTES = 256 * 1024;

// --- ls ---

const LS: OptionSpec[] = [
  { long: 'long', short: 'l' },
  { long: 'human-readable', short: 'h' },
  { long: 'all', short: 'a' },
];

interface Listing {
  readonly long: boolean;
  readonly human: boolean;
  readonly all: boolean;
}

function ls(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, LS);
  if (typeof parsed === 'number') return parsed;
  const how = { long: has(parsed, 'long'), human: has(parsed, 'human-readable'), all: has(parsed, 'all') };
  if (parsed.operands.length === 0) {
    for (const volume of devices(machine.guest)) {
      machine.budget.step();
      machine.print(how.long ? describeDevice(machine, volume) : `(${volume.name}) `);
    }
    machine.print('\n');
  }
  // GRUB prints errors and answers 0 all the same.
  for (const name of parsed.operands) list(machine, name, how);
  return 0;
}

function list(machine: Machine, name: ByteString, how: Listing): void {
  let volume: Volume | undefined;
  let path = name;
  if (name.startsWith('(') && name.includes(')')) {
    const split = splitDevice(name);
    path = split.path;
    const opened = openDevice(machine, split.device!);
    if (typeof opened === 'number') return;
    volume = opened;
    if (path === '') {
      machine.print(describeDevice(machine, volume));
      return;
    }
  } else volume = machine.root();
  if (!volume) {
    machine.error("variable `root' isn't set", GRUB_ERROR.badDevice);
    return;
  }
  const fs = openFileSystem(machine, volume);
  if (typeof fs === 'number') return;
  if (!path.startsWith('/')) {
    machine.error(`invalid file name \`${path}'`, GRUB_ERROR.badFilename);
    return;
  }
  reading(machine, () => {
    const node = tryWalk(fs, path);
    if (!node) {
      const parent = tryWalk(fs, path.slice(0, path.replace(/\/+$/, '').lastIndexOf('/')));
      if (parent && parent.kind !== 'directory')
        return machine.error('not a directory', GRUB_ERROR.badFileType);
      return machine.error(`file \`${path}' not found`, GRUB_ERROR.fileNotFound);
    }
    let room = SHOWN_BYTES;
    const show = (child: ByteString, found: FsNode | undefined, of: FsNode) => {
      const directory = found?.kind === 'directory';
      const line = how.long
        ? `${longLine(of, directory, how)}${child}${directory ? '/' : ''}\n`
        : `${child}${directory ? '/' : ''} `;
      room -= line.length;
      if (room >= 0) machine.print(line);
    };
    if (node.kind !== 'directory') show(path.slice(path.lastIndexOf('/') + 1), node, node);
    else {
      if (how.all) for (const dots of ['.', '..']) show(dots, node, node);
      for (const entry of fs.readdir(node)) {
        machine.budget.step();
        if (room < 0) break;
        if (!how.all && entry.name.startsWith('.')) continue;
        const child = how.long || entry.kind === undefined ? entry.node() : undefined;
        const kind = child ?? { kind: entry.kind!, size: 0, id: '' };
        // GRUB shows a link by its own time and by the size of what it leads to.
        const size = how.long && kind.kind === 'symlink' ? follow(fs, path, entry.name) : kind;
        show(entry.name, kind, { ...kind, size: size?.size ?? -1 });
      }
    }
    machine.print('\n');
    return 0;
  });
}

function follow(fs: Parameters<typeof walk>[0], directory: ByteString, name: ByteString): FsNode | undefined {
  try {
    const node = walk(fs, `${directory}/${name}`);
    return node.kind === 'file' ? node : undefined;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

function longLine(node: FsNode, directory: boolean, how: Listing): string {
  const size = directory
    ? 'DIR'
    : node.size < 0
      ? '????????????'
      : how.human
        ? humanSize(node.size)
        : node.size;
  const time = node.mtime === undefined ? '' : formatTime(node.mtime, how.human);
  return `${String(size).padEnd(12)}${time}`;
}

const two = (n: number): string => String(n).padStart(2, '0');
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Seconds since 1970 → the parts of a UTC date; undefined outside JavaScript's range. */
function dateParts(seconds: number) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return {
    year: date.getUTCFullYear(),
    month: two(date.getUTCMonth() + 1),
    day: two(date.getUTCDate()),
    time: [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two),
    weekday: DAYS[date.getUTCDay()]!,
  };
}

function formatTime(seconds: number, human: boolean): string {
  const d = dateParts(seconds);
  if (!d) return '';
  if (human) return ` ${d.year}-${d.month}-${d.day} ${d.time.join(':')} ${d.weekday.padEnd(11)} `;
  return ` ${String(d.year).padStart(4, '0')}${d.month}${d.day}${d.time.join('')} `;
}

/** `2024-02-29 12:00:00 Thursday`, as `date` prints it. */
export function formatDate(seconds: number): string {
  const d = dateParts(seconds);
  return d ? `${d.year}-${d.month}-${d.day} ${d.time.join(':')} ${d.weekday}` : '';
}

/** `1.00K`, `2.93M` …: hundredths, rounded at each step as GRUB does. */
function humanSize(bytes: number): string {
  let hundredths = bytes * 100;
  let unit = 0;
  for (; hundredths >= 102400 && unit < 5; unit++) hundredths = Math.floor((hundredths + 512) / 1024);
  if (unit === 0) return String(bytes);
  return `${Math.floor(hundredths / 100)}.${two(hundredths % 100)}${'KMGTP'[unit - 1]}`;
}

const halfKiB = (bytes: number): string => {
  const sectors = Math.floor(bytes / 512);
  return `${Math.floor(sectors / 2)}${sectors % 2 === 1 ? '.5' : ''}KiB`;
};

/** One line about a device. GRUB also tells when a filesystem was last written; our drivers do not keep that. */
function describeDevice(machine: Machine, volume: Volume): string {
  const parts: string[] = [volume.partition ? `\tPartition ${volume.name}: ` : `Device ${volume.name}: `];
  const fs = quietFileSystem(machine, volume);
  if (fs) {
    parts.push(`Filesystem type ${fs.grubName === 'ext2' ? 'ext*' : fs.grubName}`);
    if (fs.label) parts.push(` - Label \`${fs.label}'`);
    if (fs.uuid) parts.push(`, UUID ${fs.uuid}`);
  } else parts.push('No known filesystem detected');
  if (volume.partition) parts.push(` - Partition start at ${halfKiB(volume.partition.start)}`);
  else parts.push(` - Sector size ${volume.source.sectorSize}B`);
  parts.push(` - Total size ${halfKiB(volume.source.size)}\n`);
  return parts.join('');
}

// --- cat ---

/** `-1` in GRUB's table: no short form. */
const CAT: OptionSpec[] = [{ long: 'dos' }];

function cat(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, CAT);
  if (typeof parsed === 'number') return parsed;
  if (parsed.operands.length !== 1) return machine.error('filename expected', GRUB_ERROR.badArgument);
  const open = openFile(machine, parsed.operands[0]!);
  if (typeof open === 'number') return open;
  return reading(machine, () => {
    const parts: ByteString[] = [];
    for (const piece of fileBytes(machine, open, SHOWN_BYTES)) parts.push(fromBytes(piece));
    machine.print(`${shown(parts.join('').slice(0, SHOWN_BYTES), has(parsed, 'dos'))}\n`);
    return 0;
  });
}

/** A character in valid UTF-8 (the shortest form, as GRUB's decoder wants it), or one byte that is none. */
const CHARACTER =
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/** What GRUB shows of a file: control characters and bytes that are not UTF-8 as `<hex>`. */
function shown(text: ByteString, dos: boolean): ByteString {
  const source = dos ? text.replaceAll('\r\n', '\n') : text;
  return source.replace(CHARACTER, (c) => {
    const first = c.charCodeAt(0);
    const printable =
      c.length > 1 ? !(first === 0xc2 && c.charCodeAt(1) < 0xa1) : first >= 0x20 && first < 0x7f;
    if (printable || (first >= 9 && first <= 12 && c.length === 1)) return c;
    return [...c].map((b) => `<${b.charCodeAt(0).toString(16)}>`).join('');
  });
}

// --- cmp ---

const CMP: OptionSpec[] = [{ short: 'v' }];

function cmp(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, CMP);
  if (typeof parsed === 'number') return parsed;
  const [first, second] = parsed.operands;
  if (first === undefined || second === undefined || parsed.operands.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  const say = (text: ByteString) => has(parsed, 'v') && machine.print(text);
  say(`Compare file \`${first}' with \`${second}':\n`);
  const a = openFile(machine, first);
  if (typeof a === 'number') return a;
  const b = openFile(machine, second);
  if (typeof b === 'number') return b;
  if (a.node.size !== b.node.size) {
    say(`Files differ in size: ${a.node.size} [${first}], ${b.node.size} [${second}]\n`);
    return GRUB_ERROR.testFailure;
  }
  return reading(machine, () => {
    const at = firstDifference(machine, a, b);
    if (!at) {
      say('The files are identical.\n');
      return 0;
    }
    const [offset, x, y] = at;
    say(
      `Files differ at the offset ${offset}: 0x${x.toString(16)} [${first}], 0x${y.toString(16)} [${second}]\n`,
    );
    return GRUB_ERROR.testFailure;
  });
}

/** Extents of two files do not start at the same places: what is left of a piece waits for the next. */
function firstDifference(machine: Machine, a: OpenFile, b: OpenFile): [number, number, number] | undefined {
  const other = fileBytes(machine, b);
  let rest: Uint8Array = new Uint8Array(0);
  let offset = 0;
  for (const piece of fileBytes(machine, a)) {
    for (let done = 0; done < piece.length; ) {
      if (rest.length === 0) {
        const next = other.next();
        if (next.done) return undefined;
        rest = next.value;
      }
      const count = Math.min(rest.length, piece.length - done);
      for (let i = 0; i < count; i++)
        if (piece[done + i] !== rest[i]) return [offset + i, piece[done + i]!, rest[i]!];
      done += count;
      offset += count;
      rest = rest.subarray(count);
    }
  }
  return undefined;
}

// --- hashsum ---

const HASHSUM: OptionSpec[] = [
  { long: 'hash', short: 'h', value: 'required' },
  { long: 'check', short: 'c', value: 'required' },
  { long: 'prefix', short: 'p', value: 'required' },
  { long: 'keep-going', short: 'k' },
  { long: 'uncompress', short: 'u' },
];

/** GRUB's names of hashes that are known here, with Node's. */
const HASHES = new Map([
  ['md5', 'md5'],
  ['sha1', 'sha1'],
  ['sha224', 'sha224'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha512', 'sha512'],
  ['rmd160', 'ripemd160'],
  ['crc32', 'crc32'],
]);

const ALIASES = new Map([
  ['md5sum', 'md5'],
  ['sha1sum', 'sha1'],
  ['sha256sum', 'sha256'],
  ['sha512sum', 'sha512'],
  ['crc', 'crc32'],
]);

function hashsum(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, HASHSUM);
  if (typeof parsed === 'number') return parsed;
  const hash = optionValue(parsed, 'hash') ?? ALIASES.get(command);
  if (hash === undefined) return machine.error('no hash specified', GRUB_ERROR.badArgument);
  const algorithm = HASHES.get(hash.toLowerCase());
  if (algorithm === undefined) return machine.error('unknown hash', GRUB_ERROR.badArgument);
  const keep = has(parsed, 'keep-going');

  const list = optionValue(parsed, 'check');
  if (list !== undefined) {
    if (parsed.operands.length > 0)
      return machine.error('--check is incompatible with file list', GRUB_ERROR.badArgument);
    return checkList(machine, list, algorithm, optionValue(parsed, 'prefix'), keep);
  }
  let unread = 0;
  for (const name of parsed.operands) {
    const open = openFile(machine, name);
    const status =
      typeof open === 'number'
        ? open
        : reading(machine, () => {
            machine.print(`${digest(machine, open, algorithm)}  ${name}\n`);
            return 0;
          });
    if (status === 0) continue;
    if (!keep) return status;
    unread++;
  }
  return unread > 0 ? GRUB_ERROR.testFailure : 0;
}

function checkList(
  machine: Machine,
  listName: ByteString,
  algorithm: string,
  prefix: ByteString | undefined,
  keep: boolean,
): number {
  const list = openFile(machine, listName);
  if (typeof list === 'number') return list;
  let text = '';
  const status = reading(machine, () => {
    const parts: ByteString[] = [];
    for (const piece of fileBytes(machine, list, machine.budget.limits.smallFileBytes))
      parts.push(fromBytes(piece));
    text = parts.join('');
    return 0;
  });
  if (status !== 0) return status;
  let unread = 0;
  let mismatch = 0;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) {
    machine.budget.step();
    const row = /^\s*([0-9a-fA-F]+)[ \t][ \t](.*)$/.exec(line.replaceAll('\r', ''));
    if (!row) return machine.error('invalid hash list', GRUB_ERROR.badFileType);
    const name = row[2]!;
    const open = openFile(machine, prefix === undefined ? name : `${prefix}/${name}`);
    if (typeof open === 'number') return open;
    let actual: string | undefined;
    const read = reading(machine, () => {
      actual = digest(machine, open, algorithm);
      return 0;
    });
    if (actual === undefined) {
      machine.print(`${name}: READ ERROR\n`);
      if (!keep) return read;
      unread++;
    } else if (actual.length !== row[1]!.length) {
      return machine.error('invalid hash list', GRUB_ERROR.badFileType);
    } else if (actual !== row[1]!.toLowerCase()) {
      machine.print(`${name}: HASH MISMATCH\n`);
      if (!keep) return GRUB_ERROR.testFailure;
      mismatch++;
    } else machine.print(`${name}: OK\n`);
  }
  return mismatch + unread > 0 ? GRUB_ERROR.testFailure : 0;
}

function digest(machine: Machine, open: OpenFile, algorithm: string): string {
  if (algorithm === 'crc32') {
    const table = crcTable();
    let crc = 0xffffffff;
    for (const piece of fileBytes(machine, open))
      for (const byte of piece) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
    return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0');
  }
  // Loaded here: few configurations hash anything, and the module costs start-up time.
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const hash = createHash(algorithm);
  for (const piece of fileBytes(machine, open)) hash.update(piece);
  return hash.digest('hex');
}

/** CRC-32 as in zlib (reflected 0x04c11db7), byte by byte. */
function crcTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[n] = value;
  }
  return table;
}

export const fileCommands: CommandTable = {
  ls,
  cat,
  cmp,
  hashsum,
  md5sum: hashsum,
  sha1sum: hashsum,
  sha256sum: hashsum,
  sha512sum: hashsum,
  crc: hashsum,
};
