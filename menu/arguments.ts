/** Finds the line of an entry that has the kernel's arguments, in any configuration's language. */
import type { ByteString } from '../lib/bytes/text';

/**
 * Words at the start of such a line, the best first: where arguments have a line of their own (`APPEND`, `options`,
 * `append=`), that one; then the kernel's.
 */
const KINDS: readonly RegExp[] = [
  /^[ \t]*(?:append|options)(?:[ \t]*=|[ \t])/i,
  /^[ \t]*(?:linux|linux16|linuxefi|linuxxen|kernel|\$\{?linux[a-z_]*\}?|image)(?:[ \t]*=|[ \t])/i,
  // A hypervisor's first module is the kernel.
  /^[ \t]*(?:module|module2|xen_module)(?:[ \t]|$)/i,
];

/** A hypervisor is loaded by a `kernel` line of its own. */
const HYPERVISOR = /^[ \t]*(?:multiboot2?|xen_hypervisor|kernel[ \t].*\/xen[^ \t/]*(?:[ \t]|$))/i;

export interface ArgumentsLine {
  readonly before: ByteString;
  /** Without its line feed. */
  readonly line: ByteString;
  readonly after: ByteString;
}

export function argumentsLine(text: ByteString): ArgumentsLine | undefined {
  const lines = text.split('\n');
  const kinds = lines.some((line) => HYPERVISOR.test(line)) ? [KINDS[2]!, ...KINDS] : KINDS;
  for (const kind of kinds) {
    const at = lines.findIndex((line) => kind.test(line));
    if (at < 0) continue;
    const before = lines.slice(0, at).map((line) => `${line}\n`);
    const after = lines.slice(at + 1).map((line) => `\n${line}`);
    return { before: before.join(''), line: lines[at]!, after: after.join('') };
  }
  return undefined;
}
