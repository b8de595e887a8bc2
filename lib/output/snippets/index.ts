/** Kernel, ramdisk and arguments as a hypervisor's own configuration or command: Direct Kernel Boot. */
import { cloudHypervisor, qemu } from './commands';
import { firecracker } from './firecracker';
import { libvirt } from './libvirt';
import type { Machine } from './machine';
import { xl } from './xl';

export { machineOf, thisHost } from './machine';

export const snippets: Readonly<Record<string, (machine: Machine) => string>> = {
  xl,
  libvirt,
  qemu,
  firecracker,
  'cloud-hypervisor': cloudHypervisor,
};
