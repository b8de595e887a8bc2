/**
 * What the parser in the sandbox tells its parent: on descriptor 2 the line `\tready` before the first byte of the guest's is
 * read, then lines for the log; on descriptor 1, once, the answer:
 *
 *     \tramdisk 0|1
 *     \targs TEXT
 *     \tentry TEXT      (where one was chosen)
 *     \tend
 *
 * TEXT is printable ASCII; any other byte, and the backslash, is `\0` with three octal digits, as printf's %b reads it (strict.sh).
 * No line for the log begins with a tab: `printable` escapes it. There is no path in it: those are the parent's.
 */
import { GuestError } from '../bytes/errors';
import type { ByteString } from '../bytes/text';
import type { Result } from '../output/format';

export const READY = '\tready\n';

/** Bytes of an answer, or of what is said for the log, that are read: 64 KiB of arguments, each byte an escape. */
export const MESSAGE_BYTES = 256 * 1024;

const encode = (text: ByteString): string =>
  text.replace(/[^ -[\]-~]/g, (c) => `\\0${c.charCodeAt(0).toString(8).padStart(3, '0')}`);

export const answer = ({ ramdisk, args, entry }: Result): Buffer =>
  Buffer.from(
    `\tramdisk ${ramdisk === undefined ? 0 : 1}\n\targs ${encode(args)}\n${
      entry === undefined ? '' : `\tentry ${encode(entry)}\n`
    }\tend\n`,
    'latin1',
  );

export interface Answer {
  readonly ramdisk: boolean;
  readonly args: ByteString;
  readonly entry: ByteString | undefined;
}

const TEXT = String.raw`((?:[ -[\]-~]|\\0[0-3][0-7]{2})*)`;
const ANSWER = new RegExp(`^\\tramdisk ([01])\\n\\targs ${TEXT}\\n(?:\\tentry ${TEXT}\\n)?\\tend\\n$`);

const decode = (text: string): ByteString =>
  text.replace(/\\0([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/**
 * The answer of somebody who may lie.
 * @throws GuestError `corrupt` for anything that `answer` would not have written
 */
export function understood(message: ByteString): Answer {
  const match = message.length <= MESSAGE_BYTES ? ANSWER.exec(message) : null;
  if (!match) throw new GuestError('corrupt', 'the sandbox broke its protocol: its answer is not taken');
  const [, ramdisk, args, entry] = match;
  return {
    ramdisk: ramdisk === '1',
    args: decode(args!),
    entry: entry === undefined ? entry : decode(entry),
  };
}
