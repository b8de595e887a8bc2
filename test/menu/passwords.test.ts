/** Passwords that openssl, mkpasswd, grub-mkpasswd-pbkdf2 and sha1pass made (fixtures/recipes/passwords.sh). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Password } from '../../lib/boot/model';
import { checkPassword } from '../../menu/passwords';
import { Attempts } from '../../menu/passwords/attempts';
import { ROOT } from '../support';

const bytes = (text: string) => Buffer.from(text).toString('latin1');

t.test('what the tools made', async (t) => {
  const made: (Password & { password: string })[] = JSON.parse(
    readFileSync(join(ROOT, 'fixtures/configs/passwords/made.json'), 'utf8'),
  );
  for (const { scheme, value, password } of made) {
    t.ok(checkPassword({ scheme, value }, bytes(password)), `${value}: ${password}`);
    for (const wrong of [`${password}x`, password.slice(1), '', password.toUpperCase()])
      t.notOk(checkPassword({ scheme, value }, bytes(wrong)), `${value}: ${wrong}`);
  }
});

t.test('plain text', async (t) => {
  t.ok(checkPassword({ scheme: 'plain', value: 'secret' }, 'secret'));
  t.notOk(checkPassword({ scheme: 'plain', value: 'secret' }, 'Secret'));
  t.notOk(checkPassword({ scheme: 'plain', value: 'secret' }, 'secretx'));
  t.ok(checkPassword({ scheme: 'plain', value: '' }, ''));
});

t.test('what is no password is matched by nothing, and takes no time', async (t) => {
  const from = performance.now();
  const zeros = (n: number) => '0'.repeat(n);
  for (const [scheme, value] of [
    ...[
      '',
      '*',
      '$1$',
      '$1$salt',
      '$1$salt$',
      '$2$salt$x',
      `$5$salt$${'.'.repeat(42)}`,
      `$6$rounds=x$salt$${'.'.repeat(86)}`,
    ].map((v) => ['crypt', v]),
    ...[`$6$rounds=999999999$salt$${'.'.repeat(86)}`, `$5$rounds=${'9'.repeat(400)}$s$${'.'.repeat(43)}`].map(
      (v) => ['crypt', v],
    ),
    ...[
      '',
      'grub.pbkdf2.sha512.0.00.00',
      `grub.pbkdf2.sha512.999999999.00.${zeros(128)}`,
      `grub.pbkdf2.sha512.100000.00.${zeros(4000)}`,
    ].map((v) => ['pbkdf2', v]),
    ...['grub.pbkdf2.sha512.1000..', `grub.pbkdf2.sha256.1000.00.${zeros(128)}`].map((v) => ['pbkdf2', v]),
    ...['', '$4$', '$4$salt$short$'].map((v) => ['sha1', v]),
  ] as [Password['scheme'], string][])
    for (const typed of ['', 'x', value])
      t.notOk(checkPassword({ scheme, value }, typed), `${scheme} ${value}`.slice(0, 80));
  t.ok(performance.now() - from < 5000);
});

t.test('three tries, then a delay that grows', async (t) => {
  const attempts = new Attempts();
  attempts.failed(0);
  attempts.failed(0);
  t.equal(attempts.waitUntil(0), 0);
  attempts.failed(1000);
  t.equal(attempts.waitUntil(1000), 2000);
  t.equal(attempts.waitUntil(2500), 500);
  t.equal(attempts.waitUntil(3000), 0);
  attempts.failed(3000);
  t.equal(attempts.waitUntil(3000), 4000);
  for (let i = 0; i < 100; i++) attempts.failed(0);
  t.equal(attempts.waitUntil(0), 60_000);
  attempts.succeeded();
  t.equal(attempts.waitUntil(0), 0);
});
