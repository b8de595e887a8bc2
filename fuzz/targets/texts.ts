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
import { checksums } from '../../lib/location/sums';
import { safePath } from '../../lib/location/tree';
import { parseIni } from '../../lib/location/treeinfo';
import { PRELUDE, Scripts } from '../../test/boot/grub2/random';
import { bzImage } from '../../test/boot/images';
import { link, MemoryFs, type MemoryTree, memoryGuest } from '../../test/boot/memfs';
import type { Random } from '../random';
import { ALLOWANCE, context, type Target } from '../target';
import { guarded } from './images';
import { damaged, PlainTarget, shorter, type TextCase } from './plain';

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

const HASH = 'd8808aa4ca188560da1e6d749dcb930c87a5fd8b11ebff1f3fa6d728af35203d';
/** What a distribution's tree says of itself (lib/location). */
const LOCATION_INDEXES: readonly ByteString[] = [
  `${HASH}  ./netboot/xen/vmlinuz\n${HASH} *b\nSHA256 (c) = ${HASH}\nHASH SHA256 ${HASH}  boot/x86_64/loader/linux\n`,
  `[general]\nfamily = Fedora\narch = x86_64\n; note\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd: images/pxeboot/initrd.img\n[checksums]\nimages/pxeboot/vmlinuz = sha256:${HASH}\n`,
];

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
      'location',
      LOCATION_INDEXES,
      [
        '[images-xen]\n',
        '[checksums]\n',
        'kernel = ',
        '../',
        './',
        'SHA256 (',
        'HASH SHA256 ',
        'a'.repeat(32),
        '\r\n',
      ],
      (text) => {
        const ctx = context();
        const paths = new Set<string>();
        for (const [name] of checksums(text, 'SUMS', ctx)) paths.add(name);
        for (const section of parseIni(text, ctx).values())
          for (const value of section.values()) paths.add(value);
        for (const path of paths)
          guarded(() => {
            const inner = new URL(
              safePath(path, 'index').split('/').map(encodeURIComponent).join('/'),
              'http://h/t/',
            );
            if (inner.host !== 'h' || !inner.pathname.startsWith('/t/'))
              throw new Error(`left the tree: ${inner.href}`);
          });
        return paths.size > 0;
      },
    ),
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
      [RegexError],
    ),
  ];
}
