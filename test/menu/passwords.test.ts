/** Passwords that other programs hashed (fixtures/recipes/passwords.sh), wrong ones, and hostile values. */
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Password } from '../../lib/boot/model';
import { checkPassword } from '../../menu/passwords';
import { Attempts } from '../../menu/passwords/attempts';
import { generator, mutations } from '../boot/dialect';
import { ROOT } from '../support';
import { type Vector, wrongOnes } from './passwords';

const vectors = (scheme: string): Vector[] =>
  JSON.parse(readFileSync(join(ROOT, 'fixtures', 'configs', 'passwords', `${scheme}.json`), 'utf8'));
const check = (scheme: Password['scheme'], value: string, typed: string) =>
  checkPassword({ scheme, value }, typed);

for (const scheme of ['crypt', 'pbkdf2', 'sha1'] as const)
  t.test(scheme, async (t) => {
    const all = vectors(scheme);
    t.ok(all.length > 40);
    for (const [i, { by, value, typed }] of all.entries()) {
      t.equal(check(scheme, value, typed), true, `${by}: ${value.slice(0, 60)}`);
      // what takes half a second is not done again and again
      if (/rounds=\d{6}|\.\d{7}\./.test(value)) continue;
      // two of them in turn: SHA-crypt takes 8 ms
      const wrongs = wrongOnes(typed);
      for (const wrong of [wrongs[i % wrongs.length]!, wrongs[(i + 1) % wrongs.length]!])
        t.equal(check(scheme, value, wrong), false, `${JSON.stringify(wrong)}, not ${JSON.stringify(typed)}`);
    }
  });

t.test('plain', async (t) => {
  for (const text of ['', 'x', 'a b', 'Gr\xc3\xb6\xdfe', '\0', '$1$', '\xff'.repeat(5000)]) {
    t.equal(check('plain', text, text), true);
    for (const wrong of wrongOnes(text)) t.equal(check('plain', text, wrong), false, JSON.stringify(wrong));
  }
  t.equal(check('plain', 'a', 'a\0'), false);
});

t.test('what may follow a hash, and what may not', async (t) => {
  // syslinux' menu compares up to the end of the hash and wants a `$` or nothing there
  for (const scheme of ['crypt', 'sha1'] as const)
    for (const { value, typed } of vectors(scheme).filter(
      (v) => v.typed === 'secret' && !/rounds/.test(v.value),
    )) {
      const bare = value.replace(/\$$/, '');
      const right =
        scheme === 'sha1' && !bare.endsWith('=') ? ['', '$', '$$', '$x', '=', '=$'] : ['', '$', '$x'];
      for (const end of right) t.equal(check(scheme, bare + end, typed), true, bare + end);
      for (const end of [' ', 'x', '\n', '==', '.'])
        t.equal(check(scheme, bare + end, typed), false, bare + end);
      t.equal(check(scheme, ` ${value}`, typed), false);
      t.equal(check(scheme, bare.replace(/.=?$/, ''), typed), false, 'too short');
    }
});

t.test('each scheme knows only its own values', async (t) => {
  for (const scheme of ['plain', 'crypt', 'pbkdf2', 'sha1'] as const)
    for (const other of ['crypt', 'pbkdf2', 'sha1'] as const) {
      if (other === scheme) continue;
      const { value, typed } = vectors(other)[0]!;
      t.equal(check(scheme, value, typed), false, `${value.slice(0, 30)} as ${scheme}`);
    }
});

t.test('malformed values match nothing', async (t) => {
  const digits = 'a'.repeat(86);
  const values = {
    crypt: [
      ...[
        '',
        '$',
        '$$',
        '$$$',
        '$1',
        '$1$',
        '$1$$',
        '$1$salt',
        '$1$salt$',
        '*',
        '!',
        '*0',
        'x',
        'abJnggxhB/yWI',
      ],
      ...[
        '$5$',
        '$6$',
        '$5$salt$',
        '$6$salt$',
        '$2b$05$abcdefghijklmnopqrstuu',
        '$y$j9T$x$y',
        '$7$x$y',
        '$0$a$b',
      ],
      `$1$ninechars$${digits.slice(0, 22)}`,
      `$5$seventeencharacts$${digits.slice(0, 43)}`,
      ...['999', '0', '', '-1', '01000', '1e4', ' 5000', '1000000000', '9'.repeat(400), '5000,'].map(
        (rounds) => `$6$rounds=${rounds}$salt$${digits}`,
      ),
      `$6$rounds=$${digits}`,
      `$6$rounds=5000${digits}`,
      `$6$rounds=5000$rounds=5000$salt$${digits}`,
    ],
    pbkdf2: [
      ...[
        '',
        '...',
        'grub.pbkdf2.sha512',
        'grub.pbkdf2.sha512.',
        'grub.pbkdf2.sha512.1..',
        'grub.pbkdf2.sha512.1.00.',
      ],
      'grub.pbkdf2.sha512.0.00.00',
      'grub.pbkdf2.sha512.-1.00.00',
      'grub.pbkdf2.sha512.0x10.00.00',
      'grub.pbkdf2.sha512..00.00',
      'grub.pbkdf2.sha256.1.00.00',
      'grub.pbkdf2.sha512.1.0.00',
      'grub.pbkdf2.sha512.1.00.0',
      'grub.pbkdf2.sha512.1.0g.00',
      'grub.pbkdf2.sha512.1.00.00.00',
      'grub.pbkdf2.sha512.1.00.00\n',
    ],
    sha1: [
      '',
      '$4$',
      '$4$$',
      '$4$$$',
      '$4$salt$',
      '$4$salt$aaaa',
      `$4$salt$${'a'.repeat(26)}`,
      `$4$${'a'.repeat(28)}`,
    ],
  };
  for (const scheme of ['crypt', 'pbkdf2', 'sha1'] as const)
    for (const value of values[scheme])
      for (const typed of ['', 'x', value])
        t.equal(check(scheme, value, typed), false, `${scheme} ${JSON.stringify(value.slice(0, 60))}`);
  // well-formed ones that were damaged somewhere: not thrown, and never right for another password
  for (const scheme of ['crypt', 'pbkdf2', 'sha1'] as const) {
    const quick = vectors(scheme).filter((v) => v.typed !== '' && !/rounds=\d{5}|\.\d{5,}\./.test(v.value));
    const below = generator(4);
    for (let i = 0; i < 8; i++)
      for (const value of mutations(quick[below(quick.length)]!.value, 25, i + 1))
        for (const typed of ['', 'not this one'])
          if (check(scheme, value, typed)) t.fail(`${scheme} ${value} is right for ${JSON.stringify(typed)}`);
  }
});

t.test('a value that would take for ever matches nothing, at once', async (t) => {
  const pbkdf2 = 'grub.pbkdf2.sha512';
  const byte = (n: number) => '00'.repeat(n);
  const hostile: [Password['scheme'], string, string][] = [
    ['crypt', `$5$rounds=999999999$salt$${'a'.repeat(43)}`, 'x'],
    ['crypt', `$6$rounds=999999999$salt$${'a'.repeat(86)}`, 'x'],
    ['crypt', `$6$rounds=2000000$salt$${'a'.repeat(86)}`, 'x'],
    // longer passwords take longer
    ['crypt', `$6$rounds=656000$salt$${'a'.repeat(86)}`, 'x'.repeat(1024)],
    ['pbkdf2', `${pbkdf2}.1099511627776.00.${byte(64)}`, 'x'],
    ['pbkdf2', `${pbkdf2}.${'9'.repeat(400)}.00.${byte(64)}`, 'x'],
    ['pbkdf2', `${pbkdf2}.4000000.00.${byte(64)}`, 'x'],
    ['pbkdf2', `${pbkdf2}.100000.00.${byte(64 * 100)}`, 'x'],
    // a long salt, once for each block
    ['pbkdf2', `${pbkdf2}.1.${byte(1_000_000)}.${byte(1_000_000)}`, 'x'],
  ];
  for (const [scheme, value, typed] of hostile) {
    const from = process.cpuUsage();
    t.equal(check(scheme, value, typed), false);
    const { user, system } = process.cpuUsage(from);
    const took = (user + system) / 1000;
    t.ok(took < 500, `${value.slice(0, 40)}: ${took} ms`);
  }
});

t.test('a hashed password of more than 1,024 bytes is not looked at', async (t) => {
  for (const [length, right] of [
    [1024, true],
    [1025, false],
  ] as const) {
    const typed = 'x'.repeat(length);
    const hash = crypto.createHash('sha1').update(`salt${typed}`).digest('base64');
    t.equal(check('sha1', `$4$salt$${hash}`, typed), right, `${length}`);
  }
});

t.test('a host without MD5 (FIPS) refuses md5crypt and does not throw', async (t) => {
  const { value, typed } = vectors('crypt').find((v) => v.value.startsWith('$1$'))!;
  const asked: string[] = [];
  const { createHash } = crypto;
  const refusing = (name: string) => {
    asked.push(name);
    if (name === 'md5') throw new Error('error:0308010C:digital envelope routines::unsupported');
    return createHash(name);
  };
  const replaced = t.intercept(crypto, 'createHash', { value: refusing, configurable: true, writable: true });
  t.equal(checkPassword({ scheme: 'crypt', value }, typed), false);
  t.same(asked, ['md5']);
  t.equal(checkPassword({ scheme: 'plain', value }, value), true);
  replaced.restore();
  t.equal(checkPassword({ scheme: 'crypt', value }, typed), true, 'a host with MD5');
});

t.test('three tries, then a delay that grows', async (t) => {
  const attempts = new Attempts();
  t.equal(attempts.waitUntil(0), 0);
  let now = 1000;
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    attempts.failed(now);
    const wait = attempts.waitUntil(now);
    waits.push(wait);
    if (wait > 0) {
      t.equal(attempts.waitUntil(now + wait / 2), wait / 2);
      t.equal(attempts.waitUntil(now + wait - 1), 1);
    }
    now += wait;
    t.equal(attempts.waitUntil(now), 0, 'accepted afterwards');
  }
  t.same(
    waits,
    [0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60].map((s) => s * 1000),
  );

  for (let i = 0; i < 5000; i++) attempts.failed(now);
  t.equal(attempts.waitUntil(now), 60_000);
  attempts.succeeded();
  t.equal(attempts.waitUntil(now), 0, 'a right one ends the delay');
  attempts.failed(now);
  attempts.failed(now);
  t.equal(attempts.waitUntil(now), 0, 'and the count');
  attempts.failed(now);
  t.equal(attempts.waitUntil(now), 2000);
});
