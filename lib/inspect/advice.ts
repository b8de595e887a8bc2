/**
 * What an admin who brings the guest to Xen has to do, or to know. Every sentence says what was seen and where; what was not looked
 * at (the inside of ramdisks) is said too.
 */
import type { Guest, Volume } from '../boot/guest';
import { findVolume, readFstab, xenDevice } from '../boot/system';
import type { Context } from '../bytes/budget';
import { fromHost, printable, toUnicode } from '../bytes/text';
import type { Advice, BootFacts, Content, DiskFacts, KernelFacts } from './document';
import { fileOf, filesIn, has, type System } from './systems';

export interface Known {
  readonly guest: Guest;
  readonly disks: readonly DiskFacts[];
  readonly contents: ReadonlyMap<Volume, Content>;
  readonly systems: readonly System[];
  readonly boot: BootFacts | null;
  /** Of the configuration that boots: `sdboot`, `bls` … */
  readonly dialect: string | null;
  readonly kernel: KernelFacts | null;
}

/** Disks that another hypervisor, or a real machine, gives its guests: IDE, SCSI and SATA, virtio, NVMe. */
const FOREIGN_DISK = /^\/dev\/(?:[shv]d[a-z]+\d*|nvme\d+n\d+(?:p\d+)?)$/;

const shown = (text: string): string => printable(fromHost(text), 200);

/** What stands in a place of `/dev/sda1`, whatever the disk is called. */
function lasting(volume: Volume | undefined, known: Known): string | undefined {
  const content = volume && known.contents.get(volume);
  if (!volume || !content) return undefined;
  const uuid = content.uuid ?? undefined;
  const name = toUnicode(xenDevice(known.guest, volume));
  // GRUB's and Linux' UUID of these differ, or there is none.
  if (uuid === undefined || /^(hfsplus|udf|squashfs|zfs)/.test(content.type ?? '')) return name;
  return `UUID=${uuid}`;
}

export function advice(known: Known, ctx: Context): Advice[] {
  const list: Advice[] = [];
  const say = (level: Advice['level'], seen: string, change: string | null = null): void =>
    void list.push({ level, seen, change });
  windows(known, say);
  cutDisks(known, say);
  if (known.boot) {
    rootArgument(known, known.boot, say);
    consoles(known.boot, say);
    kernelDrivers(known, say);
    unified(known, known.boot, say);
  }
  const system = rootSystem(known);
  if (system && known.boot) {
    fstab(known, system, ctx, say);
    logins(system, ctx, say);
    network(system, ctx, say);
  }
  if (known.boot) ramdisks(known, system, ctx, say);
  const rank = { needed: 0, advised: 1, note: 2 };
  return list.sort((a, b) => rank[a.level] - rank[b.level]);
}

type Say = (level: Advice['level'], seen: string, change?: string | null) => void;

function windows({ systems, boot }: Known, say: Say): void {
  const found = systems.find((system) => system.windows);
  if (!found) return;
  say(
    boot ? 'note' : 'needed',
    `${found.volume.name} holds ${found.name}, which boots as an HVM guest only`,
    boot ? null : 'type="hvm", without bootloader=; then install Xen\'s PV drivers for Windows in the guest',
  );
}

/** What `root=` means: a filesystem, LVM's or md's names too. */
function volumeOf(known: Known, spec: string): Volume | undefined {
  const { guest } = known;
  const mapped = /^\/dev\/mapper\/([^/]+)$/.exec(spec)?.[1];
  if (mapped !== undefined) return guest.device(`lvm/${mapped}`);
  const logical = /^\/dev\/([^/]+)\/([^/]+)$/.exec(spec);
  if (logical && !/^(disk|mapper|md)$/.test(logical[1]!)) {
    const double = (word: string) => word.replaceAll('-', '--');
    return guest.device(`lvm/${double(logical[1]!)}-${double(logical[2]!)}`);
  }
  return findVolume(guest, spec);
}

const words = (args: string): string[] => args.split(/\s+/).filter(Boolean);
const lastOf = (args: string, name: string): string | undefined =>
  words(args)
    .filter((word) => word.startsWith(`${name}=`))
    .at(-1)
    ?.slice(name.length + 1);

function rootArgument(known: Known, { args }: BootFacts, say: Say): void {
  const root = lastOf(args, 'root');
  if (root === undefined) return;
  const volume = volumeOf(known, root);
  if (FOREIGN_DISK.test(root)) {
    const instead = lasting(volume, known);
    say(
      'needed',
      `the arguments say root=${shown(root)}; as vdev=xvda the disk is /dev/xvda in a PV or PVH guest${
        volume ? '' : ', and there is no such partition on the given disks'
      }`,
      `${instead === undefined ? 'root=UUID=…' : `root=${shown(instead)}`} in the guest's boot configuration (Debian, Ubuntu: update-grub; Fedora, RHEL: grubby), or at once: extra="root=${instead === undefined ? 'UUID=…' : shown(instead)}" in the xl.cfg`,
    );
  } else if (!volume && /^(UUID|LABEL|PARTUUID|PARTLABEL)=|^\/dev\/(xvd|disk\/|mapper\/)/.test(root)) {
    const closed = [...known.contents.values()].some((content) => content.kind === 'encrypted');
    say(
      closed ? 'note' : 'needed',
      `the arguments say root=${shown(root)}, which is on none of the given disks${closed ? ' as far as they are open' : ''}`,
      closed ? null : 'name all disks of the guest (further operands), or correct root=',
    );
  }
  for (const word of words(args)) {
    const [name, value = ''] = word.split(/=(.*)/s);
    const device = /^\/dev\/[^:,]+/.exec(value)?.[0];
    if (name !== 'root' && device !== undefined && FOREIGN_DISK.test(device))
      say(
        name === 'resume' ? 'advised' : 'needed',
        `the arguments say ${shown(word)}: in a PV or PVH guest there is no ${shown(device)}`,
        `${lasting(findVolume(known.guest, device), known) ?? 'UUID=…'} in place of ${shown(device)}`,
      );
  }
}

function consoles({ args }: BootFacts, say: Say): void {
  const named = words(args).filter((word) => word.startsWith('console='));
  if (named.some((word) => /^console=hvc0?\b/.test(word) || word.startsWith('console=xen'))) return;
  const extra = 'extra="console=hvc0" in the xl.cfg, or in the guest\'s boot configuration';
  if (named.length === 0)
    say(
      'note',
      'the arguments name no console: a PV guest takes hvc0, where xl console shows it, by itself',
      extra,
    );
  else
    say(
      'advised',
      `the arguments say ${shown(named.join(' '))}: xl console shows hvc0, and nothing of what goes there`,
      extra,
    );
}

function kernelDrivers({ kernel }: Known, say: Say): void {
  if (!kernel) return;
  if (kernel.pv === false && kernel.pvh === false)
    say(
      'needed',
      `${shown(kernel.path)} starts neither as PV nor as PVH`,
      'a kernel that does (CONFIG_XEN_PV or CONFIG_PVH), or an HVM guest',
    );
  else if (kernel.pv === false && kernel.pvh === true)
    say('note', `${shown(kernel.path)} starts as PVH, not as PV`);
  else if (kernel.pvh === false && kernel.pv === true)
    say('note', `${shown(kernel.path)} starts as PV, not as PVH`);
  const { blkfront, netfront, source, pv, pvh } = kernel.drivers;
  if (source === null) return;
  const where = `${shown(source)}`;
  if (blkfront === 'absent')
    say(
      'needed',
      `${where}: the kernel has no driver for Xen's disks (CONFIG_XEN_BLKDEV_FRONTEND)`,
      'another kernel',
    );
  if (netfront === 'absent')
    say(
      'advised',
      `${where}: the kernel has no driver for Xen's network (CONFIG_XEN_NETDEV_FRONTEND)`,
      'another kernel',
    );
  if (pv === false && kernel.pv === null)
    say('note', `${where}: made without CONFIG_XEN_PV: not for type="pv"`);
  if (pvh === false && kernel.pvh === null)
    say('note', `${where}: made without CONFIG_PVH: not for type="pvh"`);
}

function unified({ dialect, kernel }: Known, { args }: BootFacts, say: Say): void {
  const efi = kernel?.layers.includes('UKI') ?? false;
  if (efi)
    say(
      'note',
      `${shown(kernel!.path)} is a unified kernel image: its kernel, ramdisk and arguments are taken out of it; EFI, Secure Boot and the TPM have no part in a PV or PVH start`,
    );
  if ((efi || dialect === 'sdboot' || dialect === 'bls') && lastOf(args, 'root') === undefined)
    say(
      'needed',
      'the arguments name no root=: systemd then finds the root by an EFI variable of the boot loader (systemd-gpt-auto-generator(8)), which is not there in a PV or PVH guest',
      'extra="root=UUID=…" in the xl.cfg, or in the image or entry',
    );
}

/** The system that is booted: on the volume of `root=`, else the first that is no Windows. */
function rootSystem(known: Known): System | undefined {
  const root = known.boot ? lastOf(known.boot.args, 'root') : undefined;
  const volume = root === undefined ? undefined : volumeOf(known, root);
  const linux = known.systems.filter((system) => !system.windows);
  return linux.find((system) => system.volume === volume) ?? linux[0];
}

function fstab(known: Known, system: System, ctx: Context, say: Say): void {
  const ids = new Set<string>();
  for (const { uuid, label } of known.contents.values()) {
    if (uuid !== null) ids.add(`UUID=${uuid.toLowerCase()}`);
    if (label !== null) ids.add(`LABEL=${label}`);
  }
  for (const disk of known.disks)
    for (const { uuid, label } of disk.table?.partitions ?? []) {
      if (uuid !== null) ids.add(`PARTUUID=${uuid.toLowerCase()}`);
      if (label !== null) ids.add(`PARTLABEL=${label}`);
    }
  const where = `/etc/fstab on ${system.volume.name}`;
  for (const { spec, point, options } of readFstab(system.fs, system.root, ctx)) {
    ctx.budget.step();
    const text = toUnicode(spec);
    const optional = options.includes('nofail') || options.includes('noauto');
    if (FOREIGN_DISK.test(text)) {
      const instead = lasting(findVolume(known.guest, spec), known);
      say(
        optional || point === 'none' || point === 'swap' ? 'advised' : 'needed',
        `${where}: ${shown(text)} at ${printable(point, 100)}: in a PV or PVH guest there is no such device`,
        `${instead === undefined ? 'its UUID=' : shown(instead)} in its place`,
      );
      continue;
    }
    const tag = /^(UUID|PARTUUID)=(.*)$/.exec(text);
    const key = tag
      ? `${tag[1]}=${tag[2]!.toLowerCase()}`
      : /^(LABEL|PARTLABEL)=/.test(text)
        ? text
        : undefined;
    if (key === undefined || ids.has(key) || optional) continue;
    const closed = [...known.contents.values()].some((content) => content.kind === 'encrypted');
    if (!closed)
      say(
        'advised',
        `${where}: ${shown(text)} at ${printable(point, 100)} is on none of the given disks`,
        'name all disks of the guest, or take the line out: systemd waits 90 s for it',
      );
  }
}

/** Somebody must listen on hvc0, or `xl console` shows no login. systemd does it by itself (systemd-getty-generator(8)). */
function logins(system: System, ctx: Context, say: Say): void {
  const inittab = fileOf(system, '/etc/inittab', ctx);
  if (inittab === undefined || has(system, '/lib/systemd/systemd') || has(system, '/usr/lib/systemd/systemd'))
    return;
  if (/^[^#\n]*\bhvc0\b/m.test(inittab)) return;
  say(
    'advised',
    `/etc/inittab on ${system.volume.name} starts no login on hvc0`,
    'a line such as  hvc0::respawn:/sbin/getty 38400 hvc0  (the form of the lines that are there)',
  );
}

/** Files in which interfaces are named, and those names that Xen's netfront never has (it is eth0, or enX0 from systemd 253 on). */
const NETWORK: readonly string[] = [
  '/etc/network/interfaces',
  '/etc/network/interfaces.d/',
  '/etc/netplan/',
  '/etc/sysconfig/network-scripts/',
  '/etc/sysconfig/network/',
  '/etc/systemd/network/',
  '/etc/NetworkManager/system-connections/',
];
const FOREIGN_INTERFACE = /\b(en[ops]\d\w*|en[px][0-9a-f]\w*|eno\d+|ens\d+)\b/;

function network(system: System, ctx: Context, say: Say): void {
  for (const place of NETWORK) {
    const paths = place.endsWith('/') ? filesIn(system, place, ctx).map((name) => place + name) : [place];
    for (const path of paths) {
      const text = fileOf(system, path, ctx);
      const name = (text ?? '')
        .split('\n')
        .filter((line) => !/^\s*[#;]/.test(line))
        .map((line) => FOREIGN_INTERFACE.exec(line)?.[1])
        .find((word) => word !== undefined);
      if (name === undefined) continue;
      say(
        'advised',
        `${printable(path, 200)} on ${system.volume.name} names the interface ${shown(name)}: Xen's is eth0, or enX0 with systemd 253 and newer`,
        'a line for that name; or mac= in the vif= of the xl.cfg, and the file by MAC address',
      );
      return;
    }
  }
}

const DRACUT = 'dracut --force --add-drivers "xen-blkfront xen-netfront"';
const INITRAMFS = 'update-initramfs -u';

/** Ramdisks are not looked into; what says how the guest makes them is. */
function ramdisks({ kernel, boot }: Known, system: System | undefined, ctx: Context, say: Say): void {
  const { blkfront = null } = kernel?.drivers ?? {};
  if (!boot || blkfront === 'built in' || blkfront === 'absent') return;
  if (boot.initrd.length === 0) {
    if (blkfront === 'module')
      say(
        'needed',
        `${shown(kernel?.drivers.source ?? '')}: the driver for Xen's disks is a module, and there is no ramdisk to hold it`,
        'a ramdisk, or a kernel with CONFIG_XEN_BLKDEV_FRONTEND=y',
      );
    return;
  }
  const settings = system && fileOf(system, '/etc/initramfs-tools/initramfs.conf', ctx);
  const modules = /^\s*MODULES=(\w+)/m.exec(settings ?? '')?.[1];
  if (system && modules === 'dep')
    say(
      'needed',
      `/etc/initramfs-tools/initramfs.conf on ${system.volume.name} says MODULES=dep: its ramdisks hold the drivers of the machine that made them`,
      `MODULES=most there, and ${INITRAMFS}, before the guest moves`,
    );
  else if (system && modules === 'most')
    say(
      'note',
      `/etc/initramfs-tools/initramfs.conf on ${system.volume.name} says MODULES=most: its ramdisks hold all drivers for disks, Xen's too`,
    );
  else if (system && has(system, '/usr/lib/dracut'))
    say(
      'advised',
      "the guest makes its ramdisks by dracut, which takes in the drivers of the machine that it runs on; this one's ramdisk was not looked into",
      `in the guest, before it moves: ${DRACUT}`,
    );
  else if (blkfront === 'module')
    say(
      'note',
      `${shown(kernel?.drivers.source ?? '')}: the driver for Xen's disks is a module (xen-blkfront), which the ramdisk must hold; it was not looked into`,
    );
}

/** A disk that is not all there may start, and fail later. */
function cutDisks({ disks }: Known, say: Say): void {
  for (const { name, table, content } of disks) {
    const bad = (table?.partitions ?? []).filter(
      (p) => p.declaredSize > p.size || p.flags.includes('beyond-end'),
    );
    const where = [
      ...bad.map((p) => p.name),
      ...(content?.problem?.includes('are missing at its end') ? [name] : []),
    ];
    if (where.length > 0)
      say('needed', `the disk is cut off: ${where.join(', ')} end beyond it`, 'copy it again, whole');
  }
}
