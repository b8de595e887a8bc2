/** The kernel that would boot: what it is, how Xen can start it, and what its own configuration says of Xen's drivers. */
import type { GuestFile } from '../boot/model';
import { readText } from '../boot/system';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { type ByteString, toUnicode } from '../bytes/text';
import type { FileSystem } from '../fs/types';
import { advice as adviceOnKernel, refusal } from '../kernel/advice';
import { guestKernel } from '../kernel/file';
import { inspectKernel } from '../kernel/inspect';
import type { DriverFacts, KernelFacts } from './document';
import { filesIn, type System } from './systems';

const UNKNOWN: DriverFacts = { blkfront: null, netfront: null, pv: null, pvh: null, source: null };

/** `/boot/vmlinuz-6.1.0-18-amd64` → `6.1.0-18-amd64` */
const releaseIn = (path: ByteString): ByteString | undefined =>
  /\/(?:vmlinu[xz]|kernel|bzImage|Image|linux)-([^/]+)$/.exec(path)?.[1]?.replace(/\.(?:gz|efi)$/, '');

/** @param systems where the kernel's modules may be */
export function kernelFacts(file: GuestFile, systems: readonly System[], ctx: Context): KernelFacts {
  const { found } = file;
  const named = releaseIn(file.path);
  const facts: KernelFacts = {
    volume: file.volume?.name ?? null,
    path: toUnicode(file.path),
    size: found?.node.size ?? 0,
    format: null,
    compression: null,
    release: named === undefined ? null : toUnicode(named),
    machine: null,
    pv: null,
    pvh: null,
    layers: [],
    features: [],
    efiStub: false,
    notes: [],
    problem: null,
    drivers: named === undefined ? UNKNOWN : driversOf(named, file, systems, ctx),
  };
  if (!found) return facts;
  try {
    const kernel = inspectKernel(guestKernel(found.fs, found.node, 'kernel', ctx), ctx);
    const { format, version, examined, pv, pvh, hypervisor } = kernel;
    const release = version === undefined ? undefined : toUnicode(version).trim().split(/\s/)[0];
    const able = (start: object | undefined): boolean | null =>
      start !== undefined ? true : examined || hypervisor || refusal(kernel, 'any') ? false : null;
    return {
      ...facts,
      format: format === 'unknown' ? null : format,
      layers: kernel.layers,
      compression: kernel.compression === 'none' ? null : (kernel.compression ?? null),
      release: release || facts.release,
      machine: kernel.architecture ?? null,
      pv: able(pv),
      // Xen starts an Image as it is; there are no notes in it.
      pvh: format === 'Image' ? true : able(pvh),
      features: (pv?.features ?? []).map(toUnicode),
      efiStub: kernel.efiStub,
      notes: adviceOnKernel(kernel),
    };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return { ...facts, problem: error.describe() };
  }
}

/** Where distributions put a kernel's configuration: beside it, or beside its modules. */
function configuration(
  release: ByteString,
  file: GuestFile,
  systems: readonly System[],
  ctx: Context,
): { text: ByteString; place: string } | undefined {
  const beside = file.path.slice(0, file.path.lastIndexOf('/'));
  const look = (fs: FileSystem, path: ByteString, volume: string) => {
    const text = readText(fs, path, ctx);
    return text === undefined ? undefined : { text, place: `(${volume})${toUnicode(path)}` };
  };
  const own = file.found && look(file.found.fs, `${beside}/config-${release}`, file.volume?.name ?? '');
  if (own) return own;
  for (const { fs, root, volume } of systems) {
    for (const path of [
      `/boot/config-${release}`,
      `/lib/modules/${release}/config`,
      `/usr/lib/modules/${release}/config`,
    ]) {
      const text = look(fs, root + path, volume.name);
      if (text) return text;
    }
  }
  return undefined;
}

function driversOf(
  release: ByteString,
  file: GuestFile,
  systems: readonly System[],
  ctx: Context,
): DriverFacts {
  const config = configuration(release, file, systems, ctx);
  if (config) {
    const value = (name: string) => new RegExp(`^CONFIG_${name}=([ym])$`, 'm').exec(config.text)?.[1];
    const driver = (name: string) => {
      const set = value(name);
      return set === 'y' ? 'built in' : set === 'm' ? 'module' : 'absent';
    };
    // A file of this name that is no kernel's configuration says nothing.
    if (/^CONFIG_\w+=/m.test(config.text))
      return {
        blkfront: driver('XEN_BLKDEV_FRONTEND'),
        netfront: driver('XEN_NETDEV_FRONTEND'),
        pv: value('XEN_PV') === 'y',
        pvh: value('PVH') === 'y' || value('XEN_PVH') === 'y',
        source: config.place,
      };
  }
  for (const system of systems) {
    const folder = [`/lib/modules/${release}`, `/usr/lib/modules/${release}`].find(
      (path) => readText(system.fs, `${system.root}${path}/modules.builtin`, ctx) !== undefined,
    );
    if (folder === undefined) continue;
    const builtIn = readText(system.fs, `${system.root}${folder}/modules.builtin`, ctx)!;
    const driver = (path: string, directory: string) => {
      if (builtIn.includes(path)) return 'built in';
      const name = path.replace(/^.*\//, '');
      return filesIn(system, `${folder}/kernel/${directory}`, ctx).some((entry) => entry.startsWith(name))
        ? 'module'
        : null;
    };
    return {
      ...UNKNOWN,
      blkfront: driver('drivers/block/xen-blkfront.ko', 'drivers/block'),
      netfront: driver('drivers/net/xen-netfront.ko', 'drivers/net'),
      source: `(${system.volume.name})${toUnicode(system.root + folder)}`,
    };
  }
  return UNKNOWN;
}
