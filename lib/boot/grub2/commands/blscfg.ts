/**
 * `blscfg`: menu entries from Boot Loader Specification files, as Fedora's and RHEL's GRUB makes them, and as upstream
 * GRUB (2.14) does when one of its options is given. Facts: rhboot/grub2 blscfg.c and blsuki.c, GRUB manual "blscfg".
 *
 * Each file becomes the text of an entry that is evaluated when chosen; its `options` are expanded now. Paths get
 * `($root)` in front, so they are relative to whatever `root` is when the entry is booted: what lies under /boot on a
 * root filesystem is written `/boot/…` in the entry itself.
 */
import { GuestError } from '../../../bytes/errors';
import { variable } from '../../../bytes/over';
import { type ByteString, printable } from '../../../bytes/text';
import type { FileSystem, FsNode } from '../../../fs/types';
import { tryWalk, walk } from '../../../fs/walk';
import { allValues, type BlsEntry, firstValue, parseBlsEntry } from '../../bls/entry';
import {
  compareFileVersions,
  compareNameVersionRelease,
  type NameVersionRelease,
  splitNameVersionRelease,
} from '../../bls/version';
import { splitDevice, type Volume } from '../../guest';
import { fileText, openDevice, openFile, openFileSystem, reading } from './open';
import { has, leadingNumber, type OptionSpec, optionValue, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const DIRECTORY = '/loader/entries/';
const FALLBACK = '/boot/loader/entries/';
const SUFFIX = '.conf';

/** What blscfg has seen so far: a second call adds what is new and shows what was not shown. */
interface Known {
  readonly entries: readonly Loaded[];
  readonly shown: ReadonlySet<ByteString>;
}

interface Loaded {
  readonly entry: BlsEntry;
  readonly parts: NameVersionRelease;
}

const NONE: Known = { entries: [], shown: new Set() };
const MEMORY = 'blscfg';

/** Options of upstream's command. Red Hat's takes none: there, an operand says what to show. */
const SPECS: OptionSpec[] = [
  { long: 'path', short: 'p', value: 'required' },
  { long: 'enable-fallback', short: 'f' },
  { long: 'show-default', short: 'd' },
  { long: 'show-non-default', short: 'n' },
  { long: 'entry', short: 'e', value: 'required' },
];

/** Which entries to show. */
interface Selection {
  readonly byDefault: boolean;
  readonly others: boolean;
  readonly id: ByteString | undefined;
}

function blscfg(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const upstream = parsed.given.length > 0;
  let path: ByteString | undefined;
  let select: Selection = { byDefault: true, others: true, id: undefined };
  if (upstream) {
    path = optionValue(parsed, 'path');
    const id = optionValue(parsed, 'entry');
    const some = has(parsed, 'show-default') || has(parsed, 'show-non-default') || id !== undefined;
    if (some)
      select = {
        byDefault: has(parsed, 'show-default'),
        others: has(parsed, 'show-non-default'),
        id: id === undefined ? undefined : withoutSuffix(id),
      };
  } else if (parsed.operands.length === 1) {
    const word = parsed.operands[0]!;
    if (word === 'default') select = { byDefault: true, others: false, id: undefined };
    else if (word === 'non-default') select = { byDefault: false, others: true, id: undefined };
    else if (word.startsWith('(')) path = word;
    else select = { byDefault: false, others: false, id: withoutSuffix(word) };
  }

  const loaded: BlsEntry[] = [];
  const status = reading(machine, () =>
    load(machine, path, { fallback: !upstream || has(parsed, 'enable-fallback') }, loaded),
  );
  if (status !== 0) return status;
  const before = upstream ? NONE : ((machine.memory.get(MEMORY) as Known | undefined) ?? NONE);
  const entries = merge(before.entries, loaded, upstream);
  const shown = show(machine, entries, before.shown, select, upstream);
  machine.memory.set(MEMORY, { entries, shown } satisfies Known);
  return 0;
}

/**
 * Entries for a configuration that made none of its own: those of /loader/entries on its own volume, as `blscfg` at
 * its end would have made them. Fedora CoreOS keeps the `blscfg` of its grub.cfg in fragments that may be gone.
 * @returns true when there were any
 */
export function entriesInstead(machine: Machine): boolean {
  const fs = machine.home?.filesystem();
  if (!fs) return false;
  const loaded: BlsEntry[] = [];
  for (const directory of [DIRECTORY, FALLBACK])
    if (loaded.length === 0) readDirectory(machine, fs, directory, loaded);
  const entries = merge([], loaded, false);
  if (!machine.guest.device(machine.get('root') ?? '')) machine.set('root', machine.home!.name);
  show(machine, entries, new Set(), { byDefault: true, others: true, id: undefined }, false);
  return entries.length > 0;
}

const withoutSuffix = (name: ByteString): ByteString =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name;

// --- Finding and reading ---

function load(
  machine: Machine,
  path: ByteString | undefined,
  options: { fallback: boolean },
  into: BlsEntry[],
): number {
  if (path?.endsWith(SUFFIX)) {
    const open = openFile(machine, path);
    if (typeof open === 'number') return open;
    const id = withoutSuffix(path.slice(path.lastIndexOf('/') + 1));
    into.push(parseBlsEntry(id, fileText(machine, open, 'smallFileBytes'), 'grub', machine));
    return 0;
  }
  let volume: Volume | undefined;
  let directory: ByteString | undefined;
  if (path?.startsWith('(')) {
    if (!path.includes(')')) return machine.error("Filepath isn't correct", GRUB_ERROR.badArgument);
    const split = splitDevice(path);
    const opened = openDevice(machine, split.device!);
    if (typeof opened === 'number') return opened;
    volume = opened;
    directory = split.path || undefined;
  } else {
    if (path?.startsWith('/')) directory = path;
    if (machine.get('root') === undefined)
      return machine.error("variable `root' isn't set", GRUB_ERROR.fileNotFound);
    volume = machine.root();
    if (!volume) return openDevice(machine, machine.get('root')!) as number;
  }
  const fs = openFileSystem(machine, volume);
  if (typeof fs === 'number') return fs;
  const given = directory !== undefined;
  directory ??= machine.get('blsdir') ?? DIRECTORY;
  readDirectory(machine, fs, directory, into);
  // A directory that was named in the command stands alone, except for upstream's --enable-fallback.
  if (into.length === 0 && options.fallback && !(given && path?.startsWith('('))) {
    readDirectory(machine, fs, given ? DIRECTORY : FALLBACK, into);
    if (given && into.length === 0) readDirectory(machine, fs, FALLBACK, into);
  }
  return 0;
}

/** Reads every entry of a directory; what is not there or cannot be read is passed over, as GRUB does. */
function readDirectory(machine: Machine, fs: FileSystem, path: ByteString, into: BlsEntry[]): void {
  const directory = tryWalk(fs, path);
  if (directory?.kind !== 'directory') return;
  let names = 0;
  const { directoryEntries, menuEntries } = machine.budget.limits;
  for (const item of fs.readdir(directory)) {
    machine.budget.step();
    if (++names > directoryEntries) {
      machine.warn(
        `${printable(path)}: only the first ${directoryEntries} names were looked at (${variable('directoryEntries')})`,
      );
      return;
    }
    const { name } = item;
    if (name.startsWith('.') || name.length <= SUFFIX.length || !name.endsWith(SUFFIX)) continue;
    if (into.length >= menuEntries) {
      machine.warn(
        `${printable(path)}: only the first ${menuEntries} entries are used (${variable('menuEntries')})`,
      );
      return;
    }
    try {
      const node = resolve(fs, path, name, item.node());
      if (node.kind !== 'file') continue;
      const found = { volume: undefined, path: name, found: { fs, node } };
      const text = fileText(machine, { file: found, fs, node }, 'smallFileBytes');
      into.push(parseBlsEntry(withoutSuffix(name), text, 'grub', machine));
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      // One bad file is no reason to lose the others; a used-up budget is.
      machine.budget.step(0);
      machine.budget.read(0);
      machine.budget.allocate(0);
      machine.warn(`${printable(path)}${printable(name)}: ${error.describe()}`);
    }
  }
}

const resolve = (fs: FileSystem, path: ByteString, name: ByteString, node: FsNode): FsNode =>
  node.kind === 'symlink' ? walk(fs, `${path}/${name}`) : node;

/** Newest first; of two whose names count as the same version the one that was read first stays. */
function merge(old: readonly Loaded[], added: readonly BlsEntry[], upstream: boolean): Loaded[] {
  const all = [
    ...old,
    ...added.map((entry): Loaded => ({ entry, parts: splitNameVersionRelease(entry.id) })),
  ];
  const order = upstream
    ? (a: Loaded, b: Loaded) => compareFileVersions(b.entry.id + SUFFIX, a.entry.id + SUFFIX)
    : (a: Loaded, b: Loaded) => compareNameVersionRelease(b.parts, a.parts);
  all.sort(order);
  return all.filter((item, i) => i === 0 || order(all[i - 1]!, item) !== 0);
}

// --- Showing ---

function show(
  machine: Machine,
  entries: readonly Loaded[],
  before: ReadonlySet<ByteString>,
  select: Selection,
  upstream: boolean,
): ReadonlySet<ByteString> {
  const shown = new Set(before);
  const wanted = machine.get('default');
  entries.forEach(({ entry }, index) => {
    machine.budget.step();
    if (shown.has(entry.id)) return;
    const chosen = isDefault(wanted, entry, index, upstream);
    if (chosen ? !select.byDefault : !select.others) if (entry.id !== select.id) return;
    shown.add(entry.id);
    addEntry(machine, entry, upstream);
  });
  return shown;
}

function isDefault(
  wanted: ByteString | undefined,
  entry: BlsEntry,
  index: number,
  upstream: boolean,
): boolean {
  if (wanted === undefined) return false;
  if (wanted === entry.id || (upstream && wanted === entry.id + SUFFIX)) return true;
  if (wanted === firstValue(entry, 'title')) return true;
  if (upstream && !/^[ \t]*(?:0x[0-9a-fA-F]+|\d+)$/.test(wanted)) return false;
  return leadingNumber(wanted) === index;
}

/** The entry's text, as GRUB itself writes it, into the menu. */
function addEntry(machine: Machine, entry: BlsEntry, upstream: boolean): void {
  const linux = firstValue(entry, 'linux');
  const efi = firstValue(entry, 'efi');
  const kernel = linux ?? (upstream ? undefined : efi);
  if (kernel === undefined) return;
  const title = firstValue(entry, 'title') ?? kernel;
  const users = expand(machine, firstValue(entry, 'grub_users'));
  const hotkey = firstValue(entry, 'grub_hotkey');
  machine.addEntry({
    title,
    id: entry.id,
    classes: allValues(entry, 'grub_class'),
    args: [title, ...allValues(entry, 'grub_arg')],
    body: upstream ? upstreamBody(machine, entry, kernel) : redHatBody(machine, entry, linux, kernel),
    ...(users === undefined
      ? { unrestricted: true }
      : { users: users.split(/[\s,;|&]+/).filter((name) => name !== '') }),
    ...(hotkey === undefined ? {} : { hotkey }),
  });
}

const DEVICE = '($root)';

function redHatBody(
  machine: Machine,
  entry: BlsEntry,
  linux: ByteString | undefined,
  kernel: ByteString,
): ByteString {
  const saveDefault = machine.get('save_default') === 'true' ? 'savedefault\n' : '';
  const options = expand(machine, optionsOf(machine, entry));
  if (firstValue(entry, 'efi') !== undefined) {
    const target = firstValue(entry, 'efi')!;
    return `${saveDefault}chainloader ${DEVICE}${target}${tail(options)}\n`;
  }
  const args = options ?? expand(machine, machine.get('default_kernelopts'));
  const initrds = allValues(entry, 'initrd');
  const early = machine.get('early_initrd');
  const files: ByteString[] = [];
  if (early !== undefined) {
    const prefix = folderOf(initrds[0] ?? kernel);
    files.push(...early.split(' ').map((name) => `${prefix}${name}`));
  }
  files.push(...initrds);
  let body = `${saveDefault}load_video\nset gfxpayload=keep\ninsmod gzio\nlinux ${DEVICE}${linux ?? kernel}${tail(args)}\n`;
  if (files.length > 0) body += `initrd${files.map((name) => ` ${DEVICE}${name}`).join('')}\n`;
  const tree = expand(machine, firstValue(entry, 'devicetree'));
  if (tree !== undefined) body += `devicetree ${DEVICE}${tree}\n`;
  else {
    const common = expand(machine, machine.get('devicetree'));
    if (common !== undefined) body += `devicetree ${DEVICE}${folderOf(kernel)}${common}\n`;
  }
  return body;
}

function upstreamBody(machine: Machine, entry: BlsEntry, kernel: ByteString): ByteString {
  const saveDefault = !['', '0', 'false', 'disable', 'no'].includes(machine.get('blsuki_save_default') ?? '');
  const initrds = allValues(entry, 'initrd');
  const tree = expand(machine, firstValue(entry, 'devicetree'));
  return [
    saveDefault ? 'savedefault\n' : '',
    `linux ${kernel}${tail(expand(machine, optionsOf(machine, entry)))}\n`,
    initrds.length > 0 ? `initrd ${initrds.join(' ')}\n` : '',
    tree === undefined ? '' : `devicetree ${tree}\n`,
  ].join('');
}

const tail = (options: ByteString | undefined): ByteString => (options === undefined ? '' : ` ${options}`);

/** Up to and with the last slash; the loader's tables of a path without one have no such case. */
const folderOf = (path: ByteString): ByteString => path.slice(0, path.lastIndexOf('/') + 1);

/** The first `options` line. The specification joins them; GRUB (all of its versions) reads no other, and says nothing. */
function optionsOf(machine: Machine, entry: BlsEntry): ByteString | undefined {
  const [first, ...rest] = allValues(entry, 'options');
  if (rest.length > 0)
    machine.warn(`BLS entry ${printable(entry.id)}: only the first of its options lines is used, as in GRUB`);
  return first;
}

/**
 * Puts variables into a value as blscfg does: `$name` becomes its value and a blank (one blank after the name is
 * swallowed), an unset one nothing, `\$` stays. There is no `${name}`. A value that comes out empty, or is a single
 * character, counts as none.
 */
function expand(machine: Machine, value: ByteString | undefined): ByteString | undefined {
  if (value === undefined) return undefined;
  let out: ByteString | undefined;
  let start = 0;
  /** The last character looked at; a piece of a single character at the very end is lost in GRUB, too. */
  let end = 0;
  let variable = false;
  const append = () => {
    const piece = value.slice(start, end + 1);
    if (!variable) out = (out ?? '') + piece;
    else {
      const known = machine.get(piece);
      if (known !== undefined) {
        machine.budget.allocate(known.length);
        out = `${out ?? ''}${known} `;
      }
    }
  };
  for (let at = 0; at < value.length; end = at, at++) {
    const c = value[at]!;
    if (c === '$' && value[end] !== '\\') {
      if (start !== end) {
        append();
        if (out === undefined) return undefined;
      }
      variable = true;
      start = at + 1;
    } else if (variable && !/[A-Za-z0-9_]/.test(c)) {
      append();
      variable = false;
      start = at;
      if (c === ' ') start++;
    }
  }
  if (start !== end) append();
  return out;
}

export const blscfgCommands: CommandTable = { blscfg, bls_import: blscfg };
