/**
 * Guest text. Names, paths, titles and arguments are *bytes* to a guest; inside this program they are byte strings:
 * JavaScript strings in which each character is one byte (latin1, 0x00–0xff). They compare, split and match bytewise,
 * cost one byte a character in V8, and lose nothing. They are decoded only when shown, and escaped then.
 */
export type ByteString = string;

/** Bytes → byte string. */
export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Byte string → bytes. */
export function toBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A host's (Unicode) string → byte string of its UTF-8. */
export function fromHost(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

const utf8 = () => new TextDecoder('utf-8', { fatal: true });

/**
 * Byte string → Unicode for JSON and screens: UTF-8 where it is valid, otherwise each byte as that code point
 * (latin1), so that nothing is lost silently.
 */
export function toUnicode(text: ByteString): string {
  // Plain ASCII, the usual case, needs no decoding.
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  try {
    return utf8().decode(toBytes(text));
  } catch {
    return text;
  }
}

/**
 * Byte string → one printable line for logs and terminals. C0 and C1 controls, DEL, bidirectional overrides and bytes
 * that are not UTF-8 become `\xNN` or `\u{NNNN}`; the words `RuntimeError: ` cannot appear, because xapi takes the
 * first of them in stderr for ours.
 * @param maxLength characters kept; the rest becomes `…`
 */
export function printable(text: ByteString, maxLength = 512): string {
  const cut = text.length > maxLength;
  let shown = toUnicode(cut ? text.slice(0, maxLength) : text);
  shown = shown.replace(
    /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (c) => {
      const n = c.charCodeAt(0);
      return n < 0x100 ? `\\x${n.toString(16).padStart(2, '0')}` : `\\u{${n.toString(16)}}`;
    },
  );
  shown = shown.replace(/RuntimeError:/g, 'RuntimeError\\x3a');
  return cut ? `${shown}…` : shown;
}
