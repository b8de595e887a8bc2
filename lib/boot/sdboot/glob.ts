/**
 * systemd-boot's patterns: `?`, `*`, sets like `[a-z_]` without negation, a backslash before any of them. Source:
 * loader.conf(5), "default".
 */
import type { ByteString } from '../../bytes/text';

type Token = { readonly kind: 'star' } | { readonly kind: 'one'; matches(c: number): boolean };

/** The pattern in pieces, or undefined when a set has no end: it then matches nothing. */
function tokens(pattern: ByteString): Token[] | undefined {
  const result: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '*') {
      if (result[result.length - 1]?.kind !== 'star') result.push({ kind: 'star' });
    } else if (c === '?') result.push({ kind: 'one', matches: () => true });
    else if (c === '[') {
      const ranges: [number, number][] = [];
      let mayRange = false;
      for (let first = true; ; first = false) {
        i++;
        if (pattern[i] === ']' && !first) break;
        if (mayRange && pattern[i] === '-' && pattern[i + 1] !== ']') {
          i++;
          if (pattern[i] === '\\') i++;
          if (i >= pattern.length) return undefined;
          ranges[ranges.length - 1]![1] = pattern.charCodeAt(i);
          mayRange = false;
          continue;
        }
        if (pattern[i] === '\\') i++;
        if (i >= pattern.length) return undefined;
        ranges.push([pattern.charCodeAt(i), pattern.charCodeAt(i)]);
        mayRange = true;
      }
      result.push({ kind: 'one', matches: (x) => ranges.some(([low, high]) => low <= x && x <= high) });
    } else {
      if (c === '\\') i++;
      if (i >= pattern.length) return undefined;
      const code = pattern.charCodeAt(i);
      result.push({ kind: 'one', matches: (x) => x === code });
    }
  }
  return result;
}

/** Time is at most the product of both lengths: only the last `*` is ever tried again. */
export function matchesGlob(pattern: ByteString, name: ByteString): boolean {
  const wanted = tokens(pattern);
  if (!wanted) return false;
  let at = 0;
  let token = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const here = wanted[token];
    if (here?.kind === 'star') {
      star = token++;
      starAt = at;
    } else if (here?.kind === 'one' && here.matches(name.charCodeAt(at))) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (wanted[token]?.kind === 'star') token++;
  return token === wanted.length;
}
