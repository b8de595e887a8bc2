/**
 * LUKS over cryptsetup's switches, and qemu-img's LUKS1. The header, the slots and the volume key are cryptsetup's; the sectors
 * are encrypted with that key by OpenSSL's own modes, one context a sector (device-mapper needs a kernel that has it; what Linux
 * wrote is in fixtures/images). Compared: every byte.
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { devices } from '../../lib/boot/grub2/commands/devices';
import { Bootloader } from '../../lib/bootloader';
import { LIMITS } from '../../lib/bytes/limits';
import { openDisk } from '../../lib/source/file';
import type { BlockSource } from '../../lib/source/types';
import { unlocked } from '../../lib/unlock';
import { openLuks, openVolume, readHeader } from '../../lib/volume/luks/luks';
import { Console } from '../menu/pty';
import { context, image, sample, THOROUGH } from '../support';
import { must, run, scratch } from './support';

const dir = scratch(t);
const SIZE = 4 * 1024 * 1024;
const at = (name: string) => join(dir, name);
writeFileSync(at('pass'), 'a passphrase');
writeFileSync(at('other'), randomBytes(300));
const PASS = Buffer.from('a passphrase');
const OTHER = readFileSync(at('other'));

const QUICK = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
const argon = (type: string, memory = 64, cpus = 1) => [
  '--pbkdf',
  type,
  '--pbkdf-force-iterations',
  '4',
  '--pbkdf-memory',
  String(memory),
  '--pbkdf-parallel',
  String(cpus),
];
const SMALL = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '1m'];

const cryptsetup = (...args: string[]) => must('cryptsetup', '-q', ...args);

function format(name: string, ...args: string[]): string {
  const path = at(name);
  writeFileSync(path, '');
  truncateSync(path, SIZE);
  cryptsetup('luksFormat', '--key-file', at('pass'), ...args, path);
  return path;
}

interface Layout {
  offset: number;
  sector: number;
  encryption: string;
}

/** As cryptsetup says it. */
function layoutOf(path: string): Layout {
  const dump = must('cryptsetup', 'luksDump', path);
  if (/^Version:\s*1$/m.test(dump)) {
    const word = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(dump)![1]!;
    return {
      offset: Number(word('Payload offset')) * 512,
      sector: 512,
      encryption: `${word('Cipher name')}-${word('Cipher mode')}`,
    };
  }
  const json = JSON.parse(must('cryptsetup', 'luksDump', '--dump-json-metadata', path));
  const segment = json.segments['0'];
  return { offset: Number(segment.offset), sector: segment.sector_size, encryption: segment.encryption };
}

function iv(name: string, sector: number, key: Buffer): Buffer {
  const plain = Buffer.alloc(16);
  plain.writeBigUInt64LE(BigInt(sector));
  if (!name.startsWith('essiv:')) return plain;
  const salt = createHash(name.slice(6)).update(key).digest();
  return createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null)
    .setAutoPadding(false)
    .update(plain);
}

/** Fills the volume. @returns what it holds */
function fill(path: string, data = path): Buffer {
  const { offset, sector, encryption } = layoutOf(path);
  rmSync(at('vk'), { force: true });
  cryptsetup('luksDump', '--dump-volume-key', '--key-file', at('pass'), '--volume-key-file', at('vk'), path);
  const key = readFileSync(at('vk'));
  const [cipher, mode, ivName] = encryption.split('-') as [string, string, string];
  const bits = key.length * (mode === 'xts' ? 4 : 8);
  const clear = randomBytes(256 * 1024);
  const fd = openSync(data, 'r+');
  for (let place = 0; place < clear.length; place += sector) {
    const c = createCipheriv(`${cipher}-${bits}-${mode}`, key, iv(ivName, place / 512, key)).setAutoPadding(
      false,
    );
    writeSync(fd, c.update(clear.subarray(place, place + sector)), 0, sector, offset + place);
  }
  closeSync(fd);
  return clear;
}

function beginning(source: BlockSource): Buffer {
  const into = Buffer.alloc(256 * 1024);
  source.read(0, into);
  return into;
}

const XTS = ['-c', 'aes-xts-plain64'];
const SWEEP: readonly string[][] = [
  ...['sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3-256', 'blake2b-512', 'blake2s-256'].flatMap(
    (hash) => [
      ['--type', 'luks1', '-h', hash, '--pbkdf-force-iterations', '1000'],
      ['--type', 'luks2', '-h', hash, ...QUICK, ...SMALL],
    ],
  ),
  ...['256', '512'].flatMap((size) => [
    ['--type', 'luks1', ...XTS, '-s', size, '--pbkdf-force-iterations', '1000'],
    ['--type', 'luks2', ...XTS, '-s', size, ...QUICK, ...SMALL],
  ]),
  ...[
    'aes-cbc-essiv:sha256',
    'aes-cbc-plain64',
    'aes-cbc-plain',
    'camellia-cbc-plain64',
    'aria-cbc-plain64',
  ].flatMap((c) => [
    ['--type', 'luks1', '-c', c, '-s', '256', '--pbkdf-force-iterations', '1000'],
    ['--type', 'luks2', '-c', c, '-s', '128', ...QUICK, ...SMALL],
  ]),
  ...['512', '1024', '2048', '4096'].map((size) => [
    '--type',
    'luks2',
    '--sector-size',
    size,
    ...QUICK,
    ...SMALL,
  ]),
  ...['argon2i', 'argon2id'].flatMap((type) =>
    [
      [64, 1],
      [1000, 4],
      [32768, 2],
    ].map(([memory, cpus]) => ['--type', 'luks2', ...argon(type, memory, cpus), ...SMALL]),
  ),
  ['--type', 'luks2', ...QUICK, ...SMALL, '-S', '7'],
  [
    '--type',
    'luks2',
    ...QUICK,
    '--luks2-metadata-size',
    '64k',
    '--luks2-keyslots-size',
    '512k',
    '--offset',
    '2048',
  ],
  ['--type', 'luks2', ...QUICK, ...SMALL, '--label', 'a label', '--subsystem', 'x'],
  [
    '--type',
    'luks2',
    ...QUICK,
    ...SMALL,
    '--keyslot-cipher',
    'aes-cbc-essiv:sha256',
    '--keyslot-key-size',
    '256',
  ],
];

t.test('luksFormat', async (t) => {
  for (const args of sample(SWEEP)) {
    const what = args.join(' ');
    const path = at('volume');
    rmSync(path, { force: true });
    writeFileSync(path, '');
    truncateSync(path, SIZE);
    const made = run('cryptsetup', ['-q', 'luksFormat', '--key-file', at('pass'), ...args, path]);
    // What this machine's cryptsetup cannot do is no matter of ours; that most work is seen below.
    if (made.status !== 0) {
      t.comment(`${what}: ${made.stderr.trim().split('\n')[0]}`);
      continue;
    }
    const clear = fill(path);
    const disk = openDisk(path);
    const ctx = context();
    const opened = await openVolume(disk, [OTHER, PASS], ctx);
    t.ok(opened && beginning(opened).equals(clear), what);
    t.equal(opened?.size, SIZE - layoutOf(path).offset, 'size');
    t.same(ctx.warnings, []);
    t.equal(await openVolume(disk, [Buffer.from('a passphrase\n')], context()), undefined);
    disk.close();
  }
  t.ok(SWEEP.length > 40);
  t.ok(t.counts.pass > (THOROUGH ? 130 : 43), `${t.counts.pass}`);
});

const opensWith = async (path: string, ...secrets: Buffer[]) => {
  const disk = openDisk(path);
  try {
    return (await openVolume(disk, secrets, context())) !== undefined;
  } finally {
    disk.close();
  }
};

t.test('slots: added, removed, changed, ignored, preferred', async (t) => {
  for (const args of [
    ['--type', 'luks1', '--pbkdf-force-iterations', '1000'],
    ['--type', 'luks2', ...QUICK, ...SMALL],
  ]) {
    const path = format('slots', ...args);
    const clear = fill(path);
    const both = args.includes('luks2') ? argon('argon2id') : ['--pbkdf-force-iterations', '1000'];
    cryptsetup('luksAddKey', '--key-file', at('pass'), ...both, path, at('other'));
    t.ok(await opensWith(path, PASS));
    t.ok(await opensWith(path, OTHER));
    cryptsetup('luksKillSlot', '--key-file', at('other'), path, '0');
    t.notOk(await opensWith(path, PASS), 'its slot is gone');
    t.ok(await opensWith(path, OTHER));
    cryptsetup(
      'luksAddKey',
      '--key-file',
      at('other'),
      ...(args.includes('luks2') ? QUICK : both),
      '-S',
      '5',
      path,
      at('pass'),
    );
    const disk = openDisk(path);
    t.ok(beginning((await openVolume(disk, [PASS], context()))!).equals(clear));
    if (args.includes('luks2')) {
      cryptsetup('config', '--priority', 'prefer', '-S', '5', path);
      t.same(
        readHeader(openDisk(path), context())!.slots.map(({ id }) => id),
        ['5', '1'],
      );
      cryptsetup('config', '--priority', 'ignore', '-S', '5', path);
      t.same(
        readHeader(openDisk(path), context())!.slots.map(({ id }) => id),
        ['1'],
      );
    }
    disk.close();
  }
});

t.test('LUKS1 converted to LUKS2, and back', async (t) => {
  const path = format('convert', '--type', 'luks1', '--pbkdf-force-iterations', '1000');
  const clear = fill(path);
  for (const type of ['luks2', 'luks1']) {
    cryptsetup('convert', '--type', type, path);
    const disk = openDisk(path);
    t.ok(beginning((await openVolume(disk, [PASS], context()))!).equals(clear), type);
    disk.close();
  }
});

t.test('damaged copies of a header: whatever cryptsetup opens, opens', async (t) => {
  const sound = format('sound', '--type', 'luks2', ...QUICK, ...SMALL);
  for (const [what, place, length] of [
    ['magic', 0, 6],
    ['first header', 0, 4096],
    ['first header and its JSON', 0, 0x4000],
    ['first JSON', 4096, 100],
    ['second header', 0x4000, 4096],
    ['second JSON', 0x5000, 100],
    ['both JSONs', 0x1000, 0x4100],
  ] as const) {
    const path = at('damaged');
    copyFileSync(sound, path);
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(length, 0x58), 0, length, place);
    closeSync(fd);
    const theirs =
      run('cryptsetup', ['open', '--test-passphrase', '--type', 'luks2', '--key-file', at('pass'), path])
        .status === 0;
    const disk = openDisk(path);
    let ours = false;
    try {
      const header = readHeader(disk, context(), true);
      ours = header !== undefined && (await openLuks(disk, header, [PASS], context())) !== undefined;
    } catch {}
    t.equal(ours, theirs, what);
    disk.close();
  }
});

t.test('headers elsewhere', async (t) => {
  for (const type of [
    ['--type', 'luks1', '--pbkdf-force-iterations', '1000'],
    ['--type', 'luks2', ...QUICK],
  ]) {
    const data = at('data');
    writeFileSync(data, '');
    truncateSync(data, SIZE);
    writeFileSync(at('header'), '');
    truncateSync(at('header'), 16 * 1024 * 1024);
    cryptsetup('luksFormat', '--key-file', at('pass'), ...type, '--header', at('header'), data);
    const clear = fill(at('header'), data);
    const [on, disk] = [openDisk(at('header')), openDisk(data)];
    const opened = await openLuks(disk, readHeader(on, context())!, [PASS], context(), { on });
    t.ok(beginning(opened!).equals(clear), type[1]!);
    const path = format(
      'backup',
      ...type.slice(0, type[1] === 'luks1' ? undefined : 4),
      ...(type[1] === 'luks2' ? [...SMALL, '--pbkdf-force-iterations', '1000'] : []),
    );
    const whole = fill(path);
    rmSync(at('saved'), { force: true });
    cryptsetup('luksHeaderBackup', '--header-backup-file', at('saved'), path);
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(65536), 0, 65536, 0);
    closeSync(fd);
    const saved = openDisk(at('saved'));
    const again = await openLuks(openDisk(path), readHeader(saved, context())!, [PASS], context(), {
      on: saved,
    });
    t.ok(beginning(again!).equals(whole), `${type[1]}, a backup`);
  }
});

/** qemu-img counts its processor time to choose a number of iterations, and gives up where others are busy. */
function qemuLuks(from: string, to: string, ...options: string[]): void {
  for (let tries = 10; ; tries--) {
    const made = run('qemu-img', [
      'convert',
      '-f',
      'raw',
      '-O',
      'luks',
      '-S',
      '0',
      '--object',
      'secret,id=s,data=a passphrase',
      '-o',
      ['key-secret=s', 'iter-time=50', ...options].join(),
      from,
      to,
    ]);
    if (made.status === 0) return;
    if (tries === 0 || !/accurate CPU usage/.test(made.stderr)) throw new Error(made.stderr);
  }
}

t.test('qemu-img', async (t) => {
  const bytes = 64 * 1024 * 1024;
  const clear = randomBytes(bytes);
  writeFileSync(at('raw'), clear);
  for (const [cipher, mode, ivgen, hash] of [
    ['aes-128', 'cbc', 'essiv', 'sha512'],
    ['aes-256', 'xts', 'plain64', 'sha256'],
  ] as const) {
    const options = [`cipher-alg=${cipher}`, `cipher-mode=${mode}`, `ivgen-alg=${ivgen}`, `hash-alg=${hash}`];
    if (ivgen === 'essiv') options.push('ivgen-hash-alg=sha256');
    qemuLuks(at('raw'), at('luks'), ...options);
    const disk = openDisk(at('luks'));
    const opened = (await openVolume(disk, [PASS], context()))!;
    const into = Buffer.alloc(bytes);
    opened.read(0, into);
    t.ok(into.equals(clear), options.join(' '));
    disk.close();
  }

  // At least half as fast, on the last of them, which is cryptsetup's default.
  // Processor time: others work on this machine too.
  const convert = () => {
    const secret = 'secret,id=s,data=a passphrase';
    const from = `driver=luks,key-secret=s,file.filename=${at('luks')}`;
    const command = [
      'qemu-img',
      'convert',
      '-O',
      'raw',
      '-S',
      '0',
      '--object',
      secret,
      '--image-opts',
      from,
      at('out'),
    ];
    const timed = run('/usr/bin/time', ['-f', '%U %S', ...command]);
    if (timed.status !== 0) throw new Error(timed.stderr);
    const [user, system] = timed.stderr.trim().split(' ').map(Number);
    return user! + system!;
  };
  const disk = openDisk(at('luks'));
  const opened = (await openVolume(disk, [PASS], context()))!;
  const buffer = Buffer.alloc(1024 * 1024);
  const decrypt = () => {
    const before = process.cpuUsage();
    const fd = openSync(at('out'), 'w');
    for (let place = 0; place < bytes; place += buffer.length) {
      opened.read(place, buffer);
      writeSync(fd, buffer);
    }
    closeSync(fd);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const theirs = Math.min(convert(), convert());
  const ours = Math.min(decrypt(), decrypt(), decrypt());
  t.comment(`64 MiB: ours ${ours.toFixed(2)} s, qemu-img ${theirs.toFixed(2)} s`);
  t.ok(ours < theirs * 2, `${ours.toFixed(2)} s, ${theirs.toFixed(2)} s`);
  disk.close();
});

t.test('names and questions are GRUB’s', async (t) => {
  const disk = Buffer.from(image('luks-disk.img'));
  image('luks-1.img').copy(disk, 6144 * 512);
  writeFileSync(at('disk.img'), disk);
  writeFileSync(at('map'), `(hd0) ${at('disk.img')}\n`);
  const commands = [
    'cryptomount -a',
    'ls',
    'probe --driver (crypto0)',
    'echo',
    'probe --partmap (crypto0)',
    'echo',
    'echo END',
    'exit',
  ];
  writeFileSync(at('grub.cfg'), `${commands.join('\n')}\n`);
  const c = Console.start(['-d', dir, '-m', at('map')], {
    program: ['/usr/bin/grub-emu'],
    cols: 132,
    term: 'linux',
  });
  await c.until(/Enter passphrase for .*: *$/m);
  c.write('passphrase\r');
  await c.until(/^END$/m);
  await c.exit;
  const theirs = c.raw.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '');

  const asked: string[] = [];
  const limits = { ...LIMITS, memory: 2 ** 40, cpuSeconds: 1000 };
  const loader = new Bootloader({ disks: [openDisk(at('disk.img'))], quiet: true, limits, say: () => {} });
  const find = () => loader.decide(undefined);
  const person = {
    reason: '',
    say: () => {},
    close: () => {},
    ask: async (words: string) => {
      asked.push(words);
      return Buffer.from('passphrase');
    },
  };
  const decision = await unlocked(
    loader,
    find,
    find(),
    { secrets: [], header: undefined },
    () => person,
    () => {},
  );
  t.equal(decision?.target.kernel?.volume?.name, 'crypto0');
  t.same(asked, [/Enter passphrase for [^:]*: /.exec(theirs)?.[0]]);
  const names = /^\(.*\)/m
    .exec(theirs)![0]
    .split(' ')
    .filter((name) => !/proc|host/.test(name));
  t.same(
    [...devices(loader.guest)].map(({ name }) => `(${name})`),
    names,
  );
  t.match(theirs, /^cryptodisk$/m);
  t.match(theirs, /^none$/m);
});
