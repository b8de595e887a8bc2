/** Wildcards of words, on devices and in paths: a chunk of the built program. */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import { walk } from '../../fs/walk';
import { splitDevice } from '../guest';
import { type Scope, unescaped } from './expand';
import { seenBy } from './seen';

/**
 * Whether `name` matches the escaped pattern (`*` any run, `?` one byte). Linear but for one level of backtracking,
 * so no pattern can make it slow.
 */
export function matches(pattern: ByteString, name: ByteString, budget?: Budget): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let retry = 0;
  let work = 0;
  for (;;) {
    work++;
    const c = pattern[p];
    if (c === '*') {
      star = ++p;
      retry = n;
      continue;
    }
    if (n < name.length) {
      if (c === '?') {
        p++;
        n++;
        continue;
      }
      const literal = c === '\\' ? pattern[p + 1] : c;
      if (c !== undefined && literal === name[n]) {
        p += c === '\\' ? 2 : 1;
        n++;
        continue;
      }
    } else if (p >= pattern.length) {
      budget?.step(work >> 6);
      return true;
    }
    if (star < 0 || retry >= name.length) {
      budget?.step(work >> 6);
      return false;
    }
    p = star;
    n = ++retry;
  }
}

/** The part of an escaped path up to and with its first component that has a wildcard. */
function splitPattern(pattern: ByteString, from: number): { plainEnd: number; end: number } {
  let wild = false;
  let plainEnd = from;
  let p = from;
  for (; p < pattern.length; p++) {
    const c = pattern[p];
    if (c === '\\' && p + 1 < pattern.length) p++;
    else if (c === '*' || c === '?') wild = true;
    else if (c === '/') {
      if (wild) break;
      plainEnd = p + 1;
    }
  }
  return { plainEnd: wild ? plainEnd : p, end: p };
}

function deviceNames(scope: Scope): ByteString[] {
  const names: ByteString[] = [];
  // GRUB's order.
  for (const disk of scope.guest.disks)
    names.push(disk.name, ...disk.partitions.map((partition) => partition.name).reverse());
  return names;
}

/** Names in a directory, in the filesystem's own order; none when it cannot be read. */
function* namesIn(directory: ByteString, scope: Scope): Generator<ByteString> {
  try {
    const { device, path } = splitDevice(directory);
    const volume = device === undefined ? scope.root() : scope.guest.device(device);
    const fs = volume && seenBy(scope, volume);
    if (!fs) return;
    const node = walk(fs, path);
    if (node.kind !== 'directory') return;
    for (const entry of fs.readdir(node)) {
      scope.budget.step();
      yield entry.name;
    }
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
  }
}

/** Whether a path that a wildcard led to goes on as the pattern says. */
function exists(path: ByteString, scope: Scope): boolean {
  scope.budget.step();
  try {
    const { device, path: inside } = splitDevice(path);
    const volume = device === undefined ? scope.root() : scope.guest.device(device);
    const fs = volume && seenBy(scope, volume);
    if (!fs) return false;
    const node = walk(fs, inside, false);
    return !inside.endsWith('/') || node.kind === 'directory';
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    return false;
  }
}

/**
 * GRUB's wildcards: on devices (`*`, `(hd*,*)`) and in absolute paths.
 * @param pattern escaped
 * @returns undefined where there is nothing to expand, or nothing matches
 */
export function glob(pattern: ByteString, scope: Scope): ByteString[] | undefined {
  let paths: ByteString[] | undefined;
  let wild = false;
  let at = 0;
  while (at < pattern.length) {
    const { plainEnd, end } = splitPattern(pattern, at);
    if (plainEnd === end) {
      const tail = unescaped(pattern.slice(at, end));
      if (!paths) paths = [tail];
      else if (wild) paths = paths.map((p) => p + tail).filter((p) => exists(p, scope));
      if (paths.length === 0) return undefined;
    } else {
      wild = true;
      const component = pattern.slice(plainEnd, end);
      const found: ByteString[] = [];
      if (!paths && at === plainEnd) {
        // The device itself is the pattern; without a parenthesis GRUB takes whole disks only.
        for (const name of deviceNames(scope)) {
          scope.budget.step();
          if (!pattern.startsWith('(') && name.includes(',')) continue;
          if (matches(component, `(${name})`, scope.budget)) found.push(`(${name})`);
        }
      } else {
        const middle = unescaped(pattern.slice(at, plainEnd));
        for (const before of paths ?? [''])
          for (const name of namesIn(before + middle, scope))
            if (matches(component, name, scope.budget)) {
              scope.budget.allocate(before.length + middle.length + name.length);
              found.push(before + middle + name);
            }
      }
      if (found.length === 0) return undefined;
      paths = found;
    }
    at = end;
  }
  return paths;
}
