/** Encrypted guests and the whole program: where keys come from, what is evaluated when, what is said. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Bootloader } from '../lib/bootloader';
import { LIMITS } from '../lib/bytes/limits';
import { type BlockSource, MemorySource } from '../lib/source/types';
import { type Asker, unlockChosen, unlocked } from '../lib/unlock';
import { image, ROOT, source } from './support';

const NODEGRUB = join(ROOT, 'dist', 'nodegrub.js');
const UUID = '11111111222243338444555555555555';
const work = mkdtempSync(join(tmpdir(), 'nodegrub-unlock-'));
t.teardown(() => rmSync(work, { recursive: true }));
const file = (name: string, bytes: string | Buffer) => {
  const path = join(work, name);
  writeFileSync(path, bytes);
  return path;
};

/** As Debian's installer leaves it: the EFI system partition has a stub, all else is encrypted (fixtures/recipes/luks.sh). */
function encryptedDisk(): Buffer {
  const disk = Buffer.from(image('luks-disk.img'));
  image('luks-1.img').copy(disk, 6144 * 512);
  return disk;
}

const disk = file('disk.img', encryptedDisk());
const pass = file('pass', 'passphrase');
const SECRET = 'Never-to-be-shown-4711';
const wrong = file('wrong', SECRET);

function run(args: readonly string[], options: object = {}) {
  const began = Date.now();
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', NODEGRUB, ...args], {
    encoding: 'utf8',
    ...options,
  });
  return { ...r, seconds: (Date.now() - began) / 1000 };
}
const TARGET =
  "linux (kernel '<kernel:/boot/vmlinuz>')(ramdisk '<ramdisk:/boot/initrd>')(args 'root=/dev/mapper/root ro')";

t.test('unattended, without a key: the reason, at once', async (t) => {
  const r = run(['-q', '-n', disk]);
  t.equal(r.status, 1);
  t.equal(r.stdout, '');
  t.match(
    r.stderr,
    /RuntimeError: \S+ does not boot: gpt2 luks1: encrypted \(11111111-2222-4333-8444-555555555555\), no key was given: --key-file=FILE or --key-fd=N gives one\n$/,
  );
  t.equal(r.stderr.match(/RuntimeError/g)?.length, 1);
  t.ok(r.seconds < 5);
  // Without -q nobody is there either when there is no terminal.
  const other = run(['-n', disk], { input: 'passphrase\n' });
  t.equal(other.status, 1);
  t.match(other.stderr, /no key was given/);
  const boots = run(['--output-directory', work, disk], { input: 'passphrase\n' });
  t.equal(boots.status, 1);
  t.match(boots.stderr, /no terminal is there to ask at/);
});

t.test('keys', async (t) => {
  const good = (r: ReturnType<typeof run>, what: string) => {
    t.equal(r.status, 0, `${what}: ${r.stderr}`);
    t.equal(r.stdout, TARGET, what);
  };
  good(run(['-q', '-n', `--key-file=${pass}`, disk]), 'a file');
  good(run(['-q', '-n', `--key-file=${wrong}`, '--key-file', pass, disk]), 'two files');
  good(run(['-q', '-n', '--key-file=-', disk], { input: 'passphrase' }), 'stdin');
  good(
    run(['-q', '-n', '--key-fd=3', disk], { stdio: ['ignore', 'pipe', 'pipe', openSync(pass, 'r')] }),
    'a descriptor',
  );
  const listed = run(['-l', `--key-file=${pass}`, disk]);
  t.equal(listed.status, 0);
  t.match(listed.stdout, /title: Encrypted\n {2}root: \(crypto0\)\n/);
});

t.test('a key file is a key to its last byte', async (t) => {
  t.equal(run(['-q', '-n', `--key-file=${file('line', 'passphrase\n')}`, disk]).status, 1);
  const second = file('second.img', image('luks-2-essiv.img'));
  const key = file('key', Buffer.from('key\nfile\0\xff', 'latin1'));
  t.equal(run(['-q', '-n', `--key-file=${key}`, second]).stdout, TARGET);
});

t.test('keys that are none', async (t) => {
  for (const [args, words] of [
    [
      [`--key-file=${wrong}`],
      /gpt2 luks1: encrypted \(1{8}-\S+\), the given key opens none of its 1 key slots\n$/,
    ],
    [[`--key-file=${join(work, 'none')}`], /--key-file=\S+: no such file or directory/],
    [[`--key-file=${file('empty', '')}`], /empty, so no key/],
    [[`--key-file=${work}`], /--key-file=\S+: /],
    [['--key-fd=77'], /--key-fd=77: bad file descriptor/],
    [['--key-fd=x'], /not the number of a descriptor/],
    [['--key-file=/dev/zero'], /more than 8388608 bytes/],
    [[`--luks-header=${pass}`], /holds no LUKS header|too small|encrypted/],
  ] as const) {
    const r = run(['-q', '-n', '--debug', ...args, disk]);
    t.equal(r.status, 1, args.join());
    t.match(r.stderr, words);
    t.notMatch(r.stdout + r.stderr, SECRET, 'never shown');
  }
});

t.test('a header elsewhere', async (t) => {
  const broken = encryptedDisk();
  broken.fill(0, 6144 * 512, 6144 * 512 + 4096);
  const at = file('broken.img', broken);
  t.match(
    run(['-q', '-n', `--key-file=${pass}`, at]).stderr,
    /no filesystem that is known here|no menu entries/,
  );
  const header = file('header', image('luks-1.img').subarray(0, 2 * 1024 * 1024));
  t.equal(run(['-q', '-n', `--key-file=${pass}`, `--luks-header=${header}`, at]).stdout, TARGET);
  const r = run(['-q', '-n', `--key-file=${wrong}`, `--luks-header=${header}`, at]);
  t.equal(r.status, 1);
  t.match(r.stderr, /the given key opens none/);
});

t.test('files are copied', async (t) => {
  const directory = mkdtempSync(join(work, 'out-'));
  const r = run([
    '-q',
    `--key-file=${pass}`,
    '--output-format=simple',
    `--output-directory=${directory}`,
    disk,
  ]);
  t.equal(r.status, 0, r.stderr);
  const kernel = readFileSync(/^kernel (.*)$/m.exec(r.stdout)![1]!);
  t.equal(kernel.length, 20_000);
});

t.test('a plain boot knows nothing of all this', async (t) => {
  const script = file(
    'plain.js',
    `const nodegrub = require(${JSON.stringify(NODEGRUB)});
    nodegrub.load('core.js').main(['-q', '--output=/dev/null', '--output-directory=${work}',
      ${JSON.stringify(join(ROOT, 'fixtures/images/example.img'))}], 'nodegrub').then((status) => {
        console.log(status, [...nodegrub.loaded.keys()].join(' '), process.moduleLoadList.includes('NativeModule crypto'));
      });`,
  );
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', script], { encoding: 'utf8' });
  t.equal(r.stdout, '0 core.js fsdrivers-ext.js false\n', r.stderr);
  // With keys at hand, too: they are read, and that is all.
  const given = join(ROOT, 'fixtures/images/example.img');
  const reads = (...args: string[]) =>
    run(['-q', '--debug', '--output=/dev/null', `--output-directory=${work}`, ...args, given]).stderr.match(
      /\d+ bytes in \d+ reads/,
    )?.[0];
  t.match(reads(), /bytes in/);
  t.equal(reads(`--key-file=${pass}`), reads());
});

/** A USTAR archive: the smallest filesystem that can be written down. */
function tar(files: Record<string, string | Buffer>): MemorySource {
  const blocks = Object.entries(files).map(([name, content]) => {
    const bytes = Buffer.from(content);
    const block = Buffer.alloc(512 + Math.ceil(bytes.length / 512) * 512);
    block.write(name, 0);
    block.write('0000644\0', 100);
    block.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    block.write('        0', 148);
    block.write('ustar\x0000', 257);
    block.write(`${block.subarray(0, 512).reduce((sum, b) => sum + b, 0) - 16}`.padStart(0), 500, 0);
    const sum = block.subarray(0, 512).reduce((a, b, i) => a + (i >= 148 && i < 156 ? 32 : b), 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    bytes.copy(block, 512);
    return block;
  });
  return new MemorySource(Buffer.concat([...blocks, Buffer.alloc(10_240)]), 'plain');
}

interface Ran {
  title?: string | undefined;
  kernel?: string | undefined;
  size?: number | undefined;
  warnings: readonly string[];
  said: string[];
  texts: string[];
  asked: string[];
  wiped: boolean;
}

/** `(hd0)` holds the configuration, further disks what is encrypted. */
async function decide(
  config: string,
  {
    secrets = [],
    typed,
    disks = [source('luks-1.img')],
    files = {},
    quiet = true,
    wanted,
  }: {
    secrets?: readonly string[];
    typed?: readonly (string | undefined)[];
    disks?: readonly BlockSource[];
    files?: Record<string, string | Buffer>;
    quiet?: boolean;
    /** `--entry` */
    wanted?: string;
  } = {},
): Promise<Ran> {
  const said: string[] = [];
  const asked: string[] = [];
  const given: Buffer[] = [];
  const loader = new Bootloader({
    disks: [tar({ 'boot/grub/grub.cfg': config, ...files }), ...disks],
    quiet,
    guess: true,
    // Those of this process are the test runner's.
    limits: { ...LIMITS, memory: 2 ** 40, cpuSeconds: 1000 },
    say: (line) => void said.push(line),
  });
  const answers = [...(typed ?? [])];
  const person: Asker = {
    reason: 'nobody answered',
    say: (line) => void said.push(line),
    close: () => {},
    async ask(words) {
      asked.push(words);
      const answer = answers.shift();
      if (answer === undefined) return undefined;
      given.push(Buffer.from(answer));
      return given.at(-1);
    },
  };
  const find = () => loader.decide(wanted);
  const first = find();
  const keys = { secrets: secrets.map((s) => Buffer.from(s)), header: undefined };
  const decision =
    first && !loader.context.crypt?.wanted
      ? first
      : await unlocked(loader, find, first, keys, typed && (() => person), (line) => void said.push(line));
  return {
    title: decision?.title,
    kernel: decision?.target.kernel?.volume?.name,
    size: decision?.target.kernel?.found?.node.size,
    warnings: loader.warnings,
    said,
    asked,
    texts: loader.diagnostics.map(({ text }) => text),
    wiped: given.every((secret) => secret.every((byte) => byte === 0)),
  };
}

const entry = (commands: string) => `menuentry E {\n${commands}\nlinux /boot/vmlinuz\n}\n`;
const ROOTED = 'set root=crypto0';

t.test('a plain /boot with cryptomount', async (t) => {
  const secrets = ['passphrase'];
  for (const [what, config] of Object.entries({
    uuid: entry(`cryptomount -u ${UUID}\n${ROOTED}`),
    'uuid with dashes': entry(`cryptomount -u 11111111-2222-4333-8444-555555555555\n${ROOTED}`),
    all: entry(`cryptomount -a\n${ROOTED}`),
    device: entry(`cryptomount hd1\n${ROOTED}`),
    'device in parentheses': entry(`cryptomount (hd1)\n${ROOTED}`),
    'top level': `cryptomount -u ${UUID}\n${entry('search --no-floppy --label --set=root label')}`,
    'cryptouuid as root': entry(`cryptomount -u ${UUID}\nset root='cryptouuid/${UUID}'`),
    'search with a hint': entry(
      `cryptomount -u ${UUID}\nsearch --label --set=root --hint='cryptouuid/${UUID}' label`,
    ),
    'search of encrypted ones': entry(
      `cryptomount -u ${UUID}\nsearch --file --cryptodisk-only --set=root /one`,
    ),
    probe: entry(
      `cryptomount -u ${UUID}\nprobe --driver --set=d (crypto0)\nprobe -f --set=f (crypto0)\nif [ $d$f = cryptodiskext2 ]; then ${ROOTED}; fi`,
    ),
    'twice is no error': entry(
      `cryptomount -u ${UUID}\ncryptomount hd1 && cryptomount -u ${UUID} && ${ROOTED}`,
    ),
  })) {
    const r = await decide(config, { secrets });
    t.equal(r.kernel, 'crypto0', `${what}: ${[...r.texts, ...r.warnings]}`);
    t.equal(r.size, 20_000, what);
    const without = await decide(config);
    t.equal(without.kernel, undefined, `${what}, without a key`);
    t.match(without.texts[0], /^hd1 luks1: encrypted \(1{8}-.*\), no key was given/, what);
  }
});

t.test('keys in the configuration, as GRUB has them', async (t) => {
  const files = { secret: 'xxpassphraseyy', exact: 'passphrase' };
  for (const options of [
    '-p passphrase',
    '-k /exact',
    '--key-file=/secret -O 2 -S 10',
    '--password=passphrase',
  ]) {
    const r = await decide(entry(`cryptomount -u ${UUID} ${options}\n${ROOTED}`), { files });
    t.equal(r.kernel, 'crypto0', `${options}: ${r.texts}`);
  }
  for (const options of ['-p wrong', '-k /secret', '-k /none', '-k /secret -O 99'])
    t.equal(
      (await decide(entry(`cryptomount -u ${UUID} ${options}\n${ROOTED}`), { files })).kernel,
      undefined,
      options,
    );
  const header = { head: image('luks-1.img').subarray(0, 2 * 1024 * 1024) };
  const headless = Buffer.from(image('luks-1.img'));
  headless.fill(0, 0, 4096);
  const r = await decide(entry(`cryptomount -H /head -p passphrase hd1\n${ROOTED}`), {
    files: header,
    disks: [new MemorySource(headless, 'headless')],
  });
  t.equal(r.kernel, 'crypto0', `a header: ${r.texts}`);
});

t.test('what boots without a key is not kept waiting', async (t) => {
  const files = { 'boot/vmlinuz': 'plain kernel' };
  const plain = await decide(entry(''), { files, typed: ['passphrase'] });
  t.equal(plain.kernel, 'hd0');
  t.same(plain.asked, []);
  const missed = await decide(`cryptomount -u ${UUID}\n${entry('')}`, { files, typed: ['passphrase'] });
  t.equal(missed.kernel, 'hd0', 'a font that is missed');
  t.same(missed.asked, []);
  t.match(missed.warnings, [/hd1 luks1: encrypted .* no key was given/], 'but it is said');
});

t.test('somebody is asked', async (t) => {
  const config = entry(`cryptomount -u ${UUID}\n${ROOTED}`);
  const question = `Enter passphrase for hd1 (${UUID}): `;
  const third = await decide(config, { typed: ['a', 'b', 'passphrase'] });
  t.equal(third.kernel, 'crypto0');
  t.same(third.asked, [question, question, question]);
  t.ok(third.wiped);
  const fourth = await decide(config, { typed: ['a', 'b', 'c', 'passphrase'] });
  t.equal(fourth.kernel, undefined);
  t.equal(fourth.asked.length, 3);
  t.ok(fourth.wiped);
  t.match(fourth.texts[0], /what was typed opens none of its 1 key slots/);
  const nobody = await decide(config, { typed: [undefined] });
  t.equal(nobody.asked.length, 1);
  t.match(nobody.texts[0], /nobody answered/);
});

t.test('two volumes: the wanted one first, one passphrase for both', async (t) => {
  const disks = [source('luks-2.img'), source('luks-1.img')];
  const one = await decide(entry(`cryptomount -u ${UUID}\n${ROOTED}`), { disks, typed: ['passphrase'] });
  t.equal(one.kernel, 'crypto0');
  t.same(one.asked, [`Enter passphrase for hd2 (${UUID}): `]);
  const two = 'cryptomount -u 22222222333344448555666666666666';
  const both = await decide(entry(`cryptomount -u ${UUID}\n${two}\nset root=crypto1`), {
    disks,
    typed: ['passphrase'],
  });
  t.equal(both.kernel, 'crypto1', [...both.texts, ...both.said].join('\n'));
  t.equal(both.asked.length, 1);
});

t.test('what a header says is shown without harm', async (t) => {
  const bytes = Buffer.from(image('luks-1.img'));
  bytes.write('\x1b[2J\nRuntimeError: x', 168);
  const evil = [new MemorySource(bytes, 'evil')];
  const r = await decide(entry(`cryptomount hd1\n${ROOTED}`), {
    disks: evil,
    typed: ['wrong', 'passphrase'],
  });
  t.equal(r.kernel, 'crypto0');
  const none = await decide(entry(`cryptomount hd1\n${ROOTED}`), { disks: evil });
  const all = [...r.asked, ...r.said, ...r.texts, ...none.texts, ...none.said];
  for (const text of all) t.notMatch(text, /[\x00-\x1f\x7f]|RuntimeError: /, text);
});

t.test('three volumes, two keys', async (t) => {
  const disks = [source('luks-1.img'), source('luks-2.img'), source('luks-2-essiv.img')];
  const r = await decide(entry(`cryptomount -a\nset root=crypto2`), {
    disks,
    secrets: ['passphrase', 'key\nfile\0\xff'],
  });
  // UTF-8 is not what the key file holds. The first one's own configuration boots, and the missing one is told of.
  t.equal(r.kernel, 'crypto0');
  t.equal(r.said.filter((line) => /: opened as crypto[01]$/.test(line)).length, 2);
  t.match(r.warnings, [/^hd3 luks2: encrypted .* the given key opens none/]);
});

t.test('a person with a menu is not asked for what nobody wanted', async (t) => {
  const r = await decide('menuentry E { linux /none }\n', { quiet: false, typed: ['passphrase'] });
  t.same(r.asked, []);
  t.equal(r.kernel, undefined);
});

t.test('a configuration that gives many keys does not buy much time', async (t) => {
  const slow = Buffer.from(image('luks-1.img'));
  // 9 million iterations: more than 0.9 of what the guest may spend for itself.
  slow.writeUInt32BE(9_000_000, 212);
  const commands = Array.from({ length: 20 }, (_, i) => `cryptomount -u ${UUID} -p ${i}`).join('\n');
  const began = process.cpuUsage().user;
  const r = await decide(entry(commands), { disks: [new MemorySource(slow, 'slow')] });
  t.ok(process.cpuUsage().user - began < 25e6);
  t.match(r.texts[0], /NODEGRUB_MAX_KEY_WORK/);
});

t.test('an entry that is not the default, and needs a closed volume', async (t) => {
  const config = `menuentry E {\nlinux /boot/plain\n}\nmenuentry F {\ncryptomount -u ${UUID}\n${ROOTED}\nlinux /boot/vmlinuz\n}\n`;
  const files = { 'boot/plain': 'plain kernel' };
  const typed = ['passphrase'];
  t.match(await decide(config, { files, typed }), { kernel: 'hd0', asked: [] }, 'the default asks nobody');
  for (const wanted of ['1', 'F']) {
    const keyed = await decide(config, { files, wanted, secrets: ['passphrase'] });
    t.match(keyed, { kernel: 'crypto0', title: 'F', size: 20_000 });
    const asked = await decide(config, { files, wanted, typed });
    t.match(asked, { kernel: 'crypto0', asked: [/^Enter passphrase for hd1/] });
    const closed = await decide(config, { files, wanted });
    t.equal(closed.kernel, undefined, 'never another entry');
    t.match(closed.texts[0], /^hd1 luks1: encrypted \(1{8}-.*\), no key was given/);
  }
  // As the menu has it: an entry that is resolved when something else boots.
  const chosen = async (secrets: string[], answer: string | undefined, config2 = config) => {
    const loader = new Bootloader({
      disks: [tar({ 'boot/grub/grub.cfg': config2, ...files }), source('luks-1.img'), source('luks-2.img')],
      quiet: false,
      limits: { ...LIMITS, memory: 2 ** 40, cpuSeconds: 1000 },
      say: () => {},
    });
    t.equal(loader.decide(undefined)?.title, 'E');
    const offer = loader.offer!;
    t.not(offer.menu.entries[1]!.resolve().problem, null);
    const asked: string[] = [];
    const person: Asker = {
      reason: 'nobody answered',
      say: () => {},
      close: () => {},
      ask: async (words) => {
        asked.push(words);
        return answer === undefined ? undefined : Buffer.from(answer);
      },
    };
    const keys = { secrets: secrets.map((s) => Buffer.from(s)), header: undefined };
    const why = await unlockChosen(loader, keys, () => person);
    t.equal(loader.offer, offer, 'the menu is as it was');
    const target = offer.menu.entries[1]!.resolve();
    return { why, asked, kernel: target.kernel?.volume?.name };
  };
  const ASK = /^Enter passphrase for hd1 /;
  t.match(await chosen([], 'passphrase'), { why: undefined, asked: [ASK], kernel: 'crypto0' });
  t.match(await chosen(['passphrase'], undefined), { why: undefined, asked: [], kernel: 'crypto0' });
  t.match(await chosen([], undefined, config.replace('cryptomount', 'cryptomount -p passphrase')), {
    why: undefined,
    asked: [],
    kernel: 'crypto0',
  });
  const wrong = await chosen(['no'], 'neither');
  t.match(wrong, { why: /^hd1 luks1: encrypted \(1{8}-.*\), what was typed opens none of its 1 key slots$/ });
  t.equal(wrong.asked.length, 3, 'and nobody is asked for hd2');
  const none = config.replace(UUID, '99999999999999999999999999999999');
  t.match(
    await chosen(['passphrase'], 'passphrase', none),
    { why: '', asked: [] },
    'what no entry wants stays closed',
  );
  t.match(await chosen([], undefined), {
    why: /^hd1 luks1: encrypted .*nobody answered: --key-file=FILE/,
    asked: [ASK],
  });
});
