/** A domain of libvirt's (formatdomain): PVH on Xen, a machine of QEMU's on KVM. */
import { formatFor, letters, type Machine, MEMORY_MB } from './machine';

const FORMATS = {
  raw: 'raw',
  qcow: 'qcow',
  qcow2: 'qcow2',
  qed: 'qed',
  vhd: 'vpc',
  vmdk: 'vmdk',
  vdi: 'vdi',
};

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);

export function libvirt({ kernel, ramdisk, args, disks, title, name, host }: Machine): string {
  const arch = host.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const type = host.xen
    ? `<type arch='${arch}' machine='xenpvh'>xenpvh</type>`
    : `<type arch='${arch}'>hvm</type>`;
  const target = host.xen ? 'xvd' : 'vd';
  return [
    // Two hyphens would end the comment.
    `<!-- ${escaped(title).replace(/-(?=-|$)/g, '- ')} -->`,
    `<domain type='${host.xen ? 'xen' : 'kvm'}'>`,
    `  <name>${escaped(name)}</name>`,
    `  <memory unit='MiB'>${MEMORY_MB}</memory>`,
    '  <vcpu>1</vcpu>',
    '  <os>',
    `    ${type}`,
    `    <kernel>${escaped(kernel)}</kernel>`,
    ...(ramdisk === undefined ? [] : [`    <initrd>${escaped(ramdisk)}</initrd>`]),
    `    <cmdline>${escaped(args)}</cmdline>`,
    '  </os>',
    ...(host.xen ? [] : ['  <features><acpi/></features>']),
    '  <devices>',
    ...disks.flatMap((disk, i) => {
      const kind = disk.path.startsWith('/dev/') ? 'block' : 'file';
      return [
        `    <disk type='${kind}' device='disk'>`,
        `      <driver name='qemu' type='${formatFor('libvirt', FORMATS, disk)}'/>`,
        `      <source ${kind === 'block' ? 'dev' : 'file'}='${escaped(disk.path)}'/>`,
        `      <target dev='${target}${letters(i)}' bus='${host.xen ? 'xen' : 'virtio'}'/>`,
        '    </disk>',
      ];
    }),
    ...(host.xen
      ? ["    <console type='pty'><target type='xen'/></console>"]
      : ["    <serial type='pty'/>", "    <console type='pty'><target type='serial'/></console>"]),
    '  </devices>',
    '</domain>',
    '',
  ].join('\n');
}
