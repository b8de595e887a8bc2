/**
 * GRUB's commands against GRUB: the recorded scripts once more, random scripts of `search`, `tr`, `echo`, `regexp` and
 * the environment block in grub-emu, grub-editenv, grub-fstest, the C library's regular expressions, rpm's versions.
 * `SEEDS=N` tries more random ones.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { compareFileVersions, compareRpm } from '../../lib/boot/bls/version';
import { Commands } from '../../lib/boot/grub2/commands';
import { assignments, withoutName, withValue } from '../../lib/boot/grub2/envblock';
import { type Answer, answer, plain } from '../boot/grub2/answer';
import { CONFIGS, expandTabs, onDisk, recorded } from '../boot/grub2/commands/disk';
import { context, ROOT, rounds } from '../support';
import { must, run, scratch } from './support';

const SEEDS = Number(process.env.SEEDS ?? 3);
const RECIPES = join(ROOT, 'fixtures', 'recipes');
const grubEmu = (script: string) => must(join(RECIPES, 'grub2-commands.sh'), '--record', script);

function random(seed: number) {
  let state = seed * 2654435761;
  const below = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % n;
  };
  return { below, pick: <T>(from: readonly T[]): T => from[below(from.length)]! };
}

for (const name of ['devices', 'files', 'text', 'env'])
  t.test(`recorded script ${name}`, async (t) => {
    const said = grubEmu(join(CONFIGS, `${name}.cfg`));
    t.same(said.split('\n'), recorded(name).expected.split('\n'));
  });

/** A line for each kind of command, with the variables it sets and `$?` printed after it. */
function randomScript(seed: number): string {
  const { below, pick } = random(seed);
  const word = () =>
    pick(['abc', 'a', 'hello world', 'x-1.2', 'AbC', '', '0', 'aab', 'b.c', '--', '-n', '-e', 'é']);
  const quoted = () => `'${word()}'`;
  const escapes = () =>
    `'${Array.from({ length: below(5) }, () => pick(['\\n', '\\\\', '\\q', 'x', '\\c', ' '])).join('')}'`;
  const re = () =>
    `'${Array.from({ length: 1 + below(4) }, () => pick(['a', '[a-c]', '(a|b)', '(.)', 'b*', '^', '$', '[[:digit:]]+', '\\.', '(', 'x{1,2}'])).join('')}'`;
  const hint = () =>
    pick([
      '',
      '--hint=hd0,gpt1',
      '--hint hd0,gpt2',
      '--hint=hd0,',
      '--hint-bios=hd9,1',
      '--hint=hd9',
      '-h hd0,2',
    ]);
  const search = () =>
    `search ${pick(['', '--no-floppy', '-n'])} ${pick(['--set=v', '-s v', '--set', '', '--set v'])} ${hint()} ${pick(
      [
        '--fs-uuid 11111111-2222-3333-4444-555555555555',
        '-u AAAAAAAA-2222-3333-4444-555555555555',
        '--label ONE',
        '-l two',
        '-f /hello',
        '--file /sub',
        '--file /sub/deep',
        '--file /link',
        '--file hello',
        '--file',
        '/hello',
      ],
    )}`;
  const env = () =>
    pick([
      `set ${pick(['one', 'big'])}=${quoted()}; save_env -f /env/short ${pick(['one', 'big', 'one big', 'none'])}`,
      `load_env -f /env/${pick(['short', 'plain', 'odd', 'broken'])} ${pick(['', 'one', 'two three', 'saved_entry'])}`,
      `list_env -f /env/${pick(['short', 'odd'])}`,
      'unset one; save_env --file=/env/short one',
    ]);
  const lines = ['set root=hd0,gpt2'];
  for (let i = 0; i < 60; i++) {
    lines.push(`echo "== ${i}"`, 'unset v; unset w; set root=hd0,gpt2');
    lines.push(
      pick([
        () =>
          `tr ${pick(['', '-U', '-D', '--set v', '-s w'])} ${Array.from({ length: below(4) }, quoted).join(' ')}`,
        () =>
          `echo ${pick(['', '-n', '-e', '-ne', '-x'])} ${Array.from({ length: below(3) }, () => pick([quoted, escapes])()).join(' ')}`,
        () => `regexp ${pick(['', '--set v', '--set 2:v -s w', '-s 0:w'])} ${re()} ${quoted()}`,
        search,
        search,
        env,
        () =>
          `probe ${pick(['-f', '-u', '-l', '-p', '--part-uuid', ''])} ${pick(['--set v', ''])} ${pick(['hd0', 'hd0,1', '(hd0,gpt2)', 'hd0,3', ''])}`,
        () =>
          `ls ${pick(['-a', ''])} ${pick(['/', '/sub', '/hello', '/none', '(hd0,1)/', '/sub/', '/link'])}`,
      ])(),
    );
    lines.push('echo " $? v=$v w=$w root=$root one=$one"');
  }
  return `${lines.join('\n')}\nhalt\n`;
}

t.test('random scripts print the same in grub-emu', async (t) => {
  const file = join(scratch(t), 'random.cfg');
  for (let seed = 1; seed <= SEEDS; seed++) {
    const script = randomScript(seed);
    writeFileSync(file, script, 'utf8');
    const sections = (text: string) => text.trimEnd().split(/^(?=== \d+$)/m);
    const wanted = sections(grubEmu(file));
    const got = sections(expandTabs(onDisk(readFileSync(file, 'latin1')).console));
    const at = wanted.findIndex((section, i) => section !== got[i]);
    if (at >= 0)
      t.comment(
        script
          .split('\n')
          .filter((line) => !line.startsWith('echo'))
          .slice(2 * at, 2 * at + 3)
          .join('\n'),
      );
    t.equal(at < 0 ? undefined : got[at], at < 0 ? undefined : wanted[at], `seed ${seed}`);
  }
});

t.test('grub-editenv', async (t) => {
  const file = join(scratch(t), 'grubenv');
  const { below, pick } = random(42);
  must('grub-editenv', file, 'create');
  let ours = readFileSync(file, 'latin1');
  for (let i = 0; i < rounds(150 * SEEDS); i++) {
    const name = pick(['a', 'b', 'saved_entry', 'kernelopts', 'x']);
    const value = Array.from({ length: below(40) }, () =>
      pick(['y', ' ', '=', '\\', '\n', '#', 'é', '"']),
    ).join('');
    const remove = below(3) === 0;
    const theirs = run('grub-editenv', [file, remove ? 'unset' : 'set', remove ? name : `${name}=${value}`]);
    const bytes = Buffer.from(value).toString('latin1');
    const next = remove ? withoutName(ours, name, context()) : withValue(ours, name, bytes, context());
    t.equal(next === undefined, theirs.status !== 0, `room for ${name}`);
    ours = next ?? ours;
    if (ours !== readFileSync(file, 'latin1'))
      return t.fail(`${remove ? 'unset' : 'set'} ${name}=${JSON.stringify(value)}`);
  }
  const list = [...assignments(ours, context())].map((a) => `${a.name}=${a.value}\n`).join('');
  t.equal(list, must('grub-editenv', file, 'list'));
});

t.test('grub-fstest reads the same files', async (t) => {
  const image = join(scratch(t), 'disk.img');
  writeFileSync(image, gunzipSync(readFileSync(join(ROOT, 'fixtures', 'images', 'grub2-commands.img.gz'))));
  for (const path of ['/hello', '/big', '/sparse', '/inner.img', '/env/plain']) {
    const crc = must('grub-fstest', image, 'crc', `(loop0,gpt2)${path}`).trim();
    t.equal(onDisk(`crc (hd0,gpt2)${path}`).console, `${crc}  (hd0,gpt2)${path}\n`, path);
  }
  // In an image: what grub-fstest sees of it when it is the disk.
  const inner = join(scratch(t), 'inner.img');
  must('grub-fstest', image, 'cp', '(loop0,gpt2)/inner.img', inner);
  t.equal(
    onDisk('loopback l (hd0,gpt2)/inner.img\ncrc (l)/inside').console.split(' ')[0],
    must('grub-fstest', inner, 'crc', '(loop0)/inside').trim(),
  );
});

t.test('regular expressions and versions of other seeds', async (t) => {
  for (let seed = 2; seed < 2 + SEEDS; seed++) {
    const dir = scratch(t);
    must(join(RECIPES, 'grub2-oracles.sh'), dir, String(seed));
    const cases = JSON.parse(readFileSync(join(dir, 'regex.json'), 'utf8')) as [string, string, Answer][];
    let otherGroups = 0;
    for (const [pattern, text, want] of cases) {
      const ours = answer(pattern, text);
      const all = (a: Answer) => (Array.isArray(a) ? a[0] : a);
      t.same(all(ours), all(want), `${JSON.stringify(pattern)} on ${JSON.stringify(text)}`);
      if (JSON.stringify(plain(ours)) !== JSON.stringify(plain(want))) otherGroups++;
    }
    // Where a range can be cut into groups in several ways, GNU does not always follow its own preference.
    t.ok(otherGroups <= cases.length / 100, `${otherGroups} of ${cases.length} cut into other groups`);
    const versions = JSON.parse(readFileSync(join(dir, 'versions.json'), 'utf8')) as {
      rpm: [string, string, number][];
      file: string[];
    };
    for (const [a, b, want] of versions.rpm) t.equal(compareRpm(a, b), want, `${a} and ${b}`);
    versions.file.forEach((name, i) => {
      if (i > 0)
        t.ok(compareFileVersions(versions.file[i - 1]!, name) <= 0, `${versions.file[i - 1]} before ${name}`);
    });
  }
});

t.test("every command of Debian's builds is known", async (t) => {
  const commands = new Commands();
  /** Prints a greeting; tests of GRUB itself. */
  const others =
    /test|^hello$|^bswap|^(?:div|mul|shift|setjmp|signature|sleep|strtoull|xnu_uuid|pbkdf2|rsa|cmdline|exfctest)_/;
  for (const build of ['i386-pc', 'x86_64-emu']) {
    const list = readFileSync(`/usr/lib/grub/${build}/command.lst`, 'latin1').trim().split('\n');
    t.ok(list.length > 50, build);
    for (const line of list) {
      const name = line.replace(/^\*/, '').split(':')[0]!;
      if (name !== 'test' && others.test(name)) continue;
      t.ok(commands.get(name) ?? commands.last(name), `${build}: ${name}`);
    }
  }
});
