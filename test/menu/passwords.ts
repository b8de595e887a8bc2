/** Shared by the tests of passwords, here and in test/peers. */

/** A line of fixtures/configs/passwords. */
export interface Vector {
  /** The program that hashed it. */
  readonly by: string;
  readonly scheme: 'crypt' | 'pbkdf2' | 'sha1';
  readonly value: string;
  /** What has to be typed, as a byte string. */
  readonly typed: string;
}

/** Texts that are nearly `typed`. */
export function wrongOnes(typed: string): string[] {
  const changed = (at: number) =>
    typed.slice(0, at) + String.fromCharCode(typed.charCodeAt(at) ^ 1) + typed.slice(at + 1);
  const middle = typed.length >> 1;
  const texts =
    typed === ''
      ? ['x', ' ']
      : [
          typed.slice(1),
          typed.slice(0, -1),
          changed(0),
          changed(middle),
          changed(typed.length - 1),
          '',
          `${typed} `,
        ];
  return [...new Set(texts)].filter((text) => text !== typed);
}
