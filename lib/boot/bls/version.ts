/**
 * Orders of version strings. `rpm`: what rpm's documentation calls version comparison, as Red Hat's GRUB uses it on the
 * names of BLS entries (with its own rule for `+`). `file`: GNU's version sort (coreutils manual, "Version sort
 * ordering"), which upstream GRUB uses for the same. `compareVersions`: the specification's own (UAPI.10), systemd-boot's.
 */
import type { ByteString } from '../../bytes/text';

/**
 * Compares by segments: runs of digits as numbers, runs of letters as text, anything else only separates. Digits are
 * newer than letters; `~` sorts before the end of the string and before everything else; `+` after the end, and before
 * everything else. Locale-free: ASCII letters and digits only.
 * @returns 1 when `a` is newer, -1 when `b` is, 0 when they count as the same version
 */
export function compareRpm(a: ByteString, b: ByteString): -1 | 0 | 1 {
  if (a === b) return 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    i = skipSeparators(a, i);
    j = skipSeparators(b, j);
    const x = a[i];
    const y = b[j];
    if (x === '~' || y === '~') {
      if (x !== '~') return 1;
      if (y !== '~') return -1;
      i++;
      j++;
      continue;
    }
    if (x === '+' || y === '+') {
      if (x === undefined) return -1;
      if (y === undefined) return 1;
      if (x !== '+') return 1;
      if (y !== '+') return -1;
      i++;
      j++;
      continue;
    }
    if (x === undefined || y === undefined) break;
    const kind = isDigit(x.charCodeAt(0)) ? isDigit : isLetter;
    const iEnd = segmentEnd(a, i, kind);
    const jEnd = segmentEnd(b, j, kind);
    // `b`'s next segment is of the other kind: numbers are newer than letters.
    if (jEnd === j) return kind === isDigit ? 1 : -1;
    const order = compareSegments(a.slice(i, iEnd), b.slice(j, jEnd), kind === isDigit);
    if (order !== 0) return order;
    i = iEnd;
    j = jEnd;
  }
  if (i >= a.length && j >= b.length) return 0;
  return i >= a.length ? -1 : 1;
}

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isLetter = (c: number): boolean => (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);

function skipSeparators(text: ByteString, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (isDigit(c) || isLetter(c) || c === 0x7e || c === 0x2b) break;
  }
  return at;
}

function segmentEnd(text: ByteString, from: number, kind: (c: number) => boolean): number {
  let at = from;
  while (at < text.length && kind(text.charCodeAt(at))) at++;
  return at;
}

function compareSegments(a: string, b: string, numeric: boolean): -1 | 0 | 1 {
  if (numeric) {
    // Longer than any machine integer is allowed: by length, then as text.
    const x = a.replace(/^0+/, '');
    const y = b.replace(/^0+/, '');
    if (x.length !== y.length) return x.length > y.length ? 1 : -1;
    return x === y ? 0 : x > y ? 1 : -1;
  }
  return a === b ? 0 : a > b ? 1 : -1;
}

/** A package-like name in its parts: `name-version-release`, split at the last two dashes. */
export interface NameVersionRelease {
  readonly name: ByteString;
  readonly version: ByteString;
  readonly release: ByteString;
}

/** Without any dash all of it is the name; with one it is name and release moved up to version. */
export function splitNameVersionRelease(text: ByteString): NameVersionRelease {
  const last = text.lastIndexOf('-');
  if (last < 0) return { name: text, version: '', release: '' };
  const before = text.lastIndexOf('-', last - 1);
  if (last === 0 || before < 0)
    return { name: text.slice(0, last), version: text.slice(last + 1), release: '' };
  return {
    name: text.slice(0, before),
    version: text.slice(before + 1, last),
    release: text.slice(last + 1),
  };
}

/** Part by part with `compareRpm`. */
export function compareNameVersionRelease(a: NameVersionRelease, b: NameVersionRelease): -1 | 0 | 1 {
  return compareRpm(a.name, b.name) || compareRpm(a.version, b.version) || compareRpm(a.release, b.release);
}

/**
 * GNU version sort: `.` and `..` and hidden names first, names compared without their suffixes (`.conf`, `.tar.gz`)
 * first and with them where that ties; letters before other bytes, `~` before the end of the string.
 * @returns below 0, 0 or above 0
 */
export function compareFileVersions(a: ByteString, b: ByteString): number {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? -1 : 1;
  for (const special of ['.', '..']) if (a === special || b === special) return a === special ? -1 : 1;
  const hidden = Number(b.startsWith('.')) - Number(a.startsWith('.'));
  if (hidden !== 0) return hidden;
  return compareMixed(withoutSuffix(a), withoutSuffix(b)) || compareMixed(a, b);
}

/** Suffixes: a dot, a letter or `~`, then letters, digits and `~`; several in a row, perhaps all of the name. */
function withoutSuffix(name: ByteString): ByteString {
  let end = name.length;
  for (;;) {
    let at = end;
    while (at > 0 && /[A-Za-z0-9~]/.test(name[at - 1]!)) at--;
    if (at === end || at === 0 || name[at - 1] !== '.' || !/[A-Za-z~]/.test(name[at]!))
      return name.slice(0, end);
    end = at - 1;
  }
}

/** Where a byte stands: `~`, end of the string, digits, letters, all others. */
function rank(text: ByteString, at: number): number {
  if (at >= text.length) return -1;
  const c = text.charCodeAt(at);
  if (isDigit(c)) return 0;
  if (isLetter(c)) return c;
  return c === 0x7e ? -2 : c + 256;
}

/** Runs of other bytes by `rank`, runs of digits by value, in turn. */
function compareMixed(a: ByteString, b: ByteString): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a.charCodeAt(i))) || (j < b.length && !isDigit(b.charCodeAt(j)))) {
      const order = rank(a, i) - rank(b, j);
      if (order !== 0) return order;
      i++;
      j++;
    }
    const iEnd = segmentEnd(a, i, isDigit);
    const jEnd = segmentEnd(b, j, isDigit);
    const order = compareSegments(a.slice(i, iEnd), b.slice(j, jEnd), true);
    if (order !== 0) return order;
    i = iEnd;
    j = jEnd;
  }
  return 0;
}

const isSignificant = (c: number): boolean =>
  isDigit(c) || isLetter(c) || c === 0x7e || c === 0x2d || c === 0x5e || c === 0x2e;

/**
 * The order of uapi-group.org/specifications/specs/version_format_specification, as systemd's strverscmp_improved has
 * it: `~` is older than the end, then `-`, `^`, `.` each older than its absence, numbers newer than letters and an
 * empty number older than 0. Other bytes only separate.
 * @returns 1 when `a` is newer, -1 when `b` is, 0 when they count as the same version
 */
export function compareVersions(a: ByteString, b: ByteString): -1 | 0 | 1 {
  let i = 0;
  let j = 0;
  for (;;) {
    while (i < a.length && !isSignificant(a.charCodeAt(i))) i++;
    while (j < b.length && !isSignificant(b.charCodeAt(j))) j++;
    for (const mark of '~-^.') {
      // Longer is newer, but for a tilde.
      if (mark === '-' && (i >= a.length || j >= b.length)) return i < a.length ? 1 : j < b.length ? -1 : 0;
      if (a[i] !== mark && b[j] !== mark) continue;
      if (a[i] !== mark) return 1;
      if (b[j] !== mark) return -1;
      i++;
      j++;
    }
    const numeric = isDigitAt(a, i) || isDigitAt(b, j);
    const kind = numeric ? isDigit : isLetter;
    const iEnd = segmentEnd(a, i, kind);
    const jEnd = segmentEnd(b, j, kind);
    if (numeric && iEnd > i !== jEnd > j) return iEnd > i ? 1 : -1;
    const order = compareSegments(a.slice(i, iEnd), b.slice(j, jEnd), numeric);
    if (order !== 0) return order;
    i = iEnd;
    j = jEnd;
  }
}

const isDigitAt = (text: ByteString, at: number): boolean => at < text.length && isDigit(text.charCodeAt(at));
