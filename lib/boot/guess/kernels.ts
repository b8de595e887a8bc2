/** Kernels that lie about in a guest, newest first, and the ramdisk that belongs to each. */
import type { Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import type { FileSystem } from '../../fs/types';
import { tryWalk } from '../../fs/walk';
import { HEAD_BYTES, kernelKind, readRange } from '../../kernel/head';
import { compareRpm } from '../bls/version';
import { payload } from '../guest';
import type { GuestFile } from '../model';
import type { SystemFiles } from '../system';

export interface Kernel {
  readonly file: GuestFile;
  /** What follows `vmlinuz-` in its name, or in the name that a link leads to: `6.1.0-18-amd64`; may be empty. */
  readonly release: ByteString;
  readonly initrd: GuestFile | undefined;
}

/** Files looked at in one directory, and kernels offered; a guest has a handful. */
const MAX_NAMES = 20_000;
const MAX_KERNELS = 100;

const NAME = /^(?:vmlinu[xz]|b?zImage|Image|kernel|linux)(?:[-_.](.+))?$/;
/** Signatures, checksums, configurations and leftovers of package managers beside the kernels. */
const NEVER =
  /(?:\.(?:sig|sign|signed|signature|asc|hmac|sha\d+\w*|md5\w*|conf|config|cfg|txt|map|dpkg-\w+|rpm\w+|c32|efi|mod|elf32)|~)$/i;
/** Last in the list: kept for a bad day, or for another purpose. */
const LAST = /rescue|recovery|kdump|crash|(?:^|[-_.])(?:old|bak|orig|failed)$/i;

/** The directory's names, or none where it cannot be read. */
function namesIn(fs: FileSystem, path: ByteString, ctx: Context): Set<ByteString> {
  const names = new Set<ByteString>();
  try {
    const dir = tryWalk(fs, path);
    if (dir?.kind !== 'directory') return names;
    for (const entry of fs.readdir(dir)) {
      ctx.budget.step();
      if (names.size >= MAX_NAMES) break;
      names.add(entry.name);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return names;
}

/** `Linux` is not `6.1`: from the first number with a dot on, or nothing. */
const versionOf = (release: ByteString): ByteString => /\d+\.\d[\s\S]*$/.exec(release)?.[0] ?? '';

interface Found extends Kernel {
  readonly name: ByteString;
  /** Where in the list: the guest's own choice (a name without a version), versions, what is kept for a bad day. */
  readonly group: number;
}

/** Newest first; of one version, compressed ones first (SUSE keeps `vmlinux-…gz` for debuggers). */
function compare(a: Found, b: Found): number {
  if (a.group !== b.group) return a.group - b.group;
  const [x, y] = [versionOf(a.release), versionOf(b.release)];
  if (x === '' || y === '') return Number(x !== '') - Number(y !== '') || a.name.length - b.name.length;
  const debug = (name: ByteString) => Number(name.startsWith('vmlinux'));
  return compareRpm(y, x) || debug(a.name) - debug(b.name) || a.name.length - b.name.length;
}

/** Names that a ramdisk of this kernel may have, the usual first: Debian, Fedora and Arch, SUSE, Alpine, Gentoo … */
function initrdNames(release: ByteString): ByteString[] {
  const old = /^(|.*[^-_.])[-_.]?old$/.exec(release);
  if (release === '' || old?.[1] === '') {
    const end = old ? '.old' : '';
    return ['initrd.img', 'initrd', 'initramfs.img', 'initramfs', 'initrd.gz', 'initramfs.gz'].map(
      (name) => name + end,
    );
  }
  const r = release;
  const names = [
    `initrd.img-${r}`,
    `initramfs-${r}.img`,
    `initrd-${r}`,
    `initrd-${r}.img`,
    `initramfs-${r}`,
    `initrd-${r}.gz`,
    `initramfs-${r}.gz`,
    `initrd.img.${r}`,
    `initramfs-genkernel-${r}`,
  ];
  // Slackware: the huge kernel has what it needs, the generic one wants the one ramdisk that there is.
  return /^generic\b/.test(r) ? [...names, 'initrd.gz'] : names;
}

function isKernel(file: GuestFile, ctx: Context): boolean {
  const { found } = payload(file, true);
  if (!found) return false;
  try {
    return kernelKind(readRange(found.fs, found.node, 0, HEAD_BYTES, ctx)) !== undefined;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

/** The last component of the name that a link in `dir` leads to, through links. */
function finalName(fs: FileSystem, path: ByteString): ByteString {
  let at = path;
  for (let links = 0; links < 8; links++) {
    const node = tryWalk(fs, at, false);
    if (node?.kind !== 'symlink') break;
    const target = fs.readlink(node);
    at = target.startsWith('/') ? target : `${at.slice(0, at.lastIndexOf('/'))}/${target}`;
  }
  return at.slice(at.lastIndexOf('/') + 1);
}

/** @param places directories of the system, `''` for the root */
export function kernelsIn(
  files: SystemFiles,
  root: ByteString,
  places: readonly ByteString[],
  ctx: Context,
): Kernel[] {
  const fs = files.volume.filesystem();
  if (!fs) return [];
  const names = new Map(places.map((place) => [place, namesIn(fs, `${root}${place}/`, ctx)]));
  const found: Found[] = [];
  const seen = new Set<string>();
  for (const [place, inPlace] of names) {
    const candidates = [...inPlace].filter((name) => NAME.test(name) && !NEVER.test(name));
    // Names without a version first: a link hides the file that it leads to.
    candidates.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    for (const name of candidates) {
      ctx.budget.step();
      if (found.length >= MAX_KERNELS) break;
      const file = files.file(`${place}/${name}`);
      if (!isKernel(file, ctx)) continue;
      const identity = `${file.volume?.name} ${file.found!.node.id}`;
      if (seen.has(identity)) continue;
      seen.add(identity);
      const own = NAME.exec(name)![1] ?? '';
      const final = finalName(fs, `${root}${place}/${name}`);
      const release = final === name ? own : (NAME.exec(final)?.[1] ?? own);
      const initrd = initrdOf(files, names, place, own, release, inPlace);
      const group = LAST.test(own) ? 2 : own === '' ? 0 : 1;
      found.push({ name, file, release, initrd, group });
    }
  }
  // The sort is stable: of equals, the first place wins.
  return found.sort(compare);
}

/** Beside the kernel under the name that goes with the kernel's own, else under the name of what a link leads to. */
function initrdOf(
  files: SystemFiles,
  names: ReadonlyMap<ByteString, ReadonlySet<ByteString>>,
  place: ByteString,
  own: ByteString,
  release: ByteString,
  inPlace: ReadonlySet<ByteString>,
): GuestFile | undefined {
  const tries: [place: ByteString, name: ByteString][] = [];
  for (const name of initrdNames(own)) if (inPlace.has(name)) tries.push([place, name]);
  if (release !== own)
    for (const [dir, there] of names)
      for (const name of initrdNames(release)) if (there.has(name)) tries.push([dir, name]);
  for (const [dir, name] of tries) {
    const file = payload(files.file(`${dir}/${name}`));
    if (file.found && file.found.node.size > 0) return file;
  }
  return undefined;
}
