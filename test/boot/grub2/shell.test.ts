// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are GRUB's variables
/** GRUB's command line. What lines print was seen in grub-emu 2.06 (test/peers/grub2-shell.test.ts sees it again). */
import t, { type Test } from 'tap';
import { shellFor } from '../../../lib/boot/grub2/shell';
import type { Access, BootContext, Completion, Shell } from '../../../lib/boot/model';
import { context, cpuMs } from '../../support';
import { generator } from '../dialect';
import { link, MemoryFs, memoryGuest } from '../memfs';
import { onDisk } from './commands/disk';

const disk = (config = ''): Shell => onDisk(`set root=hd0,gpt2\n${config}`).menu.shell!();

/** Lines with what they print; `…` as output: GRUB asks for another line. */
function says(t: Test, shell: Shell, lines: readonly (readonly [string, string])[]): void {
  for (const [line, output] of lines) {
    const result = shell.run(line);
    if (output === '…') t.equal(result.how, 'more', line);
    else t.same([result.output, result.how], [output, 'done'], line);
  }
}

const SYNTAX = 'error: syntax error.\nerror: Incorrect command.\nerror: syntax error.\n';
const NO_KERNEL = 'error: you need to load the kernel first.\n';

t.test('errors', async (t) => {
  says(t, disk(), [
    ['foo', "error: can't find command `foo'.\n"],
    ['echo $?', '0\n'],
    ['ls /nope', "error: file `/nope' not found.\n"],
    ['linux /nope', "error: file `/nope' not found.\n"],
    ['boot', NO_KERNEL],
    ['initrd /hello', NO_KERNEL],
    ['cat /sub', 'error: not a regular file.\n'],
    ['cat hello', "error: invalid file name `hello'.\n"],
    ['cat (hd0,gpt9)/hello', "error: disk `hd0,gpt9' not found.\n"],
    ['ls (hd0)/', 'error: unknown filesystem.\n'],
    ['set x', 'error: not an assignment.\n'],
    ['unset', 'error: one argument expected.\n'],
    ['echo $?', '18\n'],
    ['return', 'error: not in function body.\n'],
    ['!', 'error: no command is specified.\n'],
    ['"" x', "error: can't find command `'.\n"],
    ['help | x', SYNTAX],
    ['echo a; | b', 'error: syntax error.\n'],
    ['fi', SYNTAX],
    ['echo $', `error: $.\n${SYNTAX}`],
  ]);
});

t.test('statements of several lines', async (t) => {
  const shell = disk();
  says(t, shell, [
    ['if true; then', '…'],
    ['echo hi', '…'],
    ['fi', 'hi\n'],
    ['echo "abc', '…'],
    ['def"', 'abc\ndef\n'],
    ["echo 'abc", '…'],
    ["def'", 'abc\ndef\n'],
    ['echo a\\', '…'],
    ['b', 'ab\n'],
    ['function f {', '…'],
    ['echo f $1', '…'],
    ['}', ''],
    ['f 3', 'f 3\n'],
    ['menuentry x {', '…'],
    ['echo hi', '…'],
    ['}', ''],
    ['if true; then', '…'],
    // A word that no further line can make right.
    ['}', SYNTAX],
    ['echo next', 'next\n'],
    ['if', '…'],
    ['true; fi', SYNTAX],
    ['# if', ''],
    ['   ', ''],
    ['while', '…'],
  ]);
  shell.reset();
  says(t, shell, [['echo again', 'again\n']]);
  t.same(shell.run('echo 1\necho 2').output, '1\n2\n', 'pasted');
});

t.test('state', async (t) => {
  const shell = disk('set mine=1\nexport mine\nfunction g { echo "g $mine"; }\nset private=1\n');
  says(
    t,
    shell,
    [
      ['g; echo $private $root', 'g 1\n1 hd0,gpt2\n'],
      ['set mine=2', ''],
      ['g', 'g 2\n'],
      ['loopback l /inner.img', ''],
      ['cat (l)/inside', 'inside\n\n'],
      ['set one=5; save_env -f /env/short one; unset one; load_env -f /env/short one; echo $one', '5\n'],
      [
        'set gone=1; while true; do true; done',
        'error: too much work (steps) in this line (NODEGRUB_MAX_ENTRY_STEPS).\n',
      ],
      ['echo "[$gone] $mine"', '[] 2\n'],
      ['read word', '…'],
      ['two words', ''],
      ['echo "$word"', 'two words\n'],
    ].map(([line, output]) => [line!, output!] as const),
  );
  for (let i = 0; i < 300; i++) shell.run(`set v${i}=${i}; set mine=$v${i}`);
  says(t, shell, [
    ['echo $v0 $v150 $v299', '0 150 299\n'],
    ['g', 'g 299\n'],
    ['unset v0; echo "[$v0]"', '[]\n'],
  ]);
  t.equal(disk('set x=1').run('echo $x').output, '1\n', 'another shell does not see it');
});

const KERNEL = '\x1f\x8bnot empty';

function guestOf(config: string, access?: Access) {
  const ctx = context();
  const fs = new MemoryFs({
    boot: { grub: { 'grub.cfg': config }, vmlinuz: KERNEL, 'initrd.img': 'x' },
    'other.cfg': 'menuentry inner { linux /boot/vmlinuz other }',
    empty: '# nothing',
    'syslinux.cfg': '',
  });
  const guest = memoryGuest(ctx, [fs]);
  const boot: BootContext = { ...ctx, guest, quiet: false, ...(access ? { access } : {}) };
  const file = (path: string) => {
    const found = guest.file(path, guest.device('hd0'));
    return { volume: found.volume!, path, ...found.found! };
  };
  return { boot, file };
}

t.test('boot', async (t) => {
  const { boot, file } = guestOf('');
  const shell = shellFor(file('/syslinux.cfg'), boot);
  says(t, shell, [
    ['echo $root $prefix', 'hd0 (hd0)\n'],
    ['boot', NO_KERNEL],
    ['linux /boot/vmlinuz root=/dev/xvda1 "a b"', ''],
    ['initrd /nope', "error: file `/nope' not found.\n"],
    ['initrd /boot/initrd.img', ''],
  ]);
  const { how, target } = shell.run('boot');
  t.equal(how, 'boot');
  t.equal(target?.problem, null);
  t.equal(target?.args, 'root=/dev/xvda1 "a b"');
  t.equal(target?.initrds.length, 1);
  says(t, shell, [['chainloader +1', '']]);
  const refused = shell.run('boot');
  t.equal(refused.how, 'done');
  t.match(refused.output, /^error: starts \+1: cannot be booted here \(chainloader\)\.\n$/);
  t.equal(shell.run('linux /boot/vmlinuz; boot').how, 'boot', 'the shell goes on');
});

t.test('ways out', async (t) => {
  const { boot, file } = guestOf('menuentry outer { configfile /other.cfg }');
  const shell = shellFor(file('/boot/grub/grub.cfg'), boot);
  for (const reason of ['halt', 'reboot', 'exit']) t.match(shell.run(reason), { how: 'end', reason });
  t.equal(shell.run('normal_exit').how, 'leave');
  t.match(shell.run('clear'), { how: 'clear', output: '' });
  t.match(shell.run('clear; echo a'), { how: 'done', output: 'a\n' });
  shell.run('set x=1; export x');
  const { how, menu } = shell.run('set y=1; configfile /other.cfg');
  t.equal(how, 'menu');
  t.same(
    menu?.entries.map((e) => e.title),
    ['inner'],
  );
  t.equal(menu?.entries[0]?.resolve().args, 'other');
  t.equal(menu?.shell?.().run('echo "$x[$y]"').output, '1[]\n', 'a context of its own');
  t.equal(shell.run('echo "$x[$y]"').output, '1[]\n', 'the state from before');
  t.match(shell.run('configfile /empty'), { how: 'done', output: '' });
  t.same(
    shell.run('normal').menu?.entries.map((e) => e.title),
    ['outer'],
  );
  shell.run('menuentry typed { true; }');
  t.same(
    shell.run('normal /empty').menu?.entries.map((e) => e.title),
    ['typed'],
  );
  const entry = shell.run('normal').menu?.entries[1];
  const target = entry?.resolve();
  t.equal(target?.args, 'other');
  t.same(
    target?.menu?.entries.map((e) => e.title),
    ['inner'],
    'an entry that opens a menu says so',
  );
});

t.test('help', async (t) => {
  const shell = disk();
  const list = shell.run('help').output;
  for (const name of ['linux', 'ls', 'search', 'acpi', 'help', 'normal_exit'])
    t.match(list, new RegExp(`(?:^|\\s)${name}\\s`), name);
  for (const line of list.split('\n')) t.ok(line.length < 80, line);
  t.match(shell.run('help linux').output, /^Usage: linux FILE .*\n.*kernel.*\n\n\nUsage: linux16/);
  t.equal(
    shell
      .run('help set')
      .output.match(/^Usage: \S+/gm)
      ?.slice(0, 2)
      .join(),
    'Usage: set,Usage: setparams',
  );
  t.equal(shell.run('help nope').output, '');
  t.match(shell.run('help constructor __proto__'), { output: '', how: 'done' });
});

t.test('authenticate', async (t) => {
  const asked: unknown[] = [];
  const access = (answer: boolean): Access => ({
    allows: (users) => asked.push(users) > 0 && answer,
    knows: (password) => asked.push(password) > 0 && answer,
  });
  for (const [answer, output] of [
    [true, '0\n'],
    [false, 'error: access denied.\n30\n'],
  ] as const) {
    const { boot, file } = guestOf('');
    const shell = shellFor(file('/boot/grub/grub.cfg'), boot);
    shell.run('set superusers="root, admin"');
    t.equal(shell.run('authenticate bob; echo $?').output, '0\n', 'nobody is there');
    boot.access = access(answer);
    t.equal(shell.run('authenticate bob; echo $?').output, output);
    t.same(asked.pop(), ['root', 'admin', 'bob']);
    t.equal(shell.run('legacy_check_password secret; echo $?').output, output);
    t.same(asked.pop(), { scheme: 'plain', value: 'secret' });
    t.equal(shell.run('unset superusers; authenticate bob; echo $?').output, '0\n');
  }
  t.same(asked, []);
});

t.test('what a menu is told', async (t) => {
  const { menu } = onDisk(
    'set superusers="a;b"\nset color_normal=white/blue\nset menu_color_highlight=black/light-gray\n',
  );
  t.same(menu.superusers, ['a', 'b']);
  t.same(menu.colours, { normal: 'white/blue' });
  t.equal(onDisk('').menu.superusers, undefined);
});

/** The line after Tab, and what is listed. */
function tab(shell: Shell, line: string): [string, string] {
  const { start, insert, candidates }: Completion = shell.complete(line, line.length);
  return [line.slice(0, start) + insert, candidates.join(' ')];
}

t.test('completion as in GRUB', async (t) => {
  const shell = disk();
  for (const [line, after, listed = ''] of [
    ['ech', 'echo '],
    ['ls (hd0,', 'ls (hd0,gpt', '(hd0,gpt1) (hd0,gpt2) (hd0,gpt3)'],
    ['ls (hd0,g', 'ls (hd0,gpt', '(hd0,gpt1) (hd0,gpt2) (hd0,gpt3)'],
    ['ls (hd0,gpt2', 'ls (hd0,gpt2)'],
    ['ls (hd0,gpt2)', 'ls (hd0,gpt2)/'],
    [
      'ls (hd0,gpt2)/',
      'ls (hd0,gpt2)/',
      'badsums big control crlf env/ hello inner.img latin link lost+found/ sparse sub/ subsums sums utf8',
    ],
    ['ls /h', 'ls /hello '],
    ['ls /su', 'ls /su', 'sub/ subsums sums'],
    ['ls /sub/', 'ls /sub/', '.hidden deep'],
    ['ls /hello /b', 'ls /hello /b', 'badsums big'],
    ["ls '/he", "ls '/hello' "],
    ['ls "/he', 'ls "/hello" '],
    ['cat /nope', 'cat /nope'],
  ] as const)
    t.same(tab(shell, line), [after, listed], line);
});

t.test('completion beyond GRUB', async (t) => {
  const shell = disk('function mine { true; }\nset long_name=1\nset d=/sub\n');
  for (const [line, after, listed = ''] of [
    ['min', 'mine '],
    ['if true; then ech', 'if true; then echo '],
    ['echo a;ech', 'echo a;echo '],
    ['menuentry x { linux1', 'menuentry x { linux16 '],
    ['! ech', '! echo '],
    ['set long', 'set long_name='],
    ['unset long', 'unset long_name '],
    ['echo $lon', 'echo $long_name'],
    ['echo "${lon', 'echo "${long_name}'],
    ["echo '$lon", "echo '$lon"],
    ['set root=(hd0,', 'set root=(hd0,gpt', '(hd0,gpt1) (hd0,gpt2) (hd0,gpt3)'],
    ['x=/he', 'x=/hello '],
    ['ls ($root)/he', 'ls ($root)/hello '],
    ['ls $d/de', 'ls $d/deep '],
    ['ls ${d}s', 'ls ${d}sums '],
    ['search --fs-', 'search --fs-uuid '],
    ['help ech', 'help echo '],
    ['echo # ech', 'echo # ech'],
    ['constructor --', 'constructor --'],
  ] as const)
    t.same(tab(shell, line), [after, listed], line);
});

t.test('names that must be quoted', async (t) => {
  const ctx = context();
  const names = [
    'a b',
    "it's",
    'x$y',
    'q"r',
    'back\\slash',
    'se;mi',
    'wi*d?',
    '\xc3\xa9t\xc3\xa9',
    '\xc3\xa8re',
  ];
  const tree = Object.fromEntries(names.map((name) => [name, `file ${name}`]));
  const fs = new MemoryFs({
    ...tree,
    'new\nline': 'x',
    real: { in: '' },
    dir: link('real'),
    loop: link('loop'),
  });
  const guest = memoryGuest(ctx, [fs]);
  const node = fs.lookup(fs.root, 'a b')!;
  const config = { volume: guest.device('hd0')!, path: '/x.cfg', fs, node };
  const shell = shellFor(config, { ...ctx, guest, quiet: true });
  for (const name of names)
    for (const quote of ['', '"', "'"]) {
      const first = name[0] === '\xc3' ? name.slice(0, 2) : name[0]!;
      const [line, listed] = tab(shell, `cat ${quote}/${first}`);
      t.equal(listed, '', name);
      t.equal(shell.run(line).output, `file ${name}\n`, line);
    }
  t.same(tab(shell, 'cat /new'), ['cat /new', ''], 'a newline cannot be typed');
  t.same(tab(shell, 'cat /d'), ['cat /dir/', ''], 'a link to a directory');
  t.same(tab(shell, 'cat /l'), ['cat /loop ', ''], 'a link to itself');
  t.same(tab(shell, 'cat /'), [
    'cat /',
    [...names, 'dir/', 'loop', 'real/'].sort((a, b) => (a < b ? -1 : 1)).join(' '),
  ]);
});

t.test('big directories', async (t) => {
  const ctx = context();
  const fs = new MemoryFs(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`file${i}`, ''])));
  const guest = memoryGuest(ctx, [fs]);
  const config = { volume: guest.device('hd0')!, path: '/x.cfg', fs, node: fs.root };
  const shell = shellFor(config, { ...ctx, guest, quiet: true });
  const began = cpuMs();
  t.same(tab(shell, 'ls /f'), ['ls /f', ''], 'too much');
  const [line, listed] = tab(shell, 'ls /file1999');
  t.equal(line, 'ls /file1999');
  t.equal(listed.split(' ').length, 111);
  t.equal(tab(shell, 'ls /file19')[1].split(' ').length, 300);
  t.ok(cpuMs() - began < 5000, `${cpuMs() - began} ms`);
});

t.test('anything may be typed', async (t) => {
  const below = generator(4);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const words = [
    ...[
      'if',
      'then',
      'fi',
      'while',
      'true',
      'false',
      ';',
      ';',
      '{',
      '}',
      'echo',
      '$x',
      '${',
      '"',
      "'",
      '\\',
      '\n',
      ' ',
      ' ',
    ],
    ...[
      'ls',
      '/',
      '(hd0',
      '(hd0,gpt2)',
      ')',
      'set x=1',
      'linux',
      '/hello',
      'boot',
      'configfile',
      'read x',
      'for',
      'in',
      '$',
    ],
    ...[
      'help',
      '*',
      '?',
      '#',
      '|',
      'function f',
      'f',
      'menuentry a',
      'cat',
      '=',
      '--',
      '-',
      '!',
      'normal',
      '\xff',
      '\0',
      '\x1b',
    ],
    ...[
      'loopback l',
      'unset root',
      'return',
      'shift',
      'break',
      'eval',
      'source',
      'do',
      'done',
      'else',
      'superusers=',
    ],
  ];
  const statements = [
    ...[
      'linux /hello $x',
      'boot',
      'menuentry a { linux /hello; }',
      'normal /nope',
      'ls (hd0,gpt2)/',
      'read x',
      'help s',
    ],
    ...[
      'if true; then echo "$x"; fi',
      'for i in 1 2; do x=$x$i; done',
      'for x in /*; do echo $x; done',
      'submenu b { boot; }',
    ],
    ...[
      'function f { f; }',
      'f',
      'set root=(hd0,gpt1)',
      'loopback l /inner.img',
      'unset root',
      'clear',
      'set',
      'ls',
    ],
  ];
  let shell = disk();
  const hows = new Set<string>();
  let slowest = 0;
  for (let i = 0; i < 4000; i++) {
    const line =
      below(2) === 0
        ? Array.from({ length: below(10) }, () => pick(words) + pick(['', ' '])).join('')
        : Array.from({ length: 1 + below(3) }, () => pick(statements)).join('; ');
    const began = cpuMs();
    const { start, insert, candidates } = shell.complete(line, below(line.length + 1));
    if (start < 0 || start > line.length || candidates.length > 300 || insert.includes('\n'))
      t.fail(`${i}: ${JSON.stringify({ line, start, insert })}`);
    const result = shell.run(line);
    hows.add(result.how);
    if (result.how === 'menu') result.menu!.entries[0]?.resolve();
    if (below(3) === 0) shell.reset();
    if (below(200) === 0) shell = disk();
    slowest = Math.max(slowest, cpuMs() - began);
  }
  t.ok(slowest < 3000, `${slowest} ms`);
  for (const how of ['done', 'more', 'boot', 'menu']) t.ok(hows.has(how), how);
});
