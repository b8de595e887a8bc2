/** The line for the toolstack, byte by byte as pygrub prints it. CONTRACT: "Output, byte by byte". */
import { GuestError } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import { type ByteString, toBytes, toUnicode } from '../bytes/text';
import type { Options } from '../cli/options';
import type { BlockSource } from '../source/types';
import type { FurtherFormat } from './further';

/** Those of toolstacks; the others are a chunk. */
export type OutputFormat = 'sxp' | 'simple' | 'simple0' | FurtherFormat;

export interface Result {
  /** Host path (or `<kernel:/guest/path>` with -n), byte string. */
  readonly kernel: ByteString;
  readonly ramdisk: ByteString | undefined;
  readonly args: ByteString;
  /** Title of the entry, undefined with --kernel. */
  readonly entry: ByteString | undefined;
}

/** Python's `repr` of the text. Bytes that are not UTF-8 stand as `\xNN`. */
export function pythonRepr(text: ByteString): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const c of toUnicode(text)) {
    const n = c.codePointAt(0)!;
    if (c === quote || c === '\\') out += `\\${c}`;
    else if (c === '\n') out += '\\n';
    else if (c === '\r') out += '\\r';
    else if (c === '\t') out += '\\t';
    else if (n < 0x20 || (n >= 0x7f && n < 0xa1) || n === 0xad)
      out += `\\x${n.toString(16).padStart(2, '0')}`;
    else out += c;
  }
  return quote + out + quote;
}

function sxp(result: Result): Buffer {
  let line = `linux (kernel ${pythonRepr(result.kernel)})`;
  if (result.ramdisk !== undefined) line += `(ramdisk ${pythonRepr(result.ramdisk)})`;
  if (result.args !== '') line += `(args ${pythonRepr(result.args)})`;
  return Buffer.from(line, 'utf8');
}

function simple(result: Result, separator: '\n' | '\0'): Buffer {
  const items = [`kernel ${result.kernel}`];
  if (result.ramdisk !== undefined) items.push(`ramdisk ${result.ramdisk}`);
  if (result.args !== '') items.push(`args ${result.args}`);
  for (const item of items) {
    const name = item.slice(0, item.indexOf(' '));
    if (item.includes(separator))
      throw new GuestError(
        'unsupported',
        `${name} holds the byte that separates the items of this output format`,
      );
    // libxl reads NUL-ended items and drops what is longer with a warning only: the guest would boot without it.
    if (separator === '\0' && item.length > LIMITS.outputItem)
      throw new GuestError('limit', `${name} is ${item.length} bytes long, libxl takes ${LIMITS.outputItem}`);
  }
  return toBytes(items.map((item) => item + separator).join('') + separator);
}

/**
 * @param disks those of `options`, as far as they can be read
 * @throws GuestError when a value cannot be said in this format
 */
export function formatResult(
  result: Result,
  options: Pick<Options, 'format' | 'operands' | 'image'>,
  disks: readonly (BlockSource | undefined)[],
): Buffer {
  switch (options.format) {
    case 'sxp':
      return sxp(result);
    case 'simple':
      return simple(result, '\n');
    case 'simple0':
      return simple(result, '\0');
    default:
      return (require('./further') as typeof import('./further')).further(result, options, disks);
  }
}
