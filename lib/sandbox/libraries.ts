/** What Node loads when it starts, for a root directory that holds nothing else. */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';

/** Absolute paths: libraries, and modules that distributions take out of Node. A static Node needs nothing. */
export function librariesOf(node: string): string[] {
  // ld.so(8): with this variable the program is not run, what it loads is listed. That is what ldd(1) does, which a small dom0 may
  // not have. musl's linker does not know the variable, and does the same when it is called ldd.
  const libraries = listed(node, '--version', { LD_TRACE_LOADED_OBJECTS: '1' });
  if (libraries.length === 0) libraries.push(...listed('ldd', node, {}));
  const code = [node, ...libraries.filter((path) => basename(path).startsWith('libnode.'))];
  return [...new Set([...libraries, ...code.flatMap(modulesOf)])];
}

function listed(program: string, argument: string, more: object): string[] {
  try {
    const env = { PATH: '/usr/bin:/bin', ...more };
    const text = execFileSync(program, [argument], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env,
    });
    // `NAME => PATH (ADDRESS)`, and the linker itself: `PATH (ADDRESS)`
    return [...text.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)].map((match) => match[1]!);
  } catch {
    // "not a dynamic executable", or no ldd: then Node itself says what it misses.
    return [];
  }
}

const CHUNK = 4 << 20;
/** Longer than any path: PATH_MAX. */
const OVERLAP = 4096;

/**
 * Debian's Node reads some of its JavaScript from /usr/share/nodejs, and aborts at start where it is not; `process.config` does not say
 * so. The paths are strings of the binary (node_builtins.cc, AddExternalizedBuiltin).
 */
function modulesOf(binary: string): string[] {
  const found: string[] = [];
  const buffer = Buffer.alloc(OVERLAP + CHUNK);
  const fd = openSync(binary, 'r');
  try {
    for (let at = 0, kept = 0; ; ) {
      const read = readSync(fd, buffer, kept, CHUNK, at);
      if (read === 0) return found;
      at += read;
      const text = buffer.subarray(0, kept + read);
      for (let end = text.indexOf('.js\0'); end >= 0; end = text.indexOf('.js\0', end + 1)) {
        const path = text.toString('latin1', text.lastIndexOf(0, end) + 1, end + 3);
        if (path.startsWith('/') && existsSync(path)) found.push(path);
      }
      kept = Math.min(OVERLAP, text.length);
      text.copy(buffer, 0, text.length - kept);
    }
  } finally {
    closeSync(fd);
  }
}
