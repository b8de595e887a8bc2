/** xl.cfg(5), xl-disk-configuration(5): Direct Kernel Boot of a PVH guest. */
import { formatFor, letters, type Machine, MEMORY_MB } from './machine';

const FORMATS = { raw: 'raw', qcow: 'qcow', qcow2: 'qcow2', qed: 'qed', vhd: 'vhd' };

/** libxlu's strings: a backslash before a quote or a backslash (libxlu_cfg.c, xlu__cfgl_dequote). */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

export function xl(machine: Machine): string {
  const { kernel, ramdisk, args, disks, title, name } = machine;
  // `target` takes the rest of the text, commas and all.
  const specs = disks.map((disk, i) =>
    quoted(`format=${formatFor('xl', FORMATS, disk)},vdev=xvd${letters(i)},access=rw,target=${disk.path}`),
  );
  return [
    `# ${title}`,
    `name = ${quoted(name)}`,
    'type = "pvh"',
    `memory = ${MEMORY_MB}`,
    'vcpus = 1',
    `kernel = ${quoted(kernel)}`,
    ...(ramdisk === undefined ? [] : [`ramdisk = ${quoted(ramdisk)}`]),
    `cmdline = ${quoted(args)}`,
    `disk = [ ${specs.join(', ')} ]`,
    '',
  ].join('\n');
}
