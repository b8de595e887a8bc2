/**
 * A command line, path or title cannot put an item into a result. Each text is read back as its reader reads it: `simple0` as libxl
 * (tools/libs/light/libxl_bootloader.c: items up to a NUL, a word, blanks), `simple` as xapi's xenopsd (xc/bootloader.ml: lines, a
 * word, one blank; a word twice or an unknown one fails), JSON, and Python's literals in `sxp`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { toUnicode } from '../../lib/bytes/text';
import type { Result } from '../../lib/output/format';
import { generator } from '../boot/dialect';
import { romfs } from '../hostile/romfs';
import { ROOT } from '../support';
import { formatted } from './formatted';

type Items = Record<string, string>;

/** What libxl 4.17 makes of the file: the last of equal words counts, a warning for the others and for what is too long. */
function asLibxl(bytes: Buffer): { items: Items; warnings: string[] } {
  const items: Items = {};
  const warnings: string[] = [];
  for (const item of bytes.toString('latin1').split('\0')) {
    if (item.length >= 8192) {
      warnings.push('overly long item');
      continue;
    }
    const word = ['kernel', 'ramdisk', 'args'].find(
      (w) => item.startsWith(w) && /^[ \t\n\v\f\r]/.test(item.slice(w.length)),
    );
    if (word === undefined) {
      if (item !== '') warnings.push('unexpected output');
      continue;
    }
    if (word in items) warnings.push(`${word} twice`);
    items[word] = item.slice(word.length).replace(/^[ \t\n\v\f\r]+/, '');
  }
  return { items, warnings };
}

function asXapi(bytes: Buffer): Items {
  const items: Items = {};
  for (const line of bytes.toString('latin1').split('\n')) {
    if (line === '') continue;
    const space = line.indexOf(' ');
    if (space < 0) throw new Error('Not_found');
    const word = line.slice(0, space);
    if (!['kernel', 'ramdisk', 'args'].includes(word)) throw new Error(`unknown: ${word}`);
    if (word in items) throw new Error(`twice: ${word}`);
    items[word] = line.slice(space + 1);
  }
  return items;
}

/** `linux (kernel 'K')(ramdisk 'R')(args 'A')`, Python string literals in it. */
function asSxp(bytes: Buffer): Items {
  const text = bytes.toString('utf8');
  const items: Items = {};
  let at = 'linux '.length;
  if (!text.startsWith('linux ')) throw new Error('no linux');
  const ESCAPES: Items = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };
  while (at < text.length) {
    const head = /^\((kernel|ramdisk|args) (['"])/.exec(text.slice(at));
    if (!head) throw new Error(`at ${at}: ${text.slice(at)}`);
    at += head[0].length;
    let value = '';
    for (; text[at] !== head[2]; at++) {
      if (at >= text.length || text[at] === '\n') throw new Error('not ended');
      if (text[at] !== '\\') value += text[at];
      else {
        const letter = text[++at]!;
        if (letter === 'x') {
          value += String.fromCharCode(Number.parseInt(text.slice(at + 1, at + 3), 16));
          at += 2;
        } else if (letter in ESCAPES) value += ESCAPES[letter];
        else throw new Error(`\\${letter}`);
      }
    }
    if (text[++at] !== ')') throw new Error('not closed');
    at++;
    if (head[1]! in items) throw new Error('twice');
    items[head[1]!] = value;
  }
  return items;
}

const PIECES = [
  ...[
    '\n',
    '\0',
    '\r',
    '\t',
    ' ',
    "'",
    '"',
    '\\',
    ')',
    '(',
    '\x1b',
    '\x7f',
    '\x85',
    '\xe2\x80\xa8',
    '\xff',
    '\xc3\xa9',
  ],
  ...[
    'kernel=',
    'kernel /etc/shadow',
    'ramdisk /dev/sda',
    'args x',
    "')(kernel '/etc/shadow",
    '\\x27)',
    "\\'",
    '"}',
    '{"kernel":',
  ],
  ...['root=/dev/xvda', '/local/domain/0', 'a', 'quiet'],
];

t.test('random texts', async (t) => {
  const random = generator(6);
  const text = () => {
    let out = '';
    for (let n = random(6); n >= 0; n--) out += PIECES[random(PIECES.length)];
    return out;
  };
  const counts = { said: 0, refused: 0 };
  for (let round = 0; round < 10_000; round++) {
    const result: Result = {
      // A guest's path is in it with -n only.
      kernel: random(2) ? '/out/boot_kernel.abcdefgh' : `<kernel:/${text()}>`,
      ramdisk: random(3) ? `<ramdisk:/${text()}>` : undefined,
      args: random(10) ? text() : 'x'.repeat(8180 + random(20)),
      entry: random(2) ? text() : undefined,
    };
    const wanted: Items = { kernel: result.kernel };
    if (result.ramdisk !== undefined) wanted.ramdisk = result.ramdisk;
    if (result.args !== '') wanted.args = result.args;
    const same = (got: Items, what: string, show = (value: string) => value) => {
      const want = Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key, show(value)]));
      if (JSON.stringify(got) !== JSON.stringify(want)) t.same(got, want, what);
    };
    for (const format of ['simple0', 'simple', 'sxp', 'json'] as const) {
      let bytes: Buffer;
      try {
        bytes = formatted(result, format);
        counts.said++;
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        counts.refused++;
        continue;
      }
      if (format === 'simple0') {
        const { items, warnings } = asLibxl(bytes);
        if (warnings.length > 0) t.fail(`libxl: ${warnings}: ${JSON.stringify(wanted)}`);
        // It skips all blanks behind the word: none of them is lost to anything but the eye.
        same(items, 'simple0', (value) => value.replace(/^[ \t\n\v\f\r]+/, ''));
      } else if (format === 'simple') same(asXapi(bytes), 'simple');
      else if (format === 'sxp') same(asSxp(bytes), 'sxp', toUnicode);
      else {
        const { entry, ...rest } = JSON.parse(bytes.toString('utf8'));
        const title = result.entry === undefined ? null : toUnicode(result.entry);
        if (entry !== title) t.equal(entry, title);
        for (const key of Object.keys(rest))
          if (rest[key] === null || (key === 'args' && rest[key] === '')) delete rest[key];
        same(rest, 'json', toUnicode);
      }
    }
  }
  t.ok(counts.said > 10_000 && counts.refused > 500, JSON.stringify(counts));
});

t.test('through the whole program', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-smuggle-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const disk = join(dir, 'disk.img');
  const boot = (format: string, linux: string) => {
    writeFileSync(
      disk,
      romfs({ 'boot/grub/grub.cfg': `set timeout=0\nmenuentry 'X' {\n${linux}\n}\n`, 'boot/k': 'kernel' }),
    );
    const out = join(dir, 'out');
    mkdirSync(out);
    const r = spawnSync('env', [
      ...['-i', `PATH=${process.env.PATH}`, 'node', join(ROOT, 'dist', 'nodegrub.js')],
      ...['-q', `--output-format=${format}`, `--output-directory=${out}`, disk],
    ]);
    const files = readdirSync(out).map((name) => readFileSync(join(out, name), 'latin1'));
    rmSync(out, { recursive: true });
    return { status: r.status, bytes: r.stdout, err: r.stderr.toString('latin1'), files };
  };
  const smuggled = 'linux /boot/k "a=1\nkernel /etc/shadow\nramdisk /dev/sda"';
  t.match(boot('simple', smuggled), { status: 1, files: [], err: /RuntimeError: .*separates the items/ });
  const libxl = boot('simple0', smuggled);
  t.equal(libxl.status, 0, libxl.err);
  const { items, warnings } = asLibxl(libxl.bytes);
  t.same(warnings, []);
  t.same(Object.keys(items), ['kernel', 'args'], 'one kernel, no ramdisk');
  t.match(items.kernel, /\/out\/boot_kernel\.[a-z0-9_]{8}$/);
  t.match(
    items.args,
    '"a=1\nkernel /etc/shadow\nramdisk /dev/sda"',
    'all of it is arguments, in the quotes that GRUB puts around a blank',
  );
  t.same(libxl.files, ['kernel']);
  // A NUL in a configuration: whatever becomes of it, no item does.
  for (const linux of ['linux /boot/k a=1\0kernel /etc/shadow\0', 'linux /boot/k "a=1\0ramdisk /dev/sda"']) {
    const r = boot('simple0', linux);
    if (r.status !== 0) t.same(r.files, []);
    const words = r.bytes.toString('latin1').split('\0');
    t.notOk(
      words.some((item) => item.startsWith('kernel /etc') || item.startsWith('ramdisk')),
      `status ${r.status}`,
    );
  }
  t.match(boot('simple0', `linux /boot/k ${'x'.repeat(8187)}`), {
    status: 1,
    files: [],
    err: /libxl takes 8191/,
  });
  t.match(boot('simple0', `linux /boot/k ${'x'.repeat(8186)}`), { status: 0, files: ['kernel'] });
});
