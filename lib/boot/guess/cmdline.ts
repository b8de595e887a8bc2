/** The arguments that a kernel without a boot configuration most likely wants, from what else the guest says. */
import type { Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { FileSystem } from '../../fs/types';
import { tryWalk } from '../../fs/walk';
import type { Guest, Volume } from '../guest';
import { SUBVOLUMES } from '../subvolumes';
import { findVolume, readText, SystemFiles, xenDevice } from '../system';
import { wordsOf } from '../words';

/** A volume that holds an installed system. */
export interface System {
  readonly volume: Volume;
  readonly fs: FileSystem;
  /** Directory that becomes `/`: `''`, or `/@` for a btrfs subvolume. */
  readonly root: ByteString;
  readonly files: SystemFiles;
}

/** The system on this volume, or undefined when it holds none. */
export function systemOn(guest: Guest, volume: Volume, ctx: Context): System | undefined {
  try {
    const fs = volume.filesystem();
    if (!fs) return undefined;
    for (const root of fs.type === 'btrfs' ? ['', ...SUBVOLUMES] : ['']) {
      if (tryWalk(fs, `${root}/etc`)?.kind !== 'directory') continue;
      const marks = ['/etc/fstab', '/sbin/init', '/etc/os-release', '/etc/inittab', '/bin/sh'];
      if (marks.some((mark) => tryWalk(fs, root + mark, false)))
        return { volume, fs, root, files: new SystemFiles(guest, volume, ctx, root) };
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return undefined;
}

/** The words of a command line in a file: lines joined, comments left out (kernel-install(8)). */
function commandWords(text: ByteString): ByteString {
  const lines = text.split('\n').filter((line) => !/^[ \t]*#/.test(line));
  return wordsOf(lines.join(' ').replaceAll('\0', ' ')).join(' ');
}

/**
 * `KEY=value` lines of a shell fragment, as far as they need no shell: quotes, `\`, `$KEY` of lines before. A value
 * with a command in it (`$(…)`, backquotes) leaves the variable as it was.
 */
export function shellVariables(
  text: ByteString,
  ctx: Context,
  variables = new Map<ByteString, ByteString>(),
) {
  for (const line of text.replaceAll('\\\n', '').split('\n')) {
    ctx.budget.step(1 + (line.length >> 6));
    const assignment = /^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)(\+?)=/.exec(line);
    if (!assignment) continue;
    const value = shellWord(line.slice(assignment[0].length), variables);
    if (value === undefined) continue;
    const name = assignment[1]!;
    const before = assignment[2] === '+' ? (variables.get(name) ?? '') : '';
    // Values that double themselves line by line end here.
    if (before.length + value.length <= MAX_VALUE) variables.set(name, before + value);
  }
  return variables;
}

const MAX_VALUE = 64 * 1024;

function shellWord(text: ByteString, variables: ReadonlyMap<ByteString, ByteString>): ByteString | undefined {
  let value = '';
  let quote = '';
  for (let i = 0; i < text.length && value.length <= MAX_VALUE; i++) {
    const c = text[i]!;
    if (quote === "'") {
      if (c === "'") quote = '';
      else value += c;
    } else if (c === '"') quote = quote === '' ? c : '';
    else if (c === "'" && quote === '') quote = c;
    else if (c === '\\') {
      const next = text[++i] ?? '';
      value += quote === '' || '"\\$`'.includes(next) ? next : c + next;
    } else if (c === '`') return undefined;
    else if (c === '$') {
      const name = /^\$(?:(\w+)|\{(\w+)\})/.exec(text.slice(i, i + 200));
      if (!name) {
        if (/[({]/.test(text[i + 1] ?? '')) return undefined;
        value += c;
        continue;
      }
      value += variables.get((name[1] ?? name[2])!) ?? '';
      i += name[0].length - 1;
    } else if (quote === '' && /[ \t\r\n;&|#]/.test(c)) {
      if (c !== '#' || /[ \t]/.test(text[i - 1] ?? ' ')) break;
      value += c;
    } else value += c;
  }
  return quote === '' ? value : undefined;
}

/** Where a command line was found, and it. */
interface Source {
  readonly args: ByteString;
  readonly from: ByteString;
}

function written(system: System, ctx: Context): Source | undefined {
  for (const path of ['/etc/kernel/cmdline', '/usr/lib/kernel/cmdline', '/etc/cmdline']) {
    const text = readText(system.fs, system.root + path, ctx);
    const args = text === undefined ? '' : commandWords(text);
    if (args !== '') return { args, from: path };
  }
  const text = readText(system.fs, `${system.root}/etc/default/grub`, ctx);
  if (text === undefined) return undefined;
  const variables = shellVariables(text, ctx);
  for (const more of grubFragments(system, ctx)) shellVariables(more, ctx, variables);
  const args = ['GRUB_CMDLINE_LINUX', 'GRUB_CMDLINE_LINUX_DEFAULT'].map((name) => variables.get(name) ?? '');
  return { args: wordsOf(args.join(' ')).join(' '), from: '/etc/default/grub' };
}

/** Debian's grub-mkconfig reads `/etc/default/grub.d/*.cfg` after `/etc/default/grub`. */
function* grubFragments(system: System, ctx: Context): Generator<ByteString> {
  const path = `${system.root}/etc/default/grub.d`;
  const names: ByteString[] = [];
  try {
    const dir = tryWalk(system.fs, path);
    if (dir?.kind !== 'directory') return;
    for (const entry of system.fs.readdir(dir)) {
      ctx.budget.step();
      if (entry.name.endsWith('.cfg') && !entry.name.startsWith('.') && names.length < 100)
        names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  for (const name of names.sort()) {
    const text = readText(system.fs, `${path}/${name}`, ctx);
    if (text !== undefined) yield text;
  }
}

export interface CommandLine {
  readonly args: ByteString;
  readonly notes: readonly string[];
}

/** What finds `root=`: the kernel alone knows devices and partitions, a ramdisk knows labels and UUIDs too. */
function rootDevice(guest: Guest, system: System, initrd: boolean, notes: string[]): ByteString {
  const line = system.files.mounts.find((mount) => mount.point === '/');
  const usable =
    line && /^(?:(?:PART)?(?:UUID|LABEL)=.|\/dev\/(?!root$).)/.test(line.spec) ? line.spec : undefined;
  const { volume, fs } = system;
  if (usable !== undefined) {
    if (initrd || !/^(?:(?:UUID|LABEL|PARTLABEL)=|\/dev\/(?:disk|mapper)\/)/.test(usable)) return usable;
    const device = xenDevice(guest, findVolume(guest, usable) ?? volume);
    notes.push(`without a ramdisk the kernel cannot find ${printable(usable)}: root=${device} is a guess`);
    return device;
  }
  if (initrd && fs.uuid) return `UUID=${fs.uuid}`;
  const device = xenDevice(guest, volume);
  notes.push(`root=${device} is a guess`);
  return device;
}

/** Everything but the title of a guess. */
export function commandLine(
  guest: Guest,
  system: System | undefined,
  initrd: boolean,
  ctx: Context,
): CommandLine {
  if (!system) return { args: '', notes: ['no volume looks like a root, so there is no root= argument'] };
  const notes: string[] = [];
  const source = written(system, ctx);
  const words = wordsOf(source?.args ?? '');
  const has = (pattern: RegExp) => words.some((word) => pattern.test(word));
  const added: ByteString[] = [];
  if (!has(/^root=/)) {
    const device = rootDevice(guest, system, initrd, notes);
    // The kernel takes quotes off (lib/cmdline.c, next_arg).
    added.push(device.includes(' ') ? `root="${device}"` : `root=${device}`);
    const subvolume =
      system.root === ''
        ? system.files.mounts
            .find((mount) => mount.point === '/' && mount.type === 'btrfs')
            ?.options.find((option) => option.startsWith('subvol='))
            ?.slice('subvol='.length)
        : system.root.slice(1);
    if (subvolume && !has(/^rootflags=/)) added.push(`rootflags=subvol=${subvolume}`);
  }
  if (!has(/^r[ow]$/)) added.push('ro');
  notes.push(source ? `arguments from ${printable(source.from)}` : 'no arguments are written anywhere');
  return { args: [...added, ...words].join(' '), notes };
}
