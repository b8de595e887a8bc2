/** The operating systems on the volumes, and small files of theirs. */
import type { Volume } from '../boot/guest';
import { readText } from '../boot/system';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { type ByteString, toUnicode } from '../bytes/text';
import type { FileSystem } from '../fs/types';
import { tryWalk } from '../fs/walk';
import type { Content, SystemFacts } from './document';

/** Where a system's root is on its volume: btrfs has it in a subvolume. */
const ROOTS = ['', '/@', '/root', '/@rootfs'];

export interface System {
  readonly volume: Volume;
  readonly fs: FileSystem;
  /** `''`, or `/@` in a btrfs whose subvolume that is. */
  readonly root: ByteString;
  readonly name: string;
  readonly windows: boolean;
}

function exists(fs: FileSystem, path: ByteString): boolean {
  try {
    return tryWalk(fs, path) !== undefined;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

/** os-release(5): `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"`. */
function prettyName(text: ByteString): string {
  const line = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1] ?? /^NAME=(.*)$/m.exec(text)?.[1] ?? 'Linux';
  return toUnicode(line.trim().replace(/^(['"])(.*)\1$/, '$2')).slice(0, 200);
}

export function systemsOn(contents: ReadonlyMap<Volume, Content>, ctx: Context): System[] {
  const found: System[] = [];
  for (const [volume, content] of contents) {
    if (content.kind !== 'filesystem') continue;
    ctx.budget.step();
    let fs: FileSystem | undefined;
    try {
      fs = volume.filesystem();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
    if (!fs) continue;
    if (
      exists(fs, '/bootmgr') ||
      exists(fs, '/ntldr') ||
      exists(fs, '/EFI/Microsoft/Boot/bootmgfw.efi') ||
      exists(fs, '/Windows/System32')
    ) {
      const name = exists(fs, '/Windows/System32') ? 'Windows' : "Windows' boot manager";
      found.push({ volume, fs, root: '', name, windows: true });
      continue;
    }
    for (const root of content.type === 'btrfs' ? ROOTS : ['']) {
      const release =
        readText(fs, `${root}/etc/os-release`, ctx) ?? readText(fs, `${root}/usr/lib/os-release`, ctx);
      if (release === undefined && !exists(fs, `${root}/etc/fstab`)) continue;
      const name = release === undefined ? 'a system without /etc/os-release' : prettyName(release);
      found.push({ volume, fs, root, name, windows: false });
      break;
    }
  }
  return found;
}

export const systemFacts = (systems: readonly System[]): SystemFacts[] =>
  systems.map(({ volume, name }) => ({ volume: volume.name, name }));

/** The text of a small file of a system's; undefined when it has none, or it cannot be read. */
export const fileOf = (system: System, path: ByteString, ctx: Context): ByteString | undefined =>
  readText(system.fs, `${system.root}${path}`, ctx);

/** Files of a directory, at most 64, sorted by name. */
export function filesIn(system: System, directory: ByteString, ctx: Context): ByteString[] {
  const names: ByteString[] = [];
  try {
    const node = tryWalk(system.fs, system.root + directory);
    if (node?.kind !== 'directory') return [];
    for (const entry of system.fs.readdir(node)) {
      ctx.budget.step();
      if (names.length >= 64) break;
      names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return names.sort();
}

export const has = (system: System, path: ByteString): boolean => exists(system.fs, system.root + path);
