/**
 * A guest's disks as its running system sees them: /etc/fstab, names of devices, and paths that may lead to another
 * volume because something is mounted there. For configurations that are read by an installer inside the guest
 * (lilo.conf, yaboot.conf) and for guesses; boot loaders that look at one volume have no use for it.
 */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import { type ByteString, fromBytes, printable } from '../bytes/text';
import { readWhole } from '../fs/file';
import type { FileSystem } from '../fs/types';
import { tryWalk } from '../fs/walk';
import type { Guest, Volume } from './guest';
import type { GuestFile } from './model';
import { wordsOf } from './words';

/** One line of fstab(5). */
export interface Mount {
  /** As written: `UUID=…`, `LABEL=…`, `/dev/xvda1`. */
  readonly spec: ByteString;
  readonly point: ByteString;
  readonly type: ByteString;
  readonly options: readonly ByteString[];
}

/** Links that are followed by hand, from one volume to another. */
const MAX_LINKS = 8;
/** Lines of fstab that are kept: each file that is looked for may ask them all. */
const MAX_MOUNTS = 256;

/** A text file of at most `smallFileBytes` (limits.ts), or undefined when it is not there or cannot be read. */
export function readText(fs: FileSystem, path: ByteString, ctx: Context): ByteString | undefined {
  try {
    const node = tryWalk(fs, path);
    if (node?.kind !== 'file') return undefined;
    return fromBytes(readWhole(fs, node, 'smallFileBytes', ctx));
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
}

/** @param root the directory that is the system's root: `''`, or `/@` in a btrfs whose subvolume that is */
export function readFstab(fs: FileSystem, root: ByteString, ctx: Context): Mount[] {
  const mounts: Mount[] = [];
  for (const line of (readText(fs, `${root}/etc/fstab`, ctx) ?? '').split('\n')) {
    ctx.budget.step();
    const words = wordsOf(line);
    if (words.length < 2 || words[0]!.startsWith('#')) continue;
    if (mounts.length >= MAX_MOUNTS) break;
    const [spec, point, type = '', options = ''] = words.map((word) =>
      word.replace(/\\(0[0-7]{2}|1[0-7]{2})/g, (_, digits) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      ),
    );
    mounts.push({
      spec: spec!.replace(/^([A-Z]+=)"(.*)"$/, '$1$2'),
      point: point!.length > 1 ? point!.replace(/\/+$/, '') : point!,
      type,
      options: options.split(','),
    });
  }
  return mounts;
}

function matching(guest: Guest, matches: (volume: Volume, fs: () => FileSystem | undefined) => boolean) {
  for (const volume of guest.volumes()) {
    const fs = () => {
      try {
        return volume.filesystem();
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        return undefined;
      }
    };
    if (matches(volume, fs)) return volume;
  }
  return undefined;
}

/** The volume that fstab, `root=` and the like mean, or undefined when it is not among the guest's disks. */
export function findVolume(guest: Guest, spec: ByteString): Volume | undefined {
  const tag = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)$/.exec(spec) ?? byLink(spec);
  if (tag) {
    const value = tag[2]!;
    const same = (text: string | undefined) => text?.toLowerCase() === value.toLowerCase();
    switch (tag[1]) {
      case 'UUID':
        return matching(guest, (_, fs) => same(fs()?.uuid));
      case 'LABEL':
        return matching(guest, (_, fs) => fs()?.label === value);
      case 'PARTUUID':
        return matching(guest, (volume) => same(volume.partition?.uuid));
      default:
        return matching(guest, (volume) => volume.partition?.label === value);
    }
  }
  const numbered = /^\/dev\/(?:nvme|mmcblk)(\d)(?:n1)?p(\d+)$/.exec(spec);
  return guest.device(numbered ? `hd${numbered[1]},${numbered[2]}` : spec);
}

/** `/dev/disk/by-uuid/X` is `UUID=X`. */
function byLink(spec: ByteString): string[] | undefined {
  const link = /^\/dev\/disk\/by-(uuid|label|partuuid|partlabel)\/(.+)$/.exec(spec);
  return link ? ['', link[1]!.toUpperCase(), link[2]!] : undefined;
}

/** `/dev/xvda2`: what a Xen guest calls the volume, if its disks are given in order. */
export function xenDevice(guest: Guest, volume: Volume): ByteString {
  const index = guest.disks.findIndex((disk) => disk.name === volume.disk);
  return `/dev/xvd${String.fromCharCode(97 + Math.max(0, index))}${volume.partition?.number ?? ''}`;
}

/** Files by the names that the system whose root is on `volume` gives them. */
export class SystemFiles {
  #mounts: readonly Mount[] | undefined;
  readonly #volumes = new Map<Mount, Volume | undefined>();

  constructor(
    readonly guest: Guest,
    readonly volume: Volume,
    private readonly ctx: Context,
    private readonly root: ByteString = '',
  ) {}

  get mounts(): readonly Mount[] {
    if (!this.#mounts) {
      const fs = this.volume.filesystem();
      this.#mounts = fs ? readFstab(fs, this.root, this.ctx) : [];
    }
    return this.#mounts;
  }

  /**
   * On this volume; else, when /etc/fstab mounts a volume above the path, there; links are followed from one to the
   * other. Never throws a GuestError: the result says why the file was not found.
   */
  file(path: ByteString): GuestFile {
    const here = this.guest.file(this.root + path, this.volume);
    return here.found || here.volume !== this.volume ? here : (this.#elsewhere(path, MAX_LINKS) ?? here);
  }

  #elsewhere(path: ByteString, links: number): GuestFile | undefined {
    const name = normal(path);
    let deepest: Mount | undefined;
    for (const mount of this.mounts) {
      const above = mount.point !== '/' && name.startsWith(`${mount.point}/`);
      if (above && mount.point.length > (deepest?.point.length ?? 0)) deepest = mount;
    }
    const volume = deepest && this.#volumeOf(deepest);
    if (deepest && volume && volume !== this.volume) {
      const file = this.guest.file(name.slice(deepest.point.length), volume);
      if (file.found) return file;
    }
    const target = links > 0 ? this.#link(name) : undefined;
    if (target !== undefined) {
      const file = this.guest.file(this.root + target, this.volume);
      return file.found ? file : this.#elsewhere(target, links - 1);
    }
    if (deepest && !volume) {
      const problem = `${printable(name)}: ${printable(deepest.point)} is ${printable(deepest.spec)} by /etc/fstab, which is not among the disks`;
      return { volume: this.volume, path: name, problem };
    }
    // The configuration itself lies on the volume that is mounted at /boot.
    if (name.startsWith('/boot/')) {
      const file = this.guest.file(name.slice('/boot'.length), this.volume);
      if (file.found) return file;
    }
    return undefined;
  }

  #volumeOf(mount: Mount): Volume | undefined {
    if (!this.#volumes.has(mount)) this.#volumes.set(mount, findVolume(this.guest, mount.spec));
    return this.#volumes.get(mount);
  }

  /** Where a symbolic link leads, absolute; undefined when `name` is none. */
  #link(name: ByteString): ByteString | undefined {
    try {
      const fs = this.volume.filesystem();
      const node = fs && tryWalk(fs, this.root + name, false);
      if (!fs || node?.kind !== 'symlink') return undefined;
      const target = fs.readlink(node);
      return normal(target.startsWith('/') ? target : `${name.slice(0, name.lastIndexOf('/'))}/${target}`);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return undefined;
    }
  }
}

/** `/boot/../x//y` → `/x/y` */
function normal(path: ByteString): ByteString {
  const parts: ByteString[] = [];
  for (const part of path.slice(0, LIMITS.pathBytes).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
