/** Configuration languages: a sound configuration with pieces changed, or one that a grammar made. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { dialects, furtherDialects } from '../../lib/boot';
import { allChoices, defaultChoice } from '../../lib/boot/choose';
import {
  assignments,
  isEnvironmentBlock,
  SIGNATURE,
  valueIn,
  withoutName,
  withValue,
} from '../../lib/boot/grub2/envblock';
import { compileRegex, RegexError } from '../../lib/boot/grub2/ere';
import { matches } from '../../lib/boot/grub2/glob';
import type { BootContext, BootDialect } from '../../lib/boot/model';
import { GuestError } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { walk } from '../../lib/fs/walk';
import { PRELUDE, Scripts } from '../../test/boot/grub2/random';
import { bzImage } from '../../test/boot/images';
import { link, MemoryFs, type MemoryTree, memoryGuest } from '../../test/boot/memfs';
import type { Random } from '../random';
import { ALLOWANCE, context, type Target } from '../target';
import { guarded } from './images';

export interface TextCase {
  readonly text: ByteString;
  /** Typed at GRUB's command line. */
  readonly line?: ByteString;
  /** What it may cost: a loop without end takes all of it, in every round that has one. */
  readonly steps: number;
}

const ODD = '\n\n  \t\'"\\=,()[]{}<>$#-+\0\r/;|&*?!:%@~`^.0199\x80\xff\x1b';

/** A damaged `text`: bytes changed, runs dropped, doubled, moved, lines swapped, words of others put in. */
function damaged(random: Random, text: ByteString, words: readonly ByteString[]): ByteString {
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

function* shorter(text: ByteString): Generator<ByteString> {
  for (let size = text.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at < text.length; at += size) yield text.slice(0, at) + text.slice(at + size);
}

const KERNEL = bzImage('6.1').toString('latin1');
/** What configurations name; enough for most entries to be resolved. */
const FILES: MemoryTree = {
  vmlinuz: KERNEL,
  'initrd.img': 'initrd',
  boot: {
    vmlinuz: KERNEL,
    'vmlinuz-6.1': KERNEL,
    'initrd.img': 'initrd',
    link: link('vmlinuz'),
    loop: link('loop'),
    grub: {
      grubenv: `${SIGNATURE}saved_entry=one\nnext_entry=\n`.padEnd(1024, '#'),
      'more.cfg': 'menuentry more { linux /vmlinuz }\nset x=1\n',
      'self.cfg': 'source /boot/grub/self.cfg\n',
      fonts: {},
    },
  },
  etc: { fstab: '/dev/xvda1 / ext4 defaults 0 1\n', 'os-release': 'ID=tiny\n' },
  glob: { 'file-1': '', 'file-2': '', d1: { x: '' }, d2: { x: '' } },
  loader: { entries: { 'one.conf': 'title one\nlinux /vmlinuz\ninitrd /initrd.img\noptions x\n' } },
};

function merged(tree: MemoryTree, parts: readonly string[], text: ByteString): MemoryTree {
  const [name, ...rest] = parts;
  if (rest.length === 0) return { ...tree, [name!]: text };
  const inner = tree[name!];
  const folder = inner && typeof inner === 'object' && !(inner instanceof Uint8Array) ? inner : {};
  return { ...tree, [name!]: merged(folder as MemoryTree, rest, text) };
}

class TextTarget implements Target<TextCase> {
  readonly kind = 'parser';
  readonly #words: ByteString[];

  constructor(
    readonly name: string,
    readonly dialect: BootDialect,
    /** What is evaluated: a file, or a folder with `/`. */
    readonly path: string,
    /** Where the text stands. */
    readonly place: string,
    readonly corpus: readonly ByteString[],
    readonly grammar?: (random: Random) => ByteString,
    readonly weight = 1,
  ) {
    if (corpus.length === 0) throw new Error(`fuzz: ${name} has no configurations`);
    this.#words = [...new Set(corpus.flatMap((text) => text.split(/[\s=]+/)))].filter((w) => w.length < 60);
  }

  make(random: Random): TextCase {
    const made = this.grammar !== undefined && random.chance(0.5);
    const text = made ? this.grammar!(random) : random.pick(this.corpus);
    const line =
      this.grammar && random.chance(0.1)
        ? { line: damaged(random, random.pick(this.#words), this.#words) }
        : {};
    const steps = random.chance(0.03) ? ALLOWANCE.runSteps : 4_000;
    return { text: made && random.chance(0.6) ? text : damaged(random, text, this.#words), ...line, steps };
  }

  run({ text, line, steps }: TextCase): boolean {
    const ctx = context({ ...ALLOWANCE, runSteps: steps });
    const fs = new MemoryFs(merged(FILES, this.place.split('/').slice(1), text));
    const guest = memoryGuest(ctx, [fs]);
    const boot: BootContext = { ...ctx, guest, quiet: true };
    const volume = guest.device('hd0')!;
    try {
      const menu = this.dialect.evaluate({ volume, path: this.path, fs, node: walk(fs, this.path) }, boot);
      let n = 0;
      for (const { entry } of allChoices(menu)) {
        if (++n > 6) break;
        entry.resolve();
      }
      defaultChoice(menu, () => {})?.entry.resolve();
      if (line !== undefined && menu.shell) {
        const shell = menu.shell();
        shell.complete(line, line.length >> 1);
        shell.run(line);
      }
      return n > 0 || menu.immediate !== undefined || menu.console !== '';
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return false;
    }
  }

  *smaller(input: TextCase): Generator<TextCase> {
    if (input.line !== undefined) yield { text: input.text, steps: input.steps };
    for (const text of shorter(input.text)) yield { ...input, text };
  }

  files({ text, line }: TextCase): Record<string, Buffer | string> {
    return {
      '.cfg': Buffer.from(text, 'latin1'),
      ...(line === undefined ? {} : { '.line': Buffer.from(line, 'latin1') }),
    };
  }
}

/** Text that goes straight into a function. */
class PlainTarget implements Target<TextCase> {
  readonly kind = 'parser';
  readonly weight = 0.4;
  constructor(
    readonly name: string,
    readonly corpus: readonly ByteString[],
    readonly words: readonly ByteString[],
    readonly use: (text: ByteString) => boolean,
  ) {}
  make(random: Random): TextCase {
    return { text: damaged(random, random.pick(this.corpus), this.words), steps: ALLOWANCE.runSteps };
  }
  run({ text }: TextCase): boolean {
    try {
      return this.use(text);
    } catch (error) {
      if (error instanceof GuestError || error instanceof RegexError) return false;
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

/** A random script of GRUB's language with menu entries, loaders and the commands that read disks. */
function script(random: Random): ByteString {
  const scripts = new Scripts(() => random.below(2 ** 30) / 2 ** 30);
  const command = () =>
    random.pick([
      () =>
        `linux ${random.pick(['/vmlinuz', '/boot/vmlinuz', '/boot/loop', '/none', '(hd0)/vmlinuz'])} ${scripts.words(3)}`,
      () => `initrd ${random.pick(['/initrd.img', '/boot/initrd.img newc:x:/initrd.img', '/none'])}`,
      () => `search --${random.pick(['file', 'label', 'fs-uuid'])} --set=root ${scripts.word()}`,
      () => `regexp --set=1:v ${scripts.word()} ${scripts.word()}`,
      () => `source ${random.pick(['/boot/grub/more.cfg', '/boot/grub/self.cfg', '/none'])}`,
      () => `configfile ${random.pick(['/boot/grub/more.cfg', '/boot/grub/grub.cfg'])}`,
      () => `load_env ${random.pick(['', 'saved_entry', '-f /boot/grub/grubenv'])}`,
      () => `save_env ${scripts.pick(['v', 'w', 'saved_entry'])}`,
      () =>
        `set ${random.pick(['default', 'fallback', 'timeout', 'superusers', 'prefix', 'root', 'menu_color_normal'])}=${scripts.word()}`,
      () => `loopback loop /vmlinuz\nset root=loop`,
      () => `probe --set=v ${random.pick(['--fs', '--fs-uuid', '--label'])} (hd0)`,
      () =>
        random.pick([
          'blscfg',
          'ls',
          'ls /boot',
          'cat /boot/grub/grubenv',
          'hexdump /vmlinuz',
          'boot',
          'cmp /vmlinuz /boot/vmlinuz',
          'test -f /vmlinuz',
          'list_env',
          'export v',
        ]),
      () => `until false; do ${scripts.command(1)}; ${random.pick(['break', 'true', 'v=$v.'])}; done`,
      () => `function f { ${random.pick(['f', 'f; f', 'g', 'return'])}; }\nf`,
      () => scripts.snippet(),
    ])();
  let text = PRELUDE;
  for (let n = random.below(5); n > 0; n--) text += `${command()}\n`;
  const entry = (depth: number): string => {
    const kind = depth > 0 && random.chance(0.3) ? 'submenu' : 'menuentry';
    const body =
      kind === 'submenu'
        ? Array.from({ length: random.below(3) }, () => entry(depth - 1)).join('')
        : Array.from({ length: random.below(5) }, command).join('\n');
    const options = random.pick([
      '',
      ' --class x',
      ' --id one',
      ' --unrestricted',
      ' --users root',
      ' --hotkey=c',
      ` ${scripts.word()}`,
    ]);
    return `${kind} ${random.pick(['one', "'two words'", '"$v"', scripts.word()])}${options} {\n${body}\n}\n`;
  };
  for (let n = random.below(4); n > 0; n--) text += entry(2);
  return text;
}

export function textTargets(root: string): Target[] {
  const folder = (path: string, pattern: RegExp): ByteString[] => {
    const found: ByteString[] = [];
    const visit = (at: string): void => {
      for (const name of readdirSync(at).sort()) {
        const file = join(at, name);
        if (statSync(file).isDirectory()) visit(file);
        else if (pattern.test(name)) {
          const bytes = readFileSync(file);
          const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
          if (text.length < 40_000) found.push(text);
        }
      }
    };
    visit(join(root, 'fixtures', path));
    return found;
  };
  const past = (name: string): ByteString[] =>
    folder('malformed', new RegExp(`^${name}-.*\\.(conf|cfg|lst|txt)(\\.gz)?$`));
  const all = [...dialects, ...furtherDialects()];
  const of = (name: string): BootDialect => all.find((d) => d.name === name)!;
  const configs = (name: string, pattern = /\.(conf|cfg|lst)$/): ByteString[] => [
    ...folder(`configs/${name}`, pattern),
    ...past(name),
  ];
  const one = (
    name: string,
    path: string,
    corpus: readonly ByteString[],
    place = path,
    grammar?: (random: Random) => ByteString,
    weight = 1,
  ) => new TextTarget(`dialect-${name}`, of(name), path, place, corpus, grammar, weight);
  const patterns = [
    '^(a+)+$',
    '([a-z]*)-([0-9]+)\\.',
    '[[:alpha:]]{2,5}x|y*',
    '(a|b)*\\1',
    '\\.(cfg|conf)$',
    '^[^/]*/(.*)$',
    'a{0,255}b{3}',
    '((((a))))?',
  ];
  const block = `${SIGNATURE}saved_entry=one\nnext_entry=two\\\nx\n# a comment\n`.padEnd(1024, '#');
  return [
    one(
      'grub2',
      '/boot/grub/grub.cfg',
      [...configs('grub2'), ...folder('configs/grub2-commands', /\.cfg$/)],
      undefined,
      script,
      3,
    ),
    one('grublegacy', '/boot/grub/menu.lst', configs('grublegacy')),
    one('syslinux', '/extlinux.conf', configs('syslinux', /\.(cfg|inc)$/)),
    one('sdboot', '/loader/loader.conf', [
      ...folder('configs/sdboot', /^loader\.conf$/),
      'timeout 3\ndefault one*\neditor no\n',
    ]),
    one(
      'bls',
      '/loader/entries/',
      [...configs('bls'), ...folder('configs/sdboot', /\.conf$/)],
      '/loader/entries/two.conf',
    ),
    one('lilo', '/etc/lilo.conf', configs('lilo')),
    one('elilo', '/elilo.conf', configs('elilo')),
    one('yaboot', '/etc/yaboot.conf', configs('yaboot')),
    one('kboot', '/kboot.conf', configs('kboot')),
    new PlainTarget('envblock', [block], ['saved_entry=', '# GRUB Environment Block\n', '\\\n'], (text) => {
      const ctx = context();
      if (!isEnvironmentBlock(text)) return false;
      let n = 0;
      for (const _ of assignments(text, ctx)) n++;
      guarded(() => void valueIn(text, 'saved_entry', ctx));
      guarded(() => {
        const next = withValue(text, 'saved_entry', 'a\nb\\c', ctx);
        if (next !== undefined && next.length !== text.length) throw new Error('another size of the block');
      });
      guarded(() => {
        if (withoutName(text, 'next_entry', ctx).length !== text.length)
          throw new Error('another size of the block');
      });
      return n > 0;
    }),
    new PlainTarget(
      'regexp',
      patterns,
      ['(a', 'b)*', '[[:alpha:]]', '\\1', '{1,3}', '{255}', '|', '.*'],
      (text) => {
        const cut = text.indexOf('\n');
        const regex = compileRegex(cut < 0 ? text : text.slice(0, cut));
        regex.match('aaaaaaaaaaaaaaaaaaaaab-6.1.0.cfg/x', context());
        matches(text.slice(0, 60), 'aaaaaaaaaaaaaaaaaaaaab-6.1.0.cfg', context().budget);
        return true;
      },
    ),
  ];
}
