/** What a hypervisor is told besides kernel, ramdisk and arguments. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { unsupported } from '../../bytes/errors';
import { type ByteString, fromHost, printable, toBytes, toUnicode } from '../../bytes/text';
import type { Options } from '../../cli/options';
import { detectFormat } from '../../source';
import { type BlockSource, NBD_URI } from '../../source/types';
import type { Result } from '../format';

/** A disk image as the program knows it: `raw` or a name of source/index.ts. */
export interface DiskFile {
  /** Absolute, or an NBD URI. */
  readonly path: string;
  readonly format: string;
}

export interface Machine {
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  readonly args: string;
  /** A comment: the entry's title. */
  readonly title: string;
  readonly name: string;
  readonly disks: readonly DiskFile[];
  readonly host: Host;
}

/** Where the snippet is to be used: the machine that prints it. */
export interface Host {
  readonly xen: boolean;
  /** As `process.arch`. */
  readonly arch: string;
}

export const MEMORY_MB = 1024;

export const thisHost = (): Host => ({ xen: existsSync('/proc/xen/capabilities'), arch: process.arch });

/**
 * Text for a configuration file, or for a command that somebody pastes into a terminal.
 * @throws GuestError `unsupported` for bytes that are not UTF-8, and for what is not to be seen
 */
function said(what: string, text: ByteString): string {
  const unicode = toUnicode(text);
  if (printable(text, text.length) !== unicode || !Buffer.from(unicode).equals(toBytes(text)))
    throw unsupported(
      `${what}: bytes that are not UTF-8, and control characters, do not go into this output format`,
    );
  return unicode;
}

function formatOf(disk: BlockSource | undefined, named: string | undefined): string {
  if (named !== undefined && named !== 'auto') return named;
  // The rule of source/index.ts for block devices.
  if (!disk || (disk as { isBlockDevice?: boolean }).isBlockDevice) return 'raw';
  return detectFormat(disk) ?? 'raw';
}

/** @throws GuestError */
export function machineOf(
  result: Result,
  { operands, image }: Pick<Options, 'operands' | 'image'>,
  disks: readonly (BlockSource | undefined)[],
  host: Host,
): Machine {
  const named = image?.format?.split(',');
  const name = (operands[0] ?? 'guest')
    .replace(/^.*\/|\.[A-Za-z0-9]+$/g, '')
    .replace(/[^A-Za-z0-9_.-]/g, '-');
  return {
    kernel: said('the path of the kernel', result.kernel),
    ramdisk: result.ramdisk === undefined ? undefined : said('the path of the ramdisk', result.ramdisk),
    args: said('the arguments', result.args),
    title: printable(result.entry ?? ''),
    name: name || 'guest',
    disks: operands.map((path, i) => ({
      path: said('the path of a disk', fromHost(NBD_URI.test(path) ? path : resolve(path))),
      format: formatOf(disks[i], named?.[Math.min(i, named.length - 1)]),
    })),
    host,
  };
}

/**
 * What a hypervisor calls the format of a disk.
 * @throws GuestError where it cannot use such a disk, or none behind an NBD server
 */
export function formatFor(
  hypervisor: string,
  names: Readonly<Record<string, string>>,
  { path, format }: DiskFile,
): string {
  if (NBD_URI.test(path)) {
    // QEMU's own option, and its words for TLS are other ones.
    if (hypervisor !== 'QEMU' || path.startsWith('nbds'))
      throw unsupported(
        `how ${hypervisor} reaches ${path.replace(/\?.*/, '')} is not known here: attach it (nbd-client), and name /dev/nbdN`,
      );
  }
  const name = names[format];
  if (name === undefined)
    throw unsupported(
      `${hypervisor} cannot use ${format} images: convert ${path} to raw (qemu-img convert -O raw)`,
    );
  return name;
}

/** Names of disks as Linux counts them: a … z, aa … */
export const letters = (i: number): string =>
  (i >= 26 ? letters(Math.floor(i / 26) - 1) : '') + String.fromCharCode(97 + (i % 26));

/** One word for POSIX' shell, XCU 2.2. */
export const shellWord = (text: string): string =>
  /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
