/** The formats that are for people and programs besides the toolstacks. A chunk. */
import { type ByteString, toUnicode } from '../bytes/text';
import type { Options } from '../cli/options';
import type { BlockSource } from '../source/types';
import type { Result } from './format';

export const FURTHER = ['json', 'xl', 'libvirt', 'qemu', 'firecracker', 'cloud-hypervisor'] as const;
export type FurtherFormat = (typeof FURTHER)[number];

/** Of these the hypervisor wants the kernel as it is in memory. */
export const wantsVmlinux = (format: string): boolean => /^(firecracker|cloud-hypervisor)$/.test(format);

const show = (text: ByteString | undefined) => (text === undefined ? null : toUnicode(text));

/** docs/boot.schema.json */
const json = (result: Result): string =>
  `${JSON.stringify({
    kernel: show(result.kernel),
    ramdisk: show(result.ramdisk),
    args: show(result.args),
    entry: show(result.entry),
  })}\n`;

/**
 * @param disks those of `options`, as far as they can be read
 * @throws GuestError when a value cannot be said in this format
 */
export function further(
  result: Result,
  options: Pick<Options, 'format' | 'operands' | 'image'>,
  disks: readonly (BlockSource | undefined)[],
): Buffer {
  if (options.format === 'json') return Buffer.from(json(result));
  const { snippets, machineOf, thisHost } = require('./snippets') as typeof import('./snippets');
  return Buffer.from(snippets[options.format]!(machineOf(result, options, disks, thisHost())));
}
