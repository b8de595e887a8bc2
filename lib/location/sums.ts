/**
 * Lists of checksums: coreutils' `HEX  NAME` and `HEX *NAME` (Debian's SHA256SUMS, SUSE's CHECKSUMS, Alpine's NAME.sha256), the
 * BSD form `SHA256 (NAME) = HEX`, SUSE's older `content` file (`HASH SHA256 HEX  NAME`).
 */
import type { Context } from '../bytes/budget';

/** From weak to strong. */
export const ALGORITHMS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface Checksum {
  readonly algorithm: Algorithm;
  /** Lower case. */
  readonly hex: string;
  /** The file that says so. */
  readonly from: string;
}

/** Forgeable by who can choose both files. */
export const isWeak = ({ algorithm }: Checksum): boolean => algorithm === 'md5' || algorithm === 'sha1';

const BY_LENGTH: Readonly<Record<number, Algorithm>> = {
  32: 'md5',
  40: 'sha1',
  56: 'sha224',
  64: 'sha256',
  96: 'sha384',
  128: 'sha512',
};

/** Undefined where `hex` is not a hash's hexadecimal digits, or not of the named one. */
export function checksum(hex: string, from: string, named?: string): Checksum | undefined {
  const algorithm = /^[0-9a-f]+$/i.test(hex) ? BY_LENGTH[hex.length] : undefined;
  if (!algorithm || (named && named.toLowerCase().replace('-', '') !== algorithm)) return undefined;
  return { algorithm, hex: hex.toLowerCase(), from };
}

const PLAIN = /^\\?([0-9a-fA-F]{32,128})[ \t]+\*?(\S.*)$/;
const BSD = /^([A-Za-z0-9-]{3,8}) \((.+)\) = ([0-9a-fA-F]{32,128})$/;
const SUSE = /^HASH ([A-Za-z0-9-]{3,8})\s+([0-9a-fA-F]{32,128})\s+(\S.*)$/;

/** Lines longer than this name no file of an installer. */
const LONGEST_LINE = 2048;

/** Every line's name (without `./`) and checksum. */
export function* checksums(text: string, from: string, ctx: Context): Generator<readonly [string, Checksum]> {
  for (let at = 0; at < text.length; ) {
    ctx.budget.step();
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const length = end - at;
    const line = length > LONGEST_LINE ? '' : text.slice(at, end).trimEnd();
    at = end + 1;
    ctx.budget.read(length);
    const plain = PLAIN.exec(line);
    const bsd = plain ? null : BSD.exec(line);
    const suse = plain || bsd ? null : SUSE.exec(line);
    const [name, sum] = plain
      ? [plain[2]!, checksum(plain[1]!, from)]
      : bsd
        ? [bsd[2]!, checksum(bsd[3]!, from, bsd[1])]
        : suse
          ? [suse[3]!, checksum(suse[2]!, from, suse[1])]
          : ['', undefined];
    if (sum) yield [name.replace(/^(\.\/)+/, ''), sum];
  }
}

/** The strongest checksum that the list has for one of these names. */
export function checksumOf(
  text: string | undefined,
  names: readonly string[],
  from: string,
  ctx: Context,
): Checksum | undefined {
  let best: Checksum | undefined;
  for (const [name, sum] of checksums(text ?? '', from, ctx))
    if (names.includes(name)) best = stronger(best, sum);
  return best;
}

export const stronger = (a: Checksum | undefined, b: Checksum | undefined): Checksum | undefined =>
  !a || (b && ALGORITHMS.indexOf(b.algorithm) > ALGORITHMS.indexOf(a.algorithm)) ? (b ?? a) : a;
