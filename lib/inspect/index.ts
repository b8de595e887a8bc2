/** `--inspect`: what is on the disk, what of it boots and why, and what the guest needs to run under Xen. A chunk. */
import { isatty, WriteStream } from 'node:tty';
import type { Bootloader, Decision, Request } from '../bootloader';
import { fromHost, printable } from '../bytes/text';
import { join } from '../cli/main';
import type { Options } from '../cli/options';
import { writeAll } from '../output/write';
import { Search } from './configurations';
import { inspection } from './gather';
import { type Look, textOf } from './text';

export { Search } from './configurations';
export type { Inspection } from './document';
export { bootFacts, inspection, reasonsOf } from './gather';

/** Finds what `find` finds, with encrypted volumes opened where that is needed. */
export type Opened = <T>(find: () => T | undefined) => Promise<T | undefined>;

/** @returns the exit status: 0 when something boots, else 1 */
export async function inspect(
  opened: Opened,
  loader: Bootloader,
  options: Options,
  { disks, images }: Request,
  fd: number,
  log: (line: string) => void,
): Promise<number> {
  const search = new Search(loader);
  const { kernel, ramdisk, entry } = options;
  const decision = await opened<Decision>(() =>
    kernel === undefined ? search.decide(entry) : loader.named(kernel, ramdisk),
  );
  const document = inspection(loader, search, decision, {
    image: options.operands[0]!,
    given: disks.map((source, i) => ({
      path: options.operands[i]!,
      source,
      format: images?.[i]?.format,
    })),
    keys: options.keys,
    args: (target) => join(target, options),
  });
  const text =
    options.format === 'json' ? `${JSON.stringify(document, null, 2)}\n` : textOf(document, lookOf(fd));
  writeAll(fd, Buffer.from(text), 'the report');
  if (document.boots) return 0;
  log(
    `RuntimeError: ${printable(fromHost(document.image))} does not boot: ${document.reasons[0] ?? 'nothing bootable was found'}`,
  );
  return 1;
}

/** Colour and a width for terminals that have both; plain and uncut for everything else. */
function lookOf(fd: number): Look {
  const { NO_COLOR, TERM = 'dumb' } = process.env;
  if (!isatty(fd)) return { colour: false, columns: undefined };
  const stream = fd === 1 ? process.stdout : new WriteStream(fd);
  const { columns } = stream;
  return { colour: !NO_COLOR && TERM !== 'dumb', columns: columns > 0 ? columns : undefined };
}
