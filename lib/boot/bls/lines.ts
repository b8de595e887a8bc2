/**
 * Lines of a key and a value, as systemd-boot reads them in entries, loader.conf and os-release: leading and trailing
 * blanks are dropped, a line that starts with `#` is a comment, a key alone is passed over, one pair of quotes around
 * the value goes. A NUL ends the text.
 */
import type { Context } from '../../bytes/budget';
import type { ByteString } from '../../bytes/text';

/**
 * Bytes of text that cost a step: titles of all entries are sorted and compared, so megabytes of them are not only read.
 */
const BYTES_A_STEP = 16;

/** @param separators the bytes that may stand between key and value, any number of them: ` \t`, `=` */
export function* keyValues(
  text: ByteString,
  separators: ByteString,
  ctx: Context,
): Generator<[key: ByteString, value: ByteString]> {
  ctx.budget.step(Math.ceil(text.length / BYTES_A_STEP));
  const nul = text.indexOf('\0');
  const whole = nul < 0 ? text : text.slice(0, nul);
  for (const [found] of whole.matchAll(/[^\n\r]+/g)) {
    ctx.budget.step();
    const line = trimmed(found);
    if (line === '' || line.startsWith('#')) continue;
    let end = 0;
    while (end < line.length && !separators.includes(line[end]!)) end++;
    if (end === line.length) continue;
    let from = end;
    while (from < line.length && separators.includes(line[from]!)) from++;
    let value = line.slice(from);
    const quote = value[0];
    if ((quote === '"' || quote === "'") && value.endsWith(quote)) value = value.slice(1, -1);
    yield [line.slice(0, end), value];
  }
}

const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t';

function trimmed(line: ByteString): ByteString {
  let from = 0;
  let to = line.length;
  while (from < to && isBlank(line[from])) from++;
  while (to > from && isBlank(line[to - 1])) to--;
  return line.slice(from, to);
}
