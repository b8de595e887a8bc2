/** What Node loads when it starts, for a root directory that holds nothing else. */
import { execFileSync } from 'node:child_process';

/**
 * Absolute paths: what ldd(1) says of this Node, and the modules that distributions take out of it (Debian: /usr/share/nodejs).
 * A static Node needs nothing.
 */
export function librariesOf(node: string): string[] {
  let text = '';
  try {
    const env = { PATH: '/usr/bin:/bin' };
    text = execFileSync('ldd', [node], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env });
  } catch {
    // "not a dynamic executable", or no ldd: then Node itself says what it misses.
  }
  // `NAME => PATH (ADDRESS)`, and the linker itself: `PATH (ADDRESS)`
  const libraries = [...text.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)].map((match) => match[1]!);
  const own = (process.config.variables as Record<string, unknown>).node_builtin_shareable_builtins;
  const modules = Array.isArray(own) ? own.filter((path) => String(path).startsWith('/')) : [];
  return [...new Set([...libraries, ...modules])];
}
