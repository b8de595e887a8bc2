/**
 * Signatures by sbsign, osslsigncode and openssl, against what sbverify, osslsigncode and openssl said of them
 * (fixtures/recipes/policy.sh), and damaged ones.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { MemoryContent } from '../../lib/policy/content';
import { checkAuthenticode, readLayout } from '../../lib/policy/signature/authenticode';
import { Der, TAG } from '../../lib/policy/signature/der';
import { checkCms, checkRaw } from '../../lib/policy/signature/detached';
import { type Certificate, pemBlocks, readCertificate, trustedSigner } from '../../lib/policy/signature/x509';
import { cpuMs, ROOT } from '../support';

const file = (name: string): Buffer => readFileSync(join(ROOT, 'fixtures/policy', name));
const certificates = (name: string): Certificate[] =>
  pemBlocks(file(`${name}.pem`).toString()).map(({ bytes }) => readCertificate(bytes, name));
const kernel = new MemoryContent(file('unsigned'));

/** `yes`, or why not. */
function says(check: () => boolean | undefined): string {
  try {
    return check() === false ? 'no PE image' : 'yes';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return error.message;
  }
}

const pe = (bytes: Buffer, trusted: string) =>
  says(() => checkAuthenticode(new MemoryContent(bytes), certificates(trusted)));
const cms = (bytes: Buffer, trusted: string, content = kernel) =>
  says(() => checkCms(content, bytes, certificates(trusted)) as undefined);
const raw = (bytes: Buffer, trusted: string, content = kernel) =>
  says(() => checkRaw(content, bytes, certificates(trusted)) as undefined);

/** Where we say otherwise, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  // sbverify knows SHA-256 alone; osslsigncode says the same as we.
  'sbverify signed-ec ca': 'yes',
  'sbverify signed-ec sub': 'yes',
  'sbverify signed-sha512 ca': 'yes',
  'sbverify signed-sha512 signer': 'yes',
  // SHA-1 is not enough any more.
  'osslsigncode signed-sha1 ca': 'Authenticode signature: SHA-1 is not accepted',
  // What is signed is a bare file, and in DER.
  'openssl-cms cms-attached ca': 'CMS signature: holds its content instead of signing a file',
  'openssl-cms cms-noattr ca': 'CMS signature: has no signed attributes',
  'openssl-cms cms-stream ca': 'CMS signature: BER with indefinite lengths, DER is wanted',
  // The signer's certificate is not with it, and is not the trusted one: openssl was given it.
  'openssl-cms cms-nocerts ca': 'its certificate is neither trusted nor with it',
};

t.test('the verdicts of others', async (t) => {
  const lines = file('verdicts.txt').toString().trimEnd().split('\n');
  t.ok(lines.length > 90);
  for (const line of lines) {
    const [tool, name, trusted, verdict] = line.split(' ') as [string, string, string, string];
    const check = { sbverify: pe, osslsigncode: pe, 'openssl-cms': cms, 'openssl-dgst': raw }[tool]!;
    const ours = check(file(name), trusted);
    const different = DIFFERENT[`${tool} ${name} ${trusted}`];
    if (different !== undefined) t.equal(ours, different, line);
    else t.equal(ours === 'yes' ? 'yes' : 'no', verdict, `${line}: ${ours}`);
  }
});

t.test('why not', async (t) => {
  const why = (name: string, trusted: string) => pe(file(name), trusted);
  t.equal(why('unsigned', 'ca'), 'carries no signature');
  t.equal(why('signed-changed', 'ca'), 'Authenticode signature: was made for other content');
  t.equal(why('signed', 'other'), 'no trusted certificate vouches for it');
  t.equal(why('signed-tls', 'ca'), 'its certificate: it is not for signing code');
  t.equal(why('signed-encipher', 'ca'), 'its certificate: its key is not for signatures');
  t.equal(why('signed-child', 'ca'), 'its issuer cannot vouch for it: it is no CA');
  t.equal(why('signed-toofar', 'ca'), 'its issuer cannot vouch for it: its path length');
  t.equal(why('signed-past', 'ca'), 'yes', 'a certificate that is over');
  t.equal(pe(Buffer.alloc(2000), 'ca'), 'no PE image');
  t.equal(
    cms(file('cms-nocerts'), 'signer'),
    'yes',
    'a pinned signer whose certificate is not with the signature',
  );
  t.equal(cms(file('cms-chain'), 'sub'), 'yes', 'an intermediate CA is trusted by itself');
  t.equal(
    cms(file('cms-der'), 'signer', new MemoryContent(file('signed'))),
    'CMS signature: was made for other content',
  );
  t.match(raw(file('raw-rsa'), 'signer', new MemoryContent(file('signed'))), /no trusted key/);
  t.equal(raw(file('raw-ec'), 'several'), 'raw signature: no trusted key has made it over this content');
  t.equal(raw(file('raw-rsa'), 'several'), 'yes');
});

t.test('one byte changed: only what is not signed may', async (t) => {
  const sound = file('signed');
  const layout = readLayout(new MemoryContent(sound))!;
  // The table's first entry: header, then DER. What none of it vouches for is found below.
  const free: number[] = [];
  for (let at = 0; at < sound.length; at++) {
    const damaged = Buffer.from(sound);
    damaged[at]! ^= 1 << (at % 8);
    if (pe(damaged, 'ca') === 'yes') free.push(at);
  }
  const outside = free.filter((at) => at < layout.table);
  t.same(
    outside,
    Array.from({ length: 4 }, (_, i) => layout.checksum + i),
    'before the table, the checksum alone',
  );
  // The embedded copies of certificates are not needed where the signer is pinned: the admin's are taken.
  t.ok(free.length - outside.length < 60, `${free.length - outside.length} bytes of the table`);
});

t.test('hostile ends: every length of every signature', async (t) => {
  for (const name of ['signed', 'signed-twice', 'signed-ec']) {
    const bytes = file(name);
    const taken = [];
    for (let length = 0; length < bytes.length; length += 7)
      if (pe(bytes.subarray(0, length), 'ca') === 'yes') taken.push(length);
    t.same(taken, [], name);
  }
  for (const name of ['cms-der', 'cms-keyid', 'cms-chain']) {
    const bytes = file(name);
    const taken = [];
    for (let length = 0; length < bytes.length; length += 5)
      if (cms(bytes.subarray(0, length), 'ca') === 'yes') taken.push(length);
    t.same(taken, [], name);
  }
});

t.test('names that all agree make no endless search', async (t) => {
  // A certificate authority that vouches for itself under one name, thirty times: ways without number.
  const [ca] = certificates('other');
  const crowd = Array.from({ length: 30 }, () => ({ ...ca!, raw: Buffer.from(ca!.raw) }));
  const start = cpuMs();
  t.throws(
    () => trustedSigner({ issuer: ca!.issuer, serial: ca!.serial }, certificates('ca'), crowd),
    /ways to a trusted certificate/,
  );
  t.ok(cpuMs() - start < 1000);
});

t.test('DER: lengths and numbers', async (t) => {
  const of = (hex: string) => new Der(Buffer.from(hex, 'hex'), 'x');
  t.throws(() => of('30').any(), /ends in the middle/);
  t.throws(() => of('3005aabb').any(), /5 bytes where 2 are left/);
  t.throws(() => of('3081010a').any(), /longer form/);
  t.throws(() => of('308200800a').any(), /longer form/);
  t.throws(() => of('3085ffffffffff').any(), /a length of 5 bytes/);
  t.throws(() => of('3084ffffffff00').any(), /4294967295 bytes where/);
  t.throws(() => of('30800000').any(), /indefinite/);
  t.throws(() => of('3f810100').any(), /tag of several bytes/);
  t.throws(() => of('0200').unsigned(8), /not a positive/);
  t.throws(() => of('020180').unsigned(8), /not a positive/);
  t.throws(() => of('02020001').unsigned(8), /longer form/);
  t.throws(() => of('0203010000').unsigned(2), /maximum 2/);
  t.same(of('02020080').unsigned(8), Buffer.from([0x80]));
  t.throws(() => of('030201ff').bits(), /odd bits/);
  t.throws(() => of('010101').boolean(), /truth/);
  t.throws(() => of('0500').read(TAG.sequence), /0x5 where 0x30/);
  t.throws(() => of('').read(TAG.sequence), GuestError);
});
