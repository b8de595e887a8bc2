/** `firecracker --config-file`: src/firecracker/swagger/firecracker.yaml has its fields. */
import { formatFor, type Machine, MEMORY_MB } from './machine';

export function firecracker({ kernel, ramdisk, args, disks }: Machine): string {
  const config = {
    'boot-source': {
      kernel_image_path: kernel,
      ...(ramdisk !== undefined && { initrd_path: ramdisk }),
      boot_args: args,
    },
    drives: disks.map((disk, i) => {
      formatFor('Firecracker', { raw: 'raw' }, disk);
      // The guest's own arguments say what its root is; a root device would add another `root=`.
      return { drive_id: `disk${i}`, path_on_host: disk.path, is_root_device: false, is_read_only: false };
    }),
    'machine-config': { vcpu_count: 1, mem_size_mib: MEMORY_MB },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
