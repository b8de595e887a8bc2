/**
 * Signatures: our verdict and sbverify's, openssl's, over Debian's own signed kernel, over what sbsign and openssl sign here, and
 * over hundreds of damaged ones. And the commands of docs/policy.md, as they stand there.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { type Content, MemoryContent } from '../../lib/policy/content';
import { checkAuthenticode, readLayout } from '../../lib/policy/signature/authenticode';
import { checkCms, checkRaw } from '../../lib/policy/signature/detached';
import { type Certificate, pemBlocks, readCertificate } from '../../lib/policy/signature/x509';
import { ROOT } from '../support';
import { boot, makeDisk, must, NODEGRUB, run, scratch } from './support';

const dir = scratch(t);
const at = (name: string) => join(dir, name);
const must_ = (...words: string[]) => must('sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', dir, ...words);
const trusted = (name: string): Certificate[] =>
  pemBlocks(readFileSync(at(name), 'latin1')).map(({ bytes }) => readCertificate(bytes, name));

function says(check: () => unknown): string {
  try {
    return check() === false ? 'no PE image' : 'yes';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return error.message;
  }
}

/** Repeatable. */
function randomness(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

function damaged(bytes: Buffer, place: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[place]! ^= 1 << bit;
  return copy;
}

const kernel = must('bash', join(ROOT, 'test/peers/debian-linux.sh'), '--kernel').trim();
copyFileSync(kernel, at('vmlinuz'));

// A CA, a signer that it vouches for, and one of its own.
writeFileSync(
  at('ext'),
  'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n',
);
const subject = (name: string) => ['-subj', `/CN=${name}`, '-days', '3650', '-sha256'];
must_(
  'openssl',
  'req',
  '-new',
  '-x509',
  '-newkey',
  'rsa:2048',
  '-nodes',
  '-keyout',
  'ca.key',
  '-out',
  'ca.pem',
  ...subject('ca'),
);
must_(
  'openssl',
  'req',
  '-new',
  '-newkey',
  'rsa:2048',
  '-nodes',
  '-keyout',
  's.key',
  '-out',
  's.csr',
  '-subj',
  '/CN=s',
);
must_(
  'openssl',
  'x509',
  '-req',
  '-in',
  's.csr',
  '-CA',
  'ca.pem',
  '-CAkey',
  'ca.key',
  '-CAcreateserial',
  '-days',
  '3650',
  '-sha256',
  '-extfile',
  'ext',
  '-out',
  's.pem',
);
must_(
  'openssl',
  'req',
  '-new',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-keyout',
  'ec.key',
  '-out',
  'ec.pem',
  ...subject('ec'),
);

const pe = (bytes: Buffer, certificate: string) =>
  says(() => checkAuthenticode(new MemoryContent(bytes), trusted(certificate)));

/** sbverify's; undefined where it crashes. */
function sbverify(bytes: Buffer, certificate: string): boolean | undefined {
  writeFileSync(at('tried.efi'), bytes);
  const { status } = run('sbverify', ['--cert', at(certificate), at('tried.efi')]);
  return status === null || status > 128 ? undefined : status === 0;
}

t.test("Debian's own signature", async (t) => {
  must_('sbattach', '--detach', 'vmlinuz.p7', 'vmlinuz');
  copyFileSync(kernel, at('vmlinuz'));
  writeFileSync(
    at('debian.pem'),
    must_('openssl', 'pkcs7', '-inform', 'DER', '-in', 'vmlinuz.p7', '-print_certs'),
  );
  const bytes = readFileSync(at('vmlinuz'));
  t.match(readFileSync(at('debian.pem'), 'latin1'), /Debian Secure Boot Signer/);
  t.equal(pe(bytes, 'debian.pem'), 'yes');
  t.equal(sbverify(bytes, 'debian.pem'), true);
  t.equal(pe(bytes, 'ca.pem'), 'no trusted certificate vouches for it');
  t.equal(sbverify(bytes, 'ca.pem'), false);
});

/**
 * Outside of the certificate table and of its length both say the same. Inside, nothing that sbverify refuses is accepted; it
 * does not look at some of what we do.
 */
function compare(t: Test, bytes: Buffer, certificate: string, places: Iterable<[number, number]>): void {
  const layout = readLayout(new MemoryContent(bytes))!;
  const counts = { same: 0, stricter: 0, crashed: 0 };
  const wrong: string[] = [];
  for (const [place, bit] of places) {
    const copy = damaged(bytes, place, bit);
    const ours = pe(copy, certificate);
    const theirs = sbverify(copy, certificate);
    const table = place >= layout.table || (place >= layout.directory && place < layout.directory + 8);
    if (theirs === undefined) counts.crashed++;
    else if ((ours === 'yes') === theirs) counts.same++;
    else if (table && theirs) counts.stricter++;
    else wrong.push(`byte ${place}, bit ${bit}: ours ${ours}, sbverify ${theirs}`);
  }
  t.same(wrong, [], certificate);
  t.comment(JSON.stringify(counts));
  t.ok(counts.same > 0.9 * (counts.same + counts.stricter));
}

t.test('a kernel signed here, damaged', async (t) => {
  must_('sbsign', '--key', 's.key', '--cert', 's.pem', '--output', 'signed', 'vmlinuz');
  const bytes = readFileSync(at('signed'));
  t.equal(pe(bytes, 'ca.pem'), 'yes', 'twice signed, the second is ours');
  t.equal(pe(bytes, 'debian.pem'), 'yes');
  t.equal(sbverify(bytes, 'ca.pem'), true);
  const random = randomness(1);
  const { checksum } = readLayout(new MemoryContent(bytes))!;
  compare(t, bytes, 'ca.pem', [
    ...Array.from({ length: 40 }, (): [number, number] => [random(bytes.length), random(8)]),
    ...Array.from({ length: 20 }, (): [number, number] => [random(600), random(8)]),
    [checksum, 0],
    [checksum + 3, 7],
    [checksum + 4, 0],
  ]);
});

t.test('a small image, damaged', async (t) => {
  copyFileSync(join(ROOT, 'fixtures/policy/unsigned'), at('small'));
  must_('sbsign', '--key', 's.key', '--cert', 's.pem', '--output', 'small.signed', 'small');
  const bytes = readFileSync(at('small.signed'));
  const random = randomness(2);
  const { table } = readLayout(new MemoryContent(bytes))!;
  compare(t, bytes, 'ca.pem', [
    ...Array.from({ length: 60 }, (): [number, number] => [random(table), random(8)]),
    ...Array.from({ length: 200 }, (): [number, number] => [table + random(bytes.length - table), random(8)]),
  ]);
});

t.test('openssl cms and dgst', async (t) => {
  copyFileSync(join(ROOT, 'fixtures/policy/unsigned'), at('content'));
  const content = readFileSync(at('content'));
  const file: Content = new MemoryContent(content);
  const random = randomness(3);
  for (const [key, ca] of [
    ['s', 'ca'],
    ['ec', 'ec'],
  ] as const) {
    must_(
      'openssl',
      'cms',
      '-sign',
      '-binary',
      '-signer',
      `${key}.pem`,
      '-inkey',
      `${key}.key`,
      '-outform',
      'DER',
      '-in',
      'content',
      '-out',
      'content.p7s',
    );
    must_('openssl', 'dgst', '-sha256', '-sign', `${key}.key`, '-out', 'content.sig', 'content');
    writeFileSync(at('pub'), must_('openssl', 'x509', '-in', `${key}.pem`, '-noout', '-pubkey'));
    const cms = readFileSync(at('content.p7s'));
    const raw = readFileSync(at('content.sig'));
    const ours = (signature: Buffer, over = file) =>
      says(() => checkCms(over, signature, trusted(`${ca}.pem`)));
    const oursRaw = (signature: Buffer, over = file) =>
      says(() => checkRaw(over, signature, trusted(`${key}.pem`)));
    const openssl = (signature: Buffer) => {
      writeFileSync(at('tried'), signature);
      const words = [
        'cms',
        '-verify',
        '-binary',
        '-inform',
        'DER',
        '-in',
        at('tried'),
        '-content',
        at('content'),
      ];
      return (
        run('openssl', [...words, '-CAfile', at(`${ca}.pem`), '-purpose', 'any', '-out', '/dev/null'])
          .status === 0
      );
    };
    const opensslRaw = (signature: Buffer) => {
      writeFileSync(at('tried'), signature);
      return (
        run('openssl', ['dgst', '-sha256', '-verify', at('pub'), '-signature', at('tried'), at('content')])
          .status === 0
      );
    };
    t.same([ours(cms), openssl(cms), oursRaw(raw), opensslRaw(raw)], ['yes', true, 'yes', true], key);
    const other = new MemoryContent(damaged(content, 2000, 3));
    t.match(ours(cms, other), /other content/);
    t.match(oursRaw(raw, other), /no trusted key/);
    let same = 0;
    let known = 0;
    const wrong: string[] = [];
    for (let i = 0; i < 80; i++) {
      const place = random(cms.length);
      const copy = damaged(cms, place, random(8));
      const [we, they] = [ours(copy) === 'yes', openssl(copy)];
      if (we === they) same++;
      // With a self-signed certificate the signer is the trusted one, whose copy in the file is not looked at.
      else if (we && key === 'ec') known++;
      else if (we) wrong.push(`byte ${place}: ours yes, openssl no`);
    }
    t.same(wrong, [], key);
    t.ok(same > (key === 'ec' ? 25 : 70), `${same} the same, ${known} in the copy of the certificate`);
    for (let i = 0; i < 25; i++) {
      const copy = damaged(raw, random(raw.length), random(8));
      t.equal(oursRaw(copy) === 'yes', opensslRaw(copy));
    }
  }
});

t.test('a guest with that kernel', async (t) => {
  const config = (name: string) => `menuentry x {\n linux /${name} root=/dev/xvda1\n initrd /initrd\n}\n`;
  const disk = (name: string, bytes: Buffer) => {
    makeDisk(at(name), 'gpt', [
      {
        fs: 'ext4',
        size: 20480,
        tree: { 'boot/grub/grub.cfg': config('vmlinuz'), vmlinuz: bytes, initrd: Buffer.alloc(3000, 1) },
      },
    ]);
    return at(name);
  };
  writeFileSync(at('policy.toml'), '[kernel.signature]\ncertificates = ["ca.pem"]\naccept = ["pe"]\n');
  const policy = `--policy=${at('policy.toml')}`;
  const signed = readFileSync(at('signed'));
  const good = boot(NODEGRUB, dir, [policy, disk('good.img', signed)]);
  t.equal(good.status, 0, good.stderr);
  t.same(good.kernel, signed);
  for (const bytes of [damaged(signed, 4_000_000, 0), readFileSync(kernel)]) {
    const bad = boot(NODEGRUB, dir, [policy, disk('bad.img', bytes)]);
    t.equal(bad.status, 1);
    t.match(bad.stderr, /RuntimeError: .*refused by policy .*kernel\.signature/);
    t.same(bad.left, []);
  }
});

t.test('the page for admins', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/policy.md'), 'utf8');
  const blocks = [...page.matchAll(/```(sh|toml)\n([\s\S]*?)```/g)].map(([, form, text]) => ({
    form,
    text: text!,
  }));
  const here = at('page');
  mkdirSync(here);
  copyFileSync(kernel, join(here, 'vmlinuz'));
  writeFileSync(join(here, 'initrd.img'), 'a ramdisk');
  copyFileSync(at('debian.pem'), join(here, 'debian-ca.pem'));
  const outputs: string[] = [];
  for (const { form, text } of blocks) {
    if (form === 'toml') {
      writeFileSync(join(here, 'policy.toml'), text);
      continue;
    }
    if (outputs.length === 1)
      makeDisk(join(here, 'guest.img'), 'gpt', [
        {
          fs: 'ext4',
          size: 20480,
          tree: {
            'boot/grub/grub.cfg':
              'menuentry x {\n linux /boot/vmlinuz ro lockdown=none\n initrd /boot/initrd.img\n}\n',
            'boot/vmlinuz': readFileSync(join(here, 'vmlinuz.signed')),
            'boot/initrd.img': 'a ramdisk',
          },
        },
      ]);
    const script = `set -eu; cd "$1"; nodegrub() { "${NODEGRUB}" "$@"; }\n${text}`;
    const r = run('bash', ['-c', script, 'bash', here]);
    t.equal(r.status, 0, `${text}${r.stdout}${r.stderr}`);
    outputs.push(r.stdout);
  }
  t.equal(outputs.length, 4);
  t.match(outputs[0], /Signature verification OK/);
  t.match(outputs[1], /"problem": null[\s\S]*args ro lockdown=integrity/);
  t.match(outputs[2], /kernel <kernel:\/boot\/vmlinuz>/);
});
