/**
 * FreeBSD: /boot/loader.conf and its kernels. Facts: loader.conf(5), loader(8), and the kernel's start under PVH
 * (sys/x86/xen/pv.c, sys/kern/subr_boot.c): the command line is a list of `name=value` and `-s` parted by commas.
 */
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { tryWalk } from '../../fs/walk';
import type { BootContext, ConfigFile } from '../model';
import { readFstab, readText } from '../system';
import { trimBlanks, wordsOf } from '../words';
import type { Candidate, Menu } from './menu';

/** `name="value"` lines, the last of a name counts; a name may hold dots and dashes. */
export function loaderVariables(text: ByteString, into: Map<ByteString, ByteString>, ctx: BootContext): void {
  for (const line of text.split('\n')) {
    ctx.budget.step(1 + (line.length >> 6));
    const given = /^[ \t]*([A-Za-z0-9_.%-]+)=(?:"((?:[^"\\]|\\.)*)"|([^ \t\r#"]*))/.exec(line);
    if (!given) continue;
    ctx.budget.allocate(line.length + 100);
    into.set(given[1]!, given[2] === undefined ? given[3]! : given[2].replace(/\\([\s\S])/g, '$1'));
  }
}

/** What the loader itself uses up: the rest of loader.conf is the kernel's environment. */
const OF_THE_LOADER =
  /^(?:kernel|kernels|kernels_autodetect|kernel_options|bootfile|module_path|module_blacklist|autoboot_delay|beastie_disable|entropy_.*|loader_.*|exec|password|bootlock_password|geom_eli_passphrase_prompt|screen\..*|efi_.*|.*_(?:load|name|type|flags|before|after|error))$/;

const MAX_KERNELS = 50;

export function freebsd(config: ConfigFile, ctx: BootContext): Menu {
  const { fs } = config;
  const warnings: string[] = [];
  const defaults = new Map<ByteString, ByteString>();
  loaderVariables(readText(fs, '/boot/defaults/loader.conf', ctx) ?? '', defaults, ctx);
  const own = new Map<ByteString, ByteString>();
  for (const name of ['/boot/loader.conf', '/boot/loader.conf.local'])
    loaderVariables(readText(fs, name, ctx) ?? '', own, ctx);
  const value = (name: string) => own.get(name) ?? defaults.get(name);

  const notes: string[] = [];
  const modules = [...own]
    .filter(([name, v]) => name.endsWith('_load') && /^yes$/i.test(v))
    .map(([name]) => name.slice(0, -5));
  if (modules.length > 0)
    notes.push(
      `modules of loader.conf are not loaded without FreeBSD's loader: ${printable(modules.join(' '), 200)}`,
    );
  const environment: ByteString[] = [];
  if (!own.has('vfs.root.mountfrom')) {
    const root = readFstab(fs, '', ctx).find((mount) => mount.point === '/');
    if (root && root.type !== '') environment.push(`vfs.root.mountfrom=${root.type}:${root.spec}`);
    else notes.push("nothing says where '/' is: vfs.root.mountfrom is not set");
  }
  for (const [name, v] of own) {
    if (OF_THE_LOADER.test(name) || v === '') continue;
    // Blanks and commas end a setting, and there are no quotes.
    if (/[ \t\n,]/.test(v))
      notes.push(
        `${printable(name)} of loader.conf cannot be given to the kernel: it holds a blank or comma`,
      );
    else environment.push(`${name}=${v}`);
  }
  const options = wordsOf(value('kernel_options') ?? '');
  const args = [...environment, ...options].join(',');

  const chosen = value('kernel') ?? 'kernel';
  const file = value('bootfile')?.split(/[;, ]/)[0] || 'kernel';
  const place = (name: ByteString) => (name.startsWith('/') ? name : `/boot/${name}/${file}`);
  const names = [chosen, ...wordsOf((value('kernels') ?? 'kernel kernel.old').replaceAll(',', ' '))];
  if (!/^no$/i.test(value('kernels_autodetect') ?? 'YES')) names.push(...kernelsIn(config, file, ctx));
  const seen = new Set<ByteString>();
  const candidates: Candidate[] = [];
  for (const name of names) {
    const kernel = place(name);
    if (seen.has(kernel) || candidates.length >= MAX_KERNELS) continue;
    seen.add(kernel);
    // What loader.conf chooses is listed even when it is not there; of the others only what is.
    if (name !== chosen && !exists(config, kernel)) continue;
    candidates.push({ title: `FreeBSD (${name})`, kernel, args, notes });
  }
  const delay = value('autoboot_delay') ?? '10';
  const timeout = /^no$/i.test(delay) ? -1 : Number.parseInt(trimBlanks(delay), 10);
  return {
    candidates,
    default: 0,
    timeout: Number.isNaN(timeout) ? 10 : Math.max(timeout, -1),
    warnings,
    mergeArgs,
  };
}

/** `--args`, with commas: kernels before 13 know no other separator. */
const mergeArgs = (args: ByteString, added: ByteString): ByteString =>
  [...(args === '' ? [] : [args]), ...wordsOf(added)].join(',');

function exists(config: ConfigFile, path: ByteString): boolean {
  try {
    return tryWalk(config.fs, path)?.kind === 'file';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

/** Directories of /boot that hold a kernel (`kernels_autodetect`). */
function kernelsIn(config: ConfigFile, file: ByteString, ctx: BootContext): ByteString[] {
  const names: ByteString[] = [];
  try {
    const dir = tryWalk(config.fs, '/boot');
    if (dir?.kind !== 'directory') return [];
    for (const { name } of config.fs.readdir(dir)) {
      ctx.budget.step();
      if (names.length < MAX_KERNELS && exists(config, `/boot/${name}/${file}`)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return names.sort();
}
