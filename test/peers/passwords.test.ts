/** The checker of passwords against the tools that make them: random ones, in every scheme. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Password } from '../../lib/boot/model';
import { checkPassword } from '../../menu/passwords';
import { generator } from '../boot/dialect';

const random = generator(99);
const some = (letters: string, count: number) =>
  Array.from({ length: count }, () => letters[random(letters.length)]!).join('');
const SALT = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TEXT = `${SALT} !"#$%&'()*+,-:;<=>?@[]^_{|}~äß漢`;

const tools: Record<string, (password: string) => Password> = {
  'openssl -1': (p) => crypt('openssl', 'passwd', '-1', '-salt', some(SALT, 1 + random(8)), '-stdin', p),
  'openssl -5': (p) => crypt('openssl', 'passwd', '-5', '-salt', some(SALT, 1 + random(16)), '-stdin', p),
  'openssl -6': (p) => crypt('openssl', 'passwd', '-6', '-salt', some(SALT, 1 + random(16)), '-stdin', p),
  mkpasswd: (p) =>
    crypt('mkpasswd', '-s', '-m', random(2) ? 'sha-256' : 'sha-512', '-R', `${1000 + random(3000)}`, p),
  'grub-mkpasswd-pbkdf2': (p) => {
    const out = run(
      'grub-mkpasswd-pbkdf2',
      ['-c', `${1 + random(5000)}`, '-l', `${1 + random(120)}`, '-s', `${1 + random(70)}`],
      `${p}\n${p}\n`,
    );
    return { scheme: 'pbkdf2', value: /grub\.pbkdf2\.\S+/.exec(out)![0] };
  },
  sha1pass: (p) => ({ scheme: 'sha1', value: run('sha1pass', [p, some(SALT, 1 + random(8))], '').trim() }),
};

function run(command: string, args: string[], input: string): string {
  return execFileSync(command, args, { input, encoding: 'utf8' });
}

/** The password is the last of the words, and is given as input. */
function crypt(command: string, ...words: string[]): Password {
  const password = words.pop()!;
  return { scheme: 'crypt', value: run(command, words, `${password}\n`).trim() };
}

for (const [name, make] of Object.entries(tools))
  t.test(name, async (t) => {
    for (let i = 0; i < 12; i++) {
      const password = some(TEXT, 1 + random(70));
      const made = make(password);
      const bytes = Buffer.from(password).toString('latin1');
      t.ok(checkPassword(made, bytes), `${made.value}: ${password}`);
      t.notOk(checkPassword(made, `${bytes}.`), 'a letter more');
      t.notOk(checkPassword(made, bytes.slice(0, -1)), 'a letter less');
    }
  });
