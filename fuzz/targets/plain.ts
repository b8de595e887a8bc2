/** Texts with pieces changed, and targets that are one function of a text. */
import { GuestError } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import type { Random } from '../random';
import { ALLOWANCE, type Target } from '../target';

export interface TextCase {
  readonly text: ByteString;
  /** Typed at GRUB's command line. */
  readonly line?: ByteString;
  /** What it may cost: a loop without end takes all of it, in every round that has one. */
  readonly steps: number;
}

const ODD = '\n\n  \t\'"\\=,()[]{}<>$#-+\0\r/;|&*?!:%@~`^.0199\x80\xff\x1b';

/** A damaged `text`: bytes changed, runs dropped, doubled, moved, lines swapped, words of others put in. */
export function damaged(random: Random, text: ByteString, words: readonly ByteString[]): ByteString {
  let made = text;
  for (let rounds = 1 + random.skewed(6); rounds > 0; rounds--) {
    const at = random.below(made.length + 1);
    const length = random.below(random.chance(0.2) ? 300 : 12);
    const before = made.slice(0, at);
    const after = made.slice(at + length);
    const run = made.slice(at, at + length);
    switch (random.below(11)) {
      case 0:
        made = before + String.fromCharCode(random.below(256)) + made.slice(at + 1);
        break;
      case 1:
        made = before + after;
        break;
      case 2:
        made = before + run.repeat(1 + random.below(random.chance(0.05) ? 200 : 4)) + after;
        break;
      case 3: {
        const rest = before + after;
        const to = random.below(rest.length + 1);
        made = rest.slice(0, to) + run + rest.slice(to);
        break;
      }
      case 4:
      case 5:
        made = before + ODD[random.below(ODD.length)]! + made.slice(at);
        break;
      case 6: {
        const lines = made.split('\n');
        const [a, b] = [random.below(lines.length), random.below(lines.length)];
        [lines[a], lines[b]] = [lines[b]!, lines[a]!];
        made = lines.join('\n');
        break;
      }
      case 7:
      case 8:
        made = `${before}${random.pick(words)}${random.pick(['', ' ', '\n', '='])}${made.slice(at)}`;
        break;
      case 9:
        made =
          before +
          String(random.pick([0, -1, 1, 65535, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, '99999999999999999999'])) +
          after;
        break;
      default:
        if (random.chance(0.2)) made = before;
    }
    if (made.length > 64 * 1024) made = made.slice(0, 64 * 1024);
  }
  return made;
}

/** `text` with one of the places that `pattern` (global) matches changed. */
export function changedPlace(
  random: Random,
  text: ByteString,
  pattern: RegExp,
  change: (found: ByteString) => ByteString,
): ByteString {
  const all = [...text.matchAll(pattern)];
  if (all.length === 0) return text;
  const { 0: found, index } = random.pick(all);
  return text.slice(0, index) + change(found) + text.slice(index + found.length);
}

export function* shorter(text: ByteString): Generator<ByteString> {
  for (let size = text.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at < text.length; at += size) yield text.slice(0, at) + text.slice(at + size);
}

/** Text that goes straight into a function. */
export class PlainTarget implements Target<TextCase> {
  readonly kind = 'parser';
  readonly weight = 0.4;
  constructor(
    readonly name: string,
    readonly corpus: readonly ByteString[],
    readonly words: readonly ByteString[],
    readonly use: (text: ByteString) => boolean,
    /** Other errors that say no. */
    readonly refusals: readonly (new (...args: never[]) => Error)[] = [],
    /** Changes that keep the text's form, in half of the rounds. */
    readonly edit?: (random: Random, text: ByteString) => ByteString,
  ) {}
  make(random: Random): TextCase {
    const sound = random.pick(this.corpus);
    const text =
      this.edit && random.chance(0.5) ? this.edit(random, sound) : damaged(random, sound, this.words);
    return { text, steps: ALLOWANCE.runSteps };
  }
  run({ text }: TextCase): boolean {
    try {
      return this.use(text);
    } catch (error) {
      if (error instanceof GuestError || this.refusals.some((kind) => error instanceof kind)) return false;
      throw error;
    }
  }
  *smaller(input: TextCase): Generator<TextCase> {
    for (const text of shorter(input.text)) yield { ...input, text };
  }
  files({ text }: TextCase): Record<string, Buffer | string> {
    return { '.txt': Buffer.from(text, 'latin1') };
  }
}
