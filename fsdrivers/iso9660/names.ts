/** File identifiers → names as Linux and GRUB show them, and how names compare. */
import { type ByteString, fromBytes, fromHost } from '../../lib/bytes/text';

/** ASCII only, as in both. */
const lower = (name: ByteString): ByteString => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** `VMLINUZ.;1` → `VMLINUZ`: without the version and the dot of an empty extension. */
function withoutVersion(name: string): string {
  const semicolon = name.lastIndexOf(';');
  const base = semicolon >= 0 && /^\d*$/.test(name.slice(semicolon + 1)) ? name.slice(0, semicolon) : name;
  return base.length > 1 && base.endsWith('.') ? base.slice(0, -1) : base;
}

/**
 * A name of the primary tree. In lower case, as Linux shows it (map=normal) and GRUB compares it; what a path cannot
 * hold becomes a dot, as in Linux.
 */
export function primaryName(identifier: Buffer): ByteString {
  return lower(enhancedName(identifier));
}

/** A name of the enhanced tree, in the case in which it was recorded. */
export function enhancedName(identifier: Buffer): ByteString {
  return withoutVersion(cut(fromBytes(identifier))).replace(/[;/]/g, '.');
}

/** A name of the Joliet tree: UCS-2 (in fact UTF-16), big-endian. */
export function jolietName(identifier: Buffer): ByteString {
  const even = identifier.subarray(0, identifier.length & ~1);
  return withoutVersion(cut(fromHost(Buffer.from(even).swap16().toString('utf16le'))));
}

function cut(name: string): string {
  const end = name.indexOf('\0');
  return end < 0 ? name : name.slice(0, end);
}

/** Equal for names that are the same where case does not count. Neither do dots at the end (Linux, for Joliet). */
export function folded(name: ByteString): ByteString {
  let end = name.length;
  while (end > 1 && name[end - 1] === '.') end--;
  return lower(name.slice(0, end));
}
