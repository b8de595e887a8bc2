/**
 * The one error that guest data can cause. Anything else that is thrown is a defect of this program and propagates.
 *
 * `corrupt`: the structure contradicts itself · `unsupported`: sound, but needs something named that is not there ·
 * `not-found`: a path, device or entry does not exist · `limit`: a bound of `limits.ts` was reached ·
 * `io`: the host could not read or write · `syntax`: a configuration cannot be parsed.
 */
export type ErrorCode = 'corrupt' | 'unsupported' | 'not-found' | 'limit' | 'io' | 'syntax';

export class GuestError extends Error {
  readonly code: ErrorCode;
  /** From the outside in: `['disk.img', 'gpt2', 'ext4', 'inode 12']`. */
  where: string[];

  /**
   * @param detail what was seen and what was allowed (`extent depth 9, maximum 5`); guest text in it must be escaped
   */
  constructor(code: ErrorCode, detail: string, where: string[] = []) {
    super(detail);
    this.name = 'GuestError';
    this.code = code;
    this.where = where;
  }

  /** `gpt2 › ext4 › inode 12: extent depth 9, maximum 5` */
  describe(): string {
    return this.where.length > 0 ? `${this.where.join(' › ')}: ${this.message}` : this.message;
  }
}

export const corrupt = (detail: string, ...where: string[]): GuestError =>
  new GuestError('corrupt', detail, where);
export const unsupported = (detail: string, ...where: string[]): GuestError =>
  new GuestError('unsupported', detail, where);
export const notFound = (detail: string, ...where: string[]): GuestError =>
  new GuestError('not-found', detail, where);
export const limit = (detail: string, ...where: string[]): GuestError =>
  new GuestError('limit', detail, where);

/** Runs `body`; a GuestError that leaves it gets `place` in front of its chain. Other errors pass untouched. */
export function within<T>(place: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof GuestError) error.where.unshift(place);
    throw error;
  }
}

/** A host error as one short line: `cannot write /x: no space left on device (ENOSPC)`. */
export function hostError(action: string, error: unknown): GuestError {
  const { code, message } = error as NodeJS.ErrnoException;
  // Node: `ENOSPC: no space left on device, write`.
  const words = /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1];
  return new GuestError('io', `${action}: ${code && words ? `${words} (${code})` : (code ?? message)}`);
}
