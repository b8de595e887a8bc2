/** How crypt(3) writes a digest: groups of three bytes, the lowest six bits of each group first. */
const DIGITS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** @param groups positions in the digest, the highest byte of each group first; a shorter last group has fewer digits */
export function cryptDigits(digest: Uint8Array, groups: readonly (readonly number[])[]): string {
  let text = '';
  for (const group of groups) {
    let value = group.reduce((sum, position) => (sum << 8) | digest[position]!, 0);
    for (let digits = group.length + 1; digits > 0; digits--) {
      text += DIGITS[value & 63];
      value >>= 6;
    }
  }
  return text;
}
