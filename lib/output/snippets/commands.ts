/** Command lines for a shell: qemu-system(1), cloud-hypervisor(1). */
import { formatFor, type Machine, MEMORY_MB, shellWord } from './machine';

const QEMU = {
  raw: 'raw',
  qcow: 'qcow',
  qcow2: 'qcow2',
  qed: 'qed',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
  vdi: 'vdi',
  parallels: 'parallels',
};

/** One option a line. */
const command = (title: string, words: readonly (readonly string[])[]): string =>
  `# ${title}\n${words.map((line) => line.map(shellWord).join(' ')).join(' \\\n  ')}\n`;

/** In QEMU's lists of options a comma ends a value, two are one (qemu-options). */
const value = (text: string): string => text.replaceAll(',', ',,');

export function qemu({ kernel, ramdisk, args, disks, title, host }: Machine): string {
  const arm = host.arch === 'arm64';
  return command(title, [
    [arm ? 'qemu-system-aarch64' : 'qemu-system-x86_64'],
    // Without KVM it is emulated, slowly.
    ['-machine', arm ? 'virt' : 'q35', '-accel', 'kvm', '-accel', 'tcg'],
    ['-cpu', 'max', '-m', String(MEMORY_MB)],
    ['-kernel', kernel],
    ...(ramdisk === undefined ? [] : [['-initrd', ramdisk]]),
    ['-append', args],
    ...disks.map((disk) => [
      '-drive',
      `file=${value(disk.path)},format=${formatFor('QEMU', QEMU, disk)},if=virtio`,
    ]),
    ['-nographic'],
  ]);
}

export function cloudHypervisor({ kernel, ramdisk, args, disks, title }: Machine): string {
  const paths = disks.map((disk) => {
    formatFor('Cloud Hypervisor', { raw: 'raw', qcow2: 'qcow2', vhdx: 'vhdx' }, disk);
    // Its lists take quotes, and have nothing for a quote (option_parser).
    return disk.path.includes(',') ? `path="${disk.path}"` : `path=${disk.path}`;
  });
  return command(title, [
    ['cloud-hypervisor'],
    ['--cpus', 'boot=1', '--memory', `size=${MEMORY_MB}M`],
    ['--kernel', kernel],
    ...(ramdisk === undefined ? [] : [['--initramfs', ramdisk]]),
    ['--cmdline', args],
    ['--disk', ...paths],
    ['--serial', 'tty', '--console', 'off'],
  ]);
}
