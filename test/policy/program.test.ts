/** The built program with a policy: what it refuses, that it names the rule, and that nothing is left. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { image, ROOT } from '../support';

const PROGRAM = join(ROOT, 'dist', 'nodegrub.js');
const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');
const FIXTURES = join(ROOT, 'fixtures', 'policy');
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-policy-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const DISK = join(dir, 'disk.img');
writeFileSync(DISK, image('policy.img'));
for (const name of ['ca.pem', 'other.pem', 'signer.pem']) copyFileSync(join(FIXTURES, name), join(dir, name));

let count = 0;
function policy(rules: object): string {
  const path = join(dir, `policy${count++}.json`);
  writeFileSync(path, JSON.stringify(rules));
  return path;
}

function run(...args: string[]) {
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', PROGRAM, ...args], {
    encoding: 'latin1',
  });
  return { status: r.status, out: r.stdout, err: r.stderr };
}

/** Boots; the last line of what it says, and what lies in the directory afterwards. */
function boot(rules: object | string, ...args: string[]) {
  const out = join(dir, `out${count++}`);
  mkdirSync(out);
  const path = typeof rules === 'string' ? rules : policy(rules);
  const r = run('-q', '--output-format=json', `--output-directory=${out}`, `--policy=${path}`, ...args);
  const last = r.err.trimEnd().split('\n').pop()!.replaceAll(path, 'P');
  if (r.status !== 0) t.same(readdirSync(out), [], 'nothing is left');
  return { ...r, last, result: r.status === 0 ? JSON.parse(r.out) : undefined };
}

const problems = (rules: object, ...args: string[]): Record<string, string | null> => {
  const path = policy(rules);
  const list = JSON.parse(run('-l', '--output-format=json', `--policy=${path}`, ...args, DISK).out);
  return Object.fromEntries(
    list.entries.map(({ id, problem }: { id: string; problem: string | null }) => [
      id,
      problem?.replace(path, 'P') ?? null,
    ]),
  );
};

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const signature = { certificates: ['ca.pem'] };

t.test('an empty policy changes nothing', async (t) => {
  const plain = run('-qn', '--output-format=simple', EXAMPLE);
  t.same(run('-qn', '--output-format=simple', `--policy=${policy({})}`, EXAMPLE), plain);
});

t.test('signatures', async (t) => {
  const r = boot({ kernel: { signature }, ramdisk: { signature } }, DISK);
  t.equal(r.status, 0, r.err);
  t.equal(r.result.entry, 'signed');
  t.same(readFileSync(r.result.kernel), readFileSync(join(FIXTURES, 'signed')));
  const p = problems({ kernel: { signature }, ramdisk: { signature } });
  const no = 'refused by policy P: kernel.signature: /boot/';
  const nothing = 'cms: there is no .p7s file beside it; raw: there is no .sig file beside it';
  t.equal(p.signed, null);
  t.equal(p.beside, null);
  t.equal(p.plain, `${no}plain: pe: carries no signature; ${nothing}`);
  t.equal(p.changed, `${no}changed: pe: Authenticode signature: was made for other content; ${nothing}`);
  t.match(p.raw, /raw: raw signature: no trusted key has made it/, "a CA's own key has not signed it");
  t.equal(
    p.twofiles,
    `refused by policy P: ramdisk.signature: /boot/initrd-plain: pe: is no PE image; ${nothing}`,
  );
  t.match(p.wrapped, /ramdisk: \/boot\/initrd would be put into the ramdisk under the name init/);
  const pinned = problems({ kernel: { signature: { certificates: ['other.pem', 'signer.pem'] } } });
  t.same([pinned.signed, pinned.beside, pinned.raw], [null, null, null]);
  const pe = problems({ kernel: { signature: { ...signature, accept: ['pe'] } } });
  t.equal(pe.beside, `${no}beside: pe: carries no signature`);
  t.match(
    problems({ kernel: { signature: { certificates: ['other.pem'] } } }).signed,
    /no trusted certificate/,
  );
});

t.test('a disk that changes between the look and the copy', async (t) => {
  // The page cache's reads are of 16 KiB; the copy's are as long as the file.
  const disk = readFileSync(DISK);
  const at = disk.indexOf(readFileSync(join(FIXTURES, 'signed')).subarray(0, 3072)) + 600;
  t.ok(at > 600);
  const script = join(dir, 'changes.js');
  writeFileSync(
    script,
    `const fs = require('node:fs');
    const { readSync } = fs;
    fs.readSync = (fd, into, offset, length, place) => {
      const n = readSync(fd, into, offset, length, place);
      if (length < 16384 && place <= ${at} && ${at} < place + n) into[offset + ${at} - place] ^= 1;
      return n;
    };
    const { main } = require(${JSON.stringify(PROGRAM)}).load('core.js');
    main(process.argv.slice(2), 'nodegrub').then((status) => { process.exitCode = status; });`,
  );
  const out = join(dir, 'changes');
  mkdirSync(out);
  const boots = (rules: object) =>
    spawnSync(
      'env',
      [
        '-i',
        `PATH=${process.env.PATH}`,
        'node',
        script,
        '-q',
        '--output-format=simple',
        `--output-directory=${out}`,
      ].concat(`--policy=${policy(rules)}`, DISK),
      { encoding: 'latin1' },
    );
  const r = boots({ kernel: { signature } });
  t.equal(r.status, 1);
  t.match(
    r.stderr,
    /^RuntimeError: .*menuentry 'signed': refused by policy .*kernel\.signature: \/boot\/signed: pe: .*other content/m,
  );
  t.equal(r.stdout, '');
  t.same(readdirSync(out), []);
  t.equal(boots({}).status, 0, 'it is the policy that looks');
});

t.test('a unified kernel image is signed as a whole', async (t) => {
  const rules = {
    dialects: ['bls'],
    kernel: { signature },
    ramdisk: { signature: { ...signature, accept: ['pe'] } },
  };
  const r = boot(rules, DISK);
  t.equal(r.status, 0, r.err);
  t.equal(r.result.args, 'root=/dev/xvda1 from=uki');
  const disk = readFileSync(DISK);
  // Inside .initrd alone: the kernel is what it was, and is refused with its image.
  const at = disk.indexOf('another ramdisk, unsigned', disk.indexOf('from=uki'));
  disk[at]! ^= 1;
  const changed = join(dir, 'changed.img');
  writeFileSync(changed, disk);
  const no = boot(rules, changed);
  t.equal(no.status, 1);
  t.match(no.err, /tests\.efi: pe: Authenticode signature: was made for other content/);
});

t.test('hashes', async (t) => {
  const kernel = sha256(readFileSync(join(FIXTURES, 'unsigned')));
  const p = problems({ kernel: { sha256: [kernel] } });
  t.equal(p.plain, null);
  t.equal(p.beside, null);
  t.match(p.signed, /^refused by policy P: kernel\.sha256: \/boot\/signed has the hash [0-9a-f]{64}$/);
  const either = problems({ kernel: { sha256: [kernel], signature } });
  t.same([either.plain, either.signed], [null, null], 'one of both suffices');
  t.match(either.changed, /kernel\.signature: .*has the hash .*was made for other content/);
  const ramdisk = sha256(Buffer.from('a ramdisk of the tests\n'));
  t.same(
    Object.entries(problems({ ramdisk: { sha256: [ramdisk] } }))
      .filter(([, problem]) => problem !== null)
      .map(([id]) => id),
    ['twofiles', 'wrapped'],
  );
});

t.test('a refused default: fallbacks, and never another entry', async (t) => {
  const disk = image('policy.img');
  const at = disk.indexOf('set timeout=0\n');
  t.ok(at > 0);
  const rules = { kernel: { signature }, guess: false };
  const withMenu = (text: string) => {
    const changed = Buffer.from(disk);
    // In place of the first entry.
    const end = changed.indexOf("menuentry 'plain'");
    changed.fill('\n', at, end);
    changed.write(text, at);
    const path = join(dir, `menu${count++}.img`);
    writeFileSync(path, changed);
    return path;
  };
  const rescued = boot(
    rules,
    withMenu('set default=changed fallback=beside\nset default=changed\nset fallback="plain beside"\n'),
  );
  t.equal(rescued.result?.entry, 'beside', rescued.err);
  t.match(rescued.err, /menuentry 'changed': refused by policy .*\n.*menuentry 'plain': refused by policy/);
  const no = boot(rules, withMenu('set default=changed\n'));
  t.equal(no.status, 1);
  t.match(
    no.last,
    /^RuntimeError: .* does not boot: disk ext4: .*menuentry 'changed': refused by policy P: kernel\.signature/,
  );
  t.equal(no.err.match(/RuntimeError: /g)?.length, 1);
});

t.test('arguments', async (t) => {
  const rules = { arguments: { refused: ['init='], removed: ['ro'], appended: ['lockdown=integrity'] } };
  t.equal(boot(rules, '--args=x=1', DISK).result.args, 'root=/dev/xvda1 x=1 lockdown=integrity');
  const p = problems(rules);
  t.equal(p.shell, "refused by policy P: arguments.refused: 'init=/bin/sh'");
  t.equal(p.signed, null);
  const host = boot({ ...rules, guess: false }, '--args=init=/bin/sh', DISK);
  t.match(
    host.last,
    /refused by policy P: arguments\.refused: 'init=\/bin\/sh'/,
    "the host's own --args as well",
  );
  const named = boot(rules, '--kernel=/boot/signed', '--args=ro', DISK);
  t.equal(named.result?.args, 'lockdown=integrity');
  t.match(
    boot(rules, '--kernel=/boot/signed', '--args=init=x', DISK).last,
    /refused by policy P: arguments\.refused/,
  );
  t.equal(
    run('-qn', '--output-format=simple', `--policy=${policy(rules)}`, DISK).out,
    'kernel <kernel:/boot/signed>\nramdisk <ramdisk:/boot/initrd>\nargs root=/dev/xvda1 lockdown=integrity\n\n',
  );
});

t.test('dialects, filesystems, volumes, guess, sizes', async (t) => {
  const last = (rules: object) => boot(rules, DISK).last.replace(/^.*does not boot: /, '');
  t.match(
    last({ dialects: ['syslinux'] }),
    /^disk ext4: \/boot\/grub\/grub\.cfg: refused by policy P: dialects: 'grub2'$/,
  );
  t.match(last({ filesystems: ['xfs'] }), /^disk refused by policy P: filesystems: 'ext4'$/);
  t.match(last({ volumes: ['hd0,gpt*'] }), /^disk refused by policy P: volumes: 'hd0'$/);
  t.equal(boot({ volumes: ['hd*'], filesystems: ['ext4'], dialects: ['grub2'] }, DISK).status, 0);
  const sizes = problems({ kernel: { maxSize: 4000 }, ramdisk: { maxSize: '1K' } });
  t.equal(sizes.plain, null);
  t.match(sizes.signed, /^refused by policy P: kernel\.maxSize: \d+ bytes, at most 4000$/);
  t.match(problems({ ramdisk: { maxSize: 30 } }).twofiles, /ramdisk\.maxSize: 49 bytes, at most 30/);
  const empty = join(dir, 'empty.img');
  const disk = image('policy.img');
  // The name of the configuration in its directory.
  const name = disk.indexOf('grub.cfg');
  disk.write('grub.cfx', name);
  writeFileSync(empty, disk);
  const r = boot({ guess: false, dialects: ['grub2'] }, empty);
  t.match(r.err, /^refused by policy .*: guess: kernels are not looked for/);
});

t.test('what is asked for on the command line', async (t) => {
  t.match(
    boot({ entry: false }, '--entry=1', DISK).last,
    /^RuntimeError: refused by policy P: entry: --entry=1$/,
  );
  t.match(boot({}, '--isconfig', DISK).last, /^RuntimeError: --policy is for disks/);
  const shown = run('-n', '--menu-timeout=1', '--output-format=simple', `--policy=${policy({})}`, EXAMPLE);
  t.equal(shown.status, 0);
});

t.test('no menu', async (t) => {
  const out = join(dir, 'menu');
  mkdirSync(out);
  const args = ['--output-format=simple', `--output-directory=${out}`, EXAMPLE];
  t.match(run(`--policy=${policy({ menu: true })}`, ...args).err, /^\* +1 {2}Debian/m);
  t.notMatch(run(`--policy=${policy({ menu: false })}`, ...args).err, /^\* +1 {2}Debian/m);
});

t.test('a policy that is wrong boots nothing', async (t) => {
  const file = (name: string, text: string | Buffer) => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  const says = (path: string) => {
    const r = boot(path, DISK);
    t.equal(r.status, 1);
    t.equal(r.err.trimEnd().split('\n').length, 1);
    return r.last.replaceAll(dir, 'D');
  };
  t.equal(
    says(join(dir, 'none.json')),
    'RuntimeError: cannot read policy P: no such file or directory (ENOENT)',
  );
  t.match(says(file('x.yaml', '{}')), /must end with \.json or \.toml$/);
  t.match(says(file('bad.json', '{')), /^RuntimeError: policy P: .*JSON/);
  t.match(says(file('bad.toml', 'a = ')), /^RuntimeError: policy P: line 1: Invalid TOML/);
  t.match(
    says(file('key.toml', '\n[kernel]\nsha = []\n')),
    /^RuntimeError: policy P: line 3: kernel\.sha: there is no such key/,
  );
  t.match(says(file('big.json', `{"menu": false${' '.repeat(1 << 20)}}`)), /more than 1048576 bytes$/);
  t.match(says(file('latin.json', Buffer.from('{"\xe4": 1}', 'latin1'))), /is not UTF-8$/);
  mkdirSync(join(dir, 'folder.json'));
  t.match(says(join(dir, 'folder.json')), /is not a regular file$/);
  spawnSync('mkfifo', [join(dir, 'fifo.json')]);
  t.match(says(join(dir, 'fifo.json')), /is not a regular file$/);
  symlinkSync('/dev/zero', join(dir, 'zero.json'));
  t.match(says(join(dir, 'zero.json')), /is not a regular file$/);
  const signed = (name: string) => policy({ kernel: { signature: { certificates: [name] } } });
  t.match(says(signed('none.pem')), /certificate D\/none\.pem: no such file/);
  t.match(says(signed('disk.img')), /certificate .*more than|is not UTF-8/);
  file('empty.pem', 'no certificate\n');
  t.match(says(signed('empty.pem')), /certificate empty\.pem: holds no certificate in PEM$/);
  file(
    'cut.pem',
    readFileSync(join(FIXTURES, 'ca.pem'), 'utf8').replace(/\n[^\n]+\n[^\n]+\n-----END/, '\n-----END'),
  );
  t.match(says(signed('cut.pem')), /^RuntimeError: certificate.*|policy P: certificate cut\.pem/);
});
