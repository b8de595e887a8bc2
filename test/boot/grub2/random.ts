// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are GRUB's variables
/** Random scripts in GRUB's language, the same for the same seed. Every loop in them ends. */
import { generator } from '../dialect';

/** Numbers in [0, 1). */
export function numbers(seed: number): () => number {
  const below = generator(seed);
  return () => below(2 ** 32) / 2 ** 32;
}

const ATOMS = [
  'a',
  'b',
  'word',
  '$v',
  '${w}',
  '"$v"',
  '"${w}x"',
  "'$v q'",
  '"two words"',
  '$none',
  '"$none"',
  "''",
  '""',
  '$1',
  '"$2"',
  '$#',
  '$*',
  '"$*"',
  '$@',
  '"$@"',
  '$?',
  '\\$v',
  'a\\ b',
  '\\\\',
  '\\"',
  '"\\"q\\""',
  '"a\\$b\\\\c\\d"',
  '$"text $v"',
  '$"\\$x"',
  '/glob/file-*',
  '/glob/d?/x',
  '"/glob/*"',
  '/glob/none*',
  '$glob',
  '"$glob"',
  '*b',
  'x*',
  'x\\*',
  'a=b',
  '[x]',
  '-n',
  '#no',
  'x#y',
  '1',
  '2',
  '10',
  '0x10',
  '/glob',
  '/t/link',
  'if',
  'done',
  'in',
  '!',
  '=',
  '{}x',
];

const TEST_OPERATORS = ['=', '!=', '-eq', '-lt', '-ge', '"<"', '-plt', '-pgt', '==', '-ne'];
const NAMES = ['v', 'w', 'none', 'glob', 'x_1'];

export class Scripts {
  constructor(readonly next: () => number) {}

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)]!;
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  word(): string {
    let word = this.pick(ATOMS);
    // `{}` would be a block; glued atoms make the interesting words.
    if (word === '{}x') word = '\\{\\}x';
    while (this.chance(0.25)) {
      const more = this.pick(ATOMS);
      if (more !== '{}x' && !(word.endsWith('$') || /^[\w#]/.test(more))) word += more;
    }
    return word.startsWith('#') ? `\\${word}` : word;
  }

  words(max: number): string {
    return Array.from({ length: Math.floor(this.next() * (max + 1)) }, () => this.word()).join(' ');
  }

  separator(): string {
    return this.chance(0.6) ? '; ' : '\n';
  }

  list(depth: number): string {
    let text = '';
    const count = 1 + Math.floor(this.next() * 3);
    for (let i = 0; i < count; i++) text += this.command(depth) + this.separator();
    return text;
  }

  test(): string {
    const inner = () =>
      this.chance(0.3)
        ? `${this.pick(['-f', '-d', '-e', '-s', '-n', '-z', '!'])} ${this.word()}`
        : this.chance(0.7)
          ? `${this.word()} ${this.pick(TEST_OPERATORS)} ${this.word()}`
          : this.word();
    let text = inner();
    while (this.chance(0.3)) text += ` ${this.pick(['-a', '-o', ''])} ${inner()}`;
    return this.chance(0.5) ? `[ ${text} ]` : `test ${text}`;
  }

  command(depth: number): string {
    const kind = depth <= 0 ? Math.floor(this.next() * 8) : Math.floor(this.next() * 13);
    switch (kind) {
      case 0:
      case 1:
        return `echo ${this.words(4)}`;
      case 2:
        return `${this.pick(NAMES)}=${this.word()}`;
      case 3:
        return `set ${this.pick(NAMES)}=${this.word()}`;
      case 4:
        return `${this.chance(0.2) ? '! ' : ''}${this.test()}; echo $?`;
      case 5:
        return `show ${this.words(5)}`;
      case 6:
        return this.pick([
          'true',
          'false',
          'nosuch x',
          'unset w',
          'break',
          'continue',
          'break 2',
          'shift',
          'setparams p "q r"',
          'return',
          'return 1',
          'continue x',
          'set v="one two"',
          "w='x*'",
          '! true',
          'v=/glob/d1',
        ]);
      case 7:
        return `eval "${this.pick(['echo \\$v', 'w=\\$1', 'return 1', 'if true; then echo e; fi', 'echo $v; false'])}"`;
      case 8: {
        let text = `if ${this.list(depth - 1)}then ${this.list(depth - 1)}`;
        while (this.chance(0.3)) text += `elif ${this.list(depth - 1)}then ${this.list(depth - 1)}`;
        if (this.chance(0.5)) text += `else ${this.list(depth - 1)}`;
        return `${text}fi`;
      }
      case 9:
      case 10:
        return `for ${this.pick(NAMES)} in ${this.words(4)}${this.separator()}do ${this.list(depth - 1)}done`;
      case 11:
        // Counts down on a variable of its own, whatever the body does.
        return `n${depth}=; ${this.pick(['while', 'until !'])} [ "$n${depth}" != xxx ]; do n${depth}=x$n${depth}; ${this.list(depth - 1)}done`;
      default:
        return `block ${this.words(2)} { ${this.list(depth - 1)}}`;
    }
  }

  /** A function whose body is random, and a call of it. */
  call(): string {
    return `function f {\n${this.list(2)}}\nf ${this.words(4)}; echo $?`;
  }

  /** `damaged` without loops that the damage could make endless. */
  harmlessDamage(): string {
    for (;;) {
      const text = this.damaged();
      if (!/while|until|\bset\b/.test(text)) return text;
    }
  }

  /** Something with one character or word changed, which seldom still is a script. */
  damaged(): string {
    const text = this.list(2);
    const at = Math.floor(this.next() * text.length);
    const change = this.pick([
      '',
      '"',
      "'",
      '$',
      '{',
      '}',
      ';',
      '|',
      '\\',
      ' ',
      '\n',
      ' fi ',
      ' then ',
      ' { ',
      ' done',
      '#',
      '&',
      '${',
      '$(',
      '[[ ',
    ]);
    return text.slice(0, at) + change + text.slice(at + (this.chance(0.5) ? 1 : 0));
  }

  snippet(): string {
    const text = this.chance(0.3) ? this.call() : this.list(3);
    return this.chance(0.15) ? `eval ${quote(this.harmlessDamage())}` : text;
  }
}

/** A text as one single-quoted word. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What random scripts rely on. */
export const PRELUDE = `function show { echo "$#: <$1> <$2> <$3> <$4> <$5>"; }
function block { echo "block $#"; }
v=val; w="two words"; glob=/glob/*-1*
`;
