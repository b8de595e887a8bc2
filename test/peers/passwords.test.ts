/**
 * Passwords that the programs of the formats hash now, with random texts and salts, and wrong ones; the fixture's recipe
 * makes again what it made. `SEEDS=N` tries N times as many.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkPassword } from '../../menu/passwords';
import { generator } from '../boot/dialect';
import { type Vector, wrongOnes } from '../menu/passwords';
import { ROOT } from '../support';
import { CLEAN_ENV, must, scratch } from './support';

const SEEDS = Number(process.env.SEEDS ?? 1);

/** Standard output of a program that is given these bytes. */
function piped(input: string, file: string, ...args: string[]): string {
  const variables = Object.entries(CLEAN_ENV).map(([name, value]) => `${name}=${value}`);
  const { status, stdout, stderr } = spawnSync('env', ['-i', ...variables, file, ...args], {
    input: Buffer.from(input, 'latin1'),
    encoding: 'latin1',
  });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: status ${status}\n${stderr}`);
  return stdout.replace(/\n$/, '');
}

interface Random {
  below(n: number): number;
  /** crypt's digits */
  salt(length: number): string;
}

type Tool = readonly [Vector['scheme'], (text: string, random: Random) => string];

const perl = 'binmode STDIN; local $/; print crypt(<STDIN> // "", $ARGV[0]) // "none"';
const TOOLS: Record<string, Tool> = {
  'openssl passwd': [
    'crypt',
    (text, { below, salt }) => {
      const kind = [1, 5, 6][below(3)]!;
      return piped(
        `${text}\n`,
        'openssl',
        'passwd',
        `-${kind}`,
        '-salt',
        salt(kind === 1 ? 8 : 16),
        '-stdin',
      );
    },
  ],
  mkpasswd: [
    'crypt',
    (text, { below, salt }) => {
      const method = ['sha256crypt', 'sha512crypt'][below(2)]!;
      const rounds = `${1000 + below(9000)}`;
      return piped(`${text}\n`, 'mkpasswd', '-s', '-m', method, '-R', rounds, '-S', salt(8 + below(9)));
    },
  ],
  'mkpasswd -m md5crypt': ['crypt', (text) => piped(`${text}\n`, 'mkpasswd', '-s', '-m', 'md5crypt')],
  'crypt(3)': [
    'crypt',
    (text, { below, salt }) => {
      const kind = [1, 5, 6][below(3)]!;
      return piped(text, 'perl', '-e', perl, `$${kind}$${salt(below(kind === 1 ? 9 : 17))}$`);
    },
  ],
  md5pass: ['crypt', (text, { salt }) => piped(`${text}\0${salt(8)}\0`, 'xargs', '-0', 'md5pass')],
  'md5pass, its own salt': ['crypt', (text) => piped(`${text}\0`, 'xargs', '-0', 'md5pass')],
  sha1pass: [
    'sha1',
    (text, { below, salt }) => piped(`${text}\0${salt(below(20))}\0`, 'xargs', '-0', 'sha1pass'),
  ],
  'sha1pass, its own salt': ['sha1', (text) => piped(`${text}\0`, 'xargs', '-0', 'sha1pass')],
  'grub-mkpasswd-pbkdf2': [
    'pbkdf2',
    (text, { below }) => {
      const options = ['-c', `${1 + below(20_000)}`, '-s', `${1 + below(100)}`, '-l', `${1 + below(200)}`];
      return piped(`${text}\n${text}\n`, 'grub-mkpasswd-pbkdf2', ...options).replace(
        /[\s\S]*(?=grub\.pbkdf2)/,
        '',
      );
    },
  ],
};

t.test('random ones', async (t) => {
  const below = generator(SEEDS);
  const text = (length: number, from: () => number) =>
    Array.from({ length }, () => String.fromCharCode(from())).join('');
  const random: Random = {
    below,
    salt: (length) =>
      text(length, () =>
        './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'.charCodeAt(below(64)),
      ),
  };
  for (let i = 0; i < 5 * SEEDS; i++)
    for (const [name, [scheme, make]] of Object.entries(TOOLS)) {
      // openssl and GRUB refuse the empty password
      const shortest = /openssl|grub/.test(name) ? 1 : 0;
      const length = i === 0 ? shortest : shortest + below(71 - shortest);
      // any byte but those that end a line or a C string
      const typed = text(length, () => [32 + below(95), 128 + below(128), 1 + below(9)][below(5) >> 1]!);
      const value = make(typed, random);
      const what = `${name}: ${value} of ${JSON.stringify(typed)}`;
      t.equal(checkPassword({ scheme, value }, typed), true, what);
      for (const wrong of wrongOnes(typed))
        t.equal(checkPassword({ scheme, value }, wrong), false, `${what}, not ${JSON.stringify(wrong)}`);
    }
});

t.test('the recipe makes the fixture', async (t) => {
  const dir = scratch(t);
  must('bash', join(ROOT, 'fixtures', 'recipes', 'passwords.sh'), dir);
  const fixture = (name: string) =>
    readFileSync(join(ROOT, 'fixtures', 'configs', 'passwords', name), 'utf8');
  const made = (name: string) => readFileSync(join(dir, name), 'utf8');
  for (const name of ['crypt.json', 'sha1.json']) t.equal(made(name), fixture(name), name);
  // GRUB's salts are new ones each time
  const pbkdf2: Vector[] = JSON.parse(made('pbkdf2.json'));
  t.equal(pbkdf2.length, JSON.parse(fixture('pbkdf2.json')).length);
  for (const { by, scheme, value, typed } of pbkdf2)
    t.equal(checkPassword({ scheme, value }, typed), true, by);
});
