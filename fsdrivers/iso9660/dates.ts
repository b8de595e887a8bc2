/** The two forms of ECMA-119's time stamps → seconds since 1970. */

/** Quarters of an hour from Greenwich beyond which Linux does not believe a zone (fs/isofs/util.c). */
const WIDEST_ZONE = 52;

/** 9.1.5: seven binary bytes. Undefined where nothing sensible was recorded. */
export function shortTime(b: Buffer, at = 0): number | undefined {
  return seconds(
    1900 + b[at]!,
    b[at + 1]!,
    b[at + 2]!,
    b[at + 3]!,
    b[at + 4]!,
    b[at + 5]!,
    b.readInt8(at + 6),
  );
}

/** 8.4.26.1: sixteen digits and a zone. */
export function longTime(b: Buffer, at = 0): number | undefined {
  const digits = b.toString('latin1', at, at + 16);
  if (!/^\d{16}$/.test(digits)) return undefined;
  const n = (from: number, to: number) => Number(digits.slice(from, to));
  return seconds(n(0, 4), n(4, 6), n(6, 8), n(8, 10), n(10, 12), n(12, 14), b.readInt8(at + 16));
}

function seconds(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  zone: number,
): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const believed = Math.abs(zone) <= WIDEST_ZONE ? zone : 0;
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - believed * 15 * 60;
}

/**
 * What GRUB and blkid take for the filesystem's UUID: `2023-11-14-22-13-20-00`. Undefined where nothing was recorded.
 * @param b a stamp of 8.4.26.1
 */
export function dateUuid(b: Buffer): string | undefined {
  const digits = b.toString('latin1', 0, 16);
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(digits);
  return parts && digits !== '0'.repeat(16) ? parts.slice(1).join('-') : undefined;
}
