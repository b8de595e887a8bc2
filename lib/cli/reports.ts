/** Everything that is said besides a result: usage, lists, failures, and what `--isconfig` needs. A chunk. */
import type { Bootloader, Decision, Request } from '../bootloader';
import type { Context } from '../bytes/budget';
import { type ByteString, fromHost, printable, toUnicode } from '../bytes/text';
import { failureLines } from '../diagnostics';
import type { Opened } from '../inspect';
import { formatResult } from '../output/format';
import { listAsJson, listAsText } from '../output/list';
import { writeAll } from '../output/write';
import type { BlockSource } from '../source/types';
import { log } from './main';
import { DEFAULT_DIRECTORY, type Options } from './options';

export { configDisk, configFileSystem } from './isconfig';
export { namedBootfs, withBootString } from './zfs';
export { failureLines };

export function usage(program: string): string {
  return `Usage: ${program} [OPTION]... DISK [FURTHER-DISK]...
Finds the boot configuration on a guest's disk, and copies the kernel and ramdisk that it chooses to dom0.

  -q, --quiet                  take the default, do not wait for anybody
  -i, --interactive            the opposite of -q (default)
      --entry=INDEX|TITLE      boot this entry (implies -q)
  -l, --list-entries           list the entries and end
      --inspect                say what is on the disk, what of it boots and why, and what an
                               xl.cfg and the guest need (text; --output-format=json)
  -n, --not-really             say what would be booted, copy nothing
      --output=FILE            where to print the result (default -, stdout)
      --output-format=FORMAT   sxp (default), simple, simple0, json; or what starts the guest by Direct
                               Kernel Boot: xl, libvirt, qemu, firecracker, cloud-hypervisor
      --output-directory=DIR   where kernel and ramdisk go (default ${DEFAULT_DIRECTORY})
      --kernel=PATH            boot this file of the guest, read no configuration
      --ramdisk=PATH           its ramdisk, with --kernel
      --args=ARGS              appended to the entry's arguments; all of them with --kernel
      --offset=BYTES           the filesystem starts at this byte of the disk
      --extra-disk=PATH        a further disk of the guest (as a further operand)
      --location=URL|DIR       an installer's kernel and ramdisk from a distribution's tree; no disk is read
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
      --check-kernel=pv|pvh|any
                               look into the kernel, refuse one that Xen cannot start so
      --decompress             hand over the kernel unpacked (vmlinux, Image)
      --policy=FILE            what the host allows guests to boot (.json or .toml)
      --jobs=N|auto            with -l: each DISK is a guest of its own; N at a time, a line each
      --disks-from=FILE|-      the same with a list of disks, a line or NUL each
      --disk-timeout=SECONDS   how long one of them may take (default 60)
      --write-env              write what the configuration saves to the guest's grubenv, as GRUB does
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
export function describe(
  decision: Decision,
  args: ByteString,
  options: Options,
  disks: readonly BlockSource[],
  ctx: Context,
): Buffer {
  const { kernel, initrds } = decision.target;
  const paths = initrds.map((part) => part.file.path).join(' ');
  if (options.action === 'isconfig') {
    let text = `  kernel: ${toUnicode(kernel?.path ?? '')}\n`;
    if (paths !== '') text += `  initrd: ${toUnicode(paths)}\n`;
    return Buffer.from(`${text}  args: ${toUnicode(args)}\n`);
  }
  const { judgeOnDisk } = require('../extract/kernel') as typeof import('../extract/kernel');
  judgeOnDisk(decision.target, options.tasks ?? {}, ctx, log);
  return formatResult(
    {
      kernel: `<kernel:${kernel?.path ?? ''}>`,
      ramdisk: paths === '' ? undefined : `<ramdisk:${paths}>`,
      args,
      entry: decision.title,
    },
    options,
    disks,
  );
}

/** Prints what `-l` and `--inspect` are for. @returns the exit status */
export async function list(
  opened: Opened,
  loader: Bootloader,
  options: Options,
  request: Request,
  fd: number,
  log: (line: string) => void,
): Promise<number> {
  if (options.action === 'inspect')
    return (require('../inspect') as typeof import('../inspect')).inspect(
      opened,
      loader,
      options,
      request,
      fd,
      log,
    );
  const listing = await opened(() => loader.list());
  const image = options.operands[0]!;
  const { diagnostics, warnings } = loader;
  const portions =
    options.format === 'json' ? listAsJson(image, listing, warnings) : listing ? listAsText(listing) : [];
  for (const portion of portions) writeAll(fd, portion, 'the list');
  if (listing) return 0;
  for (const line of failureLines(printable(fromHost(image)), diagnostics)) log(line);
  return 1;
}
