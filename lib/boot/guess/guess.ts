/** No configuration at all: the kernels that a guest holds, as a menu. What is tried, and in which order: README. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { FileSystem } from '../../fs/types';
import { tryWalk } from '../../fs/walk';
import { luksVersion } from '../../volume/luks/magic';
import { bootOrder } from '../discover';
import { type Guest, payload, type Volume } from '../guest';
import type { BootContext, BootDialect, BootMenu, ConfigFile, GuestFile, MenuEntry } from '../model';
import { plainEntry, plainMenu } from '../plain';
import { readText, SystemFiles } from '../system';
import { trimBlanks } from '../words';
import { commandLine, type System, systemOn } from './cmdline';
import { type Kernel, kernelsIn } from './kernels';

/** Seconds that the menu waits: nobody wrote a number down, so it is grub-mkconfig's. */
const TIMEOUT = 5;
/** Older generations of a NixOS that are offered. */
const MAX_GENERATIONS = 50;

const GUESSED = '(guessed: no boot configuration)';

export interface Guess {
  readonly dialect: BootDialect;
  /** The directory or volume that the kernels were found on. */
  readonly config: ConfigFile;
  readonly menu: BootMenu;
}

/** Menus of kernels, one for each volume that has any, in the order in which volumes are tried. */
export function* guesses(guest: Guest, ctx: BootContext): Generator<Guess> {
  const systems = new Map<Volume, System | undefined>();
  const system = (volume: Volume): System | undefined => {
    if (!systems.has(volume)) systems.set(volume, systemOn(guest, volume, ctx));
    return systems.get(volume);
  };
  const volumes = [...guest.everyDisk()].flatMap((disk) => bootOrder(disk));
  // What lies in an encrypted volume may be a configuration.
  if (ctx.crypt && !ctx.crypt.tried && volumes.some((volume) => luksVersion(volume.source) !== undefined))
    return;
  for (const volume of volumes) {
    try {
      const fs = volume.filesystem();
      if (!fs) continue;
      const budget = ctx.budget.child('evaluation', 'guessing');
      const inside: BootContext = { ...ctx, budget };
      const own = system(volume);
      // A separate /boot belongs to the first volume that looks like a root.
      const home = () => own ?? volumes.map(system).find((s) => s !== undefined);
      const root = own?.root ?? '';
      const files = own?.files ?? new SystemFiles(guest, volume, inside);
      const entries = [
        ...nixosEntries(guest, volume, fs, root, inside),
        ...kernelsIn(files, root, ['', '/boot'], inside).map((kernel) =>
          entry(guest, volume, kernel, home(), inside),
        ),
      ];
      if (entries.length === 0) continue;
      const directory = tryWalk(fs, `${root}/boot`)?.kind === 'directory' ? `${root}/boot` : `${root}/`;
      const node = tryWalk(fs, directory) ?? fs.root;
      const menu = menuOf(entries);
      const dialect: BootDialect = { name: 'guess', paths: [], evaluate: () => menu };
      yield { dialect, config: { volume, path: directory, fs, node }, menu };
    } catch (error) {
      // A volume that cannot be read has said so when configurations were looked for.
      if (!(error instanceof GuestError)) throw error;
    }
  }
}

function menuOf(entries: readonly MenuEntry[]): BootMenu {
  return plainMenu(entries, {
    timeout: TIMEOUT,
    warnings: ['no boot configuration was found, what can be booted is guessed'],
  });
}

/** As `load` finds it again: with its device where that is not the menu's own volume. */
const nameOf = (file: GuestFile, volume: Volume): ByteString =>
  file.volume && file.volume !== volume ? `(${file.volume.name})${file.path}` : file.path;

function entry(
  guest: Guest,
  volume: Volume,
  kernel: Kernel,
  system: System | undefined,
  ctx: BootContext,
): MenuEntry {
  const { args, notes } = commandLine(guest, system, kernel.initrd !== undefined, ctx);
  const path = nameOf(kernel.file, volume);
  return plainEntry({
    title: `Linux ${kernel.release === '' ? kernel.file.path : kernel.release} ${GUESSED}`,
    id: path,
    kernel: path,
    ramdisks: kernel.initrd ? [nameOf(kernel.initrd, volume)] : [],
    args,
    notes: [...notes, ...(kernel.initrd ? [] : [`no ramdisk goes with ${printable(kernel.file.path)}`])],
    root: volume.name,
    load: (name) => guest.file(name, volume),
  });
}

/**
 * NixOS keeps each generation whole: kernel, initrd, `kernel-params` and `init` lie in
 * /nix/var/nix/profiles/system (NixOS manual, "Boot loader"; nixpkgs, activation/top-level.nix).
 */
function nixosEntries(
  guest: Guest,
  volume: Volume,
  fs: FileSystem,
  root: ByteString,
  ctx: BootContext,
): MenuEntry[] {
  const profiles = `${root}/nix/var/nix/profiles`;
  const dir = tryWalk(fs, profiles);
  if (dir?.kind !== 'directory') return [];
  const generations: number[] = [];
  for (const { name } of fs.readdir(dir)) {
    ctx.budget.step();
    const number = /^system-(\d{1,9})-link$/.exec(name);
    if (number) generations.push(Number(number[1]));
  }
  generations.sort((a, b) => b - a);
  const names = ['system', ...generations.slice(0, MAX_GENERATIONS).map((n) => `system-${n}-link`)];
  const entries: MenuEntry[] = [];
  const seen = new Set<ByteString>();
  for (const name of names) {
    ctx.budget.step();
    const place = `${profiles}/${name}`;
    const link = storePath(fs, place);
    if (link === undefined || seen.has(link)) continue;
    seen.add(link);
    const kernel = payload(guest.file(`${place}/kernel`, volume), true);
    if (!kernel.found) continue;
    const initrd = payload(guest.file(`${place}/initrd`, volume));
    const params = trimBlanks(readText(fs, `${place}/kernel-params`, ctx) ?? '');
    entries.push(
      plainEntry({
        title: `NixOS ${link.slice(link.lastIndexOf('/') + 1)} ${GUESSED}`,
        id: place,
        kernel: kernel.path,
        ramdisks: initrd.found ? [initrd.path] : [],
        args: `init=${link}/init${params === '' ? '' : ` ${params}`}`,
        notes: [`arguments from ${printable(place)}/kernel-params`],
        root: volume.name,
        load: (file) => guest.file(file, volume),
      }),
    );
  }
  return entries;
}

/** `/nix/store/…-nixos-system-…`, to which the profile's link leads, through the generation's. */
function storePath(fs: FileSystem, path: ByteString): ByteString | undefined {
  let at = path;
  for (let links = 0; links < 8; links++) {
    const node = tryWalk(fs, at, false);
    if (node?.kind !== 'symlink') return node?.kind === 'directory' && links > 0 ? at : undefined;
    const target = fs.readlink(node);
    at = target.startsWith('/') ? target : `${at.slice(0, at.lastIndexOf('/'))}/${target}`;
  }
  return undefined;
}
