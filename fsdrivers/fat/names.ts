/** Short names in a DOS code page, long names in UTF-16, both → byte strings of UTF-8; and how they compare. */
import { type ByteString, fromHost, toUnicode } from '../../lib/bytes/text';
import { LongEntry, NAME_IS_E5, NT_LOWER_BASE, NT_LOWER_EXTENSION } from './layout';

/** Code page 437, the one that Linux assumes (CONFIG_FAT_DEFAULT_CODEPAGE): 0x80 to 0xff. */
const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/** DOS bytes → Unicode, trailing spaces left out. */
export function decodeDos(bytes: Buffer): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0x20) end--;
  let out = '';
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!;
    out += byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80];
  }
  return out;
}

/**
 * `VMLINUZ    ` → `VMLINUZ`, in lower case where Windows NT's flags say so (a name like `readme.TXT` then needs no
 * long entry). Empty when there is no base.
 * @param name the 11 bytes
 */
export function shortName(name: Buffer, ntFlags: number): ByteString {
  const bytes = Buffer.from(name);
  if (bytes[0] === NAME_IS_E5) bytes[0] = 0xe5;
  let base = decodeDos(bytes.subarray(0, 8));
  let extension = decodeDos(bytes.subarray(8, 11));
  if (base === '') return '';
  if (ntFlags & NT_LOWER_BASE) base = base.toLowerCase();
  if (ntFlags & NT_LOWER_EXTENSION) extension = extension.toLowerCase();
  return fromHost(extension === '' ? base : `${base}.${extension}`);
}

/** The sum that ties long entries to the short one (fatgen103, ChkSum). */
export function shortNameSum(name: Buffer): number {
  let sum = 0;
  for (const byte of name) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff;
  return sum;
}

/** The 13 characters of a long entry as 26 bytes of UTF-16LE. */
export function longPart(entry: Buffer, at: number, into: Buffer, part: number): void {
  const { LDIR_Name1, LDIR_Name2, LDIR_Name3 } = LongEntry.fields;
  LDIR_Name1.read(entry, at).copy(into, part * 26);
  LDIR_Name2.read(entry, at).copy(into, part * 26 + 10);
  LDIR_Name3.read(entry, at).copy(into, part * 26 + 22);
}

/** Collected parts → name, up to the NUL. Half a surrogate pair becomes U+FFFD. */
export function longName(utf16: Buffer): ByteString {
  let end = 0;
  while (end + 1 < utf16.length && (utf16[end] !== 0 || utf16[end + 1] !== 0)) end += 2;
  return fromHost(utf16.toString('utf16le', 0, end));
}

/** Equal for names that FAT takes for the same. */
export function folded(name: ByteString): string {
  return /^[\x00-\x7f]*$/.test(name) ? name.toLowerCase() : toUnicode(name).toLowerCase();
}
