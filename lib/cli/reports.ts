/** Everything that is said besides a result: usage, lists, failures, and what `--isconfig` needs. A chunk. */
import type { Decision } from '../bootloader';
import { type ByteString, toUnicode } from '../bytes/text';
import { formatResult } from '../output/format';
import { writeAll } from '../output/write';
import { DEFAULT_DIRECTORY, type Options } from './options';

export { failureLines } from '../diagnostics';
export { listAsJson, listAsText } from '../output/list';

export function writeList(fd: number, portions: Iterable<Buffer>): void {
  for (const portion of portions) writeAll(fd, portion, 'the list');
}
export { configDisk, configFileSystem } from './isconfig';
export { namedBootfs, withBootString } from './zfs';

export function usage(program: string): string {
  return `Usage: ${program} [OPTION]... DISK [FURTHER-DISK]...
Finds the boot configuration on a guest's disk, and copies the kernel and ramdisk that it chooses to dom0.

  -q, --quiet                  take the default, do not wait for anybody
  -i, --interactive            the opposite of -q (default)
      --entry=INDEX|TITLE      boot this entry (implies -q)
  -l, --list-entries           list the entries and end
  -n, --not-really             say what would be booted, copy nothing
      --output=FILE            where to print the result (default -, stdout)
      --output-format=FORMAT   sxp (default), simple, simple0 or json
      --output-directory=DIR   where kernel and ramdisk go (default ${DEFAULT_DIRECTORY})
      --kernel=PATH            boot this file of the guest, read no configuration
      --ramdisk=PATH           its ramdisk, with --kernel
      --args=ARGS              appended to the entry's arguments; all of them with --kernel
      --offset=BYTES           the filesystem starts at this byte of the disk
      --extra-disk=PATH        a further disk of the guest (as a further operand)
      --no-guess               do not look for kernels where there is no boot configuration
      --key-file=FILE          opens encrypted volumes (LUKS), the whole file is the key; may be repeated
      --key-fd=N               the same from this open descriptor
      --luks-header=FILE       a detached LUKS header
      --menu-timeout=SECONDS|forever
                               how long the menu waits where the guest names no time (default 1)
      --image-format=FORMAT    what the disk is, if it is not to be found out (auto, raw, qcow2, vhd ...)
      --image-snapshot=NAME    an internal snapshot of a qcow2
      --image-references=directory
                               files that the image names may be opened in its own directory
      --policy=FILE            what the host allows guests to boot (.json or .toml)
      --isconfig               the operand is a configuration file, not a disk
      --runas=UID              parse the disk as this user, in a sandbox (needs -q or --entry)
      --user=UID|NAME          the user that root becomes without --runas (default nobody)
      --sandbox=off|basic|strict|auto
                               what is given up before the disk is looked at (default auto)
      --debug                  say on stderr what is looked at
  -h, --help                   this text
      --version                the version
`;
}

/** What `-n` and `--isconfig` print in place of a result. */
export function describe(decision: Decision, args: ByteString, options: Options): Buffer {
  const { kernel, initrds } = decision.target;
  const paths = initrds.map((part) => part.file.path).join(' ');
  if (options.action === 'isconfig') {
    let text = `  kernel: ${toUnicode(kernel?.path ?? '')}\n`;
    if (paths !== '') text += `  initrd: ${toUnicode(paths)}\n`;
    return Buffer.from(`${text}  args: ${toUnicode(args)}\n`);
  }
  return formatResult(
    {
      kernel: `<kernel:${kernel?.path ?? ''}>`,
      ramdisk: paths === '' ? undefined : `<ramdisk:${paths}>`,
      args,
      entry: decision.title,
    },
    options.format,
  );
}
