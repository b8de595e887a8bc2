/**
 * Boot Loader Specification entries. What is right: the specification's text and its examples ("Type #1", "Boot
 * counting", "Sorting"), loader.conf(5), systemd-stub(7); the fixture disk and the peer test ask bootctl.
 */
import t from 'tap';
import { parseBlsEntry } from '../../../lib/boot/bls/entry';
import { parseCounter } from '../../../lib/boot/bls/item';
import { keyValues } from '../../../lib/boot/bls/lines';
import { hostMachine } from '../../../lib/boot/bls/machine';
import { compareVersions } from '../../../lib/boot/bls/version';
import type { BootMenu } from '../../../lib/boot/model';
import { makePe } from '../../kernel/make-pe';
import { context } from '../../support';
import { evaluate } from '../dialect';
import { link, MemoryFs, type MemoryTree } from '../memfs';
import { content, dialect, ESP, gpt, XBOOTLDR } from '../sdboot/support';

const machine = { x64: 0x8664, aa64: 0xaa64 }[hostMachine()] ?? 0x8664;
const entries = (files: MemoryTree, more: MemoryTree = {}): BootMenu =>
  evaluate(dialect('bls'), '/loader/entries/', { loader: { entries: files }, vmlinuz: 'kernel', ...more })
    .menu;
const only = (text: string, more: MemoryTree = {}) => {
  const menu = entries({ 'x.conf': text }, more);
  t.equal(menu.entries.length, 1, text);
  return menu.entries[0]!.resolve();
};

t.test("the version format specification's examples", async (t) => {
  const equal = [
    ['11', '11'],
    ['systemd-123', 'systemd-123'],
    ['11\xce\xb1', '11\xce\xb2'],
    ['1_', '1'],
    ['_1', '1'],
    ['1+', '1'],
    ['+1', '1'],
  ];
  const newer = [
    ['foo-123', 'bar-123'],
    ['123a', '123'],
    ['123.a', '123'],
    ['123.b', '123.a'],
    ['123a', '123.a'],
    ['a', 'B'],
    ['0', ''],
    ['0.', '0'],
    ['0.0', '0'],
    ['0', '~'],
    ['', '~'],
    ['1.2', '1_'],
    ['1_2_3', '1.3.3'],
    ['1.2', '1+'],
    ['1+2+3', '1.3.3'],
  ];
  for (const [a, b] of equal) t.equal(compareVersions(a!, b!), 0, `${a} == ${b}`);
  for (const [a, b] of newer) {
    t.equal(compareVersions(a!, b!), 1, `${a} > ${b}`);
    t.equal(compareVersions(b!, a!), -1, `${b} < ${a}`);
  }
  const rising =
    '122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1'.split(' ');
  rising.forEach((a, i) => {
    rising.forEach((b, j) => {
      t.equal(compareVersions(a, b), Math.sign(i - j), `${a} and ${b}`);
    });
  });
  t.equal(compareVersions('1'.repeat(100_000), `2${'1'.repeat(99_999)}`), -1, 'numbers of any length');
});

t.test('lines', async (t) => {
  const read = (text: string) => [...keyValues(text, ' \t', context())];
  t.same(read('a b\n\tc\t d e \t\r\n#f g\n  # h i\nkey\n\n j  "k l"\nm \'n\'\no "p\'\nq "\nlast end\0z y'), [
    ['a', 'b'],
    ['c', 'd e'],
    ['j', 'k l'],
    ['m', 'n'],
    ['o', '"p\''],
    ['q', ''],
    ['last', 'end'],
  ]);
  t.same(
    [...keyValues('A=1\nB= "x=y"\nC\n', '=', context())],
    [
      ['A', '1'],
      ['B', ' "x=y"'],
    ],
  );
  const many = 'k v\n'.repeat(10_001);
  t.throws(() => parseBlsEntry('x', many, 'specification', context()), { code: 'limit' });
  t.throws(() => read.call(undefined, 'k v\n'.repeat(10)) && [...keyValues(many, ' ', context(5000))], {
    code: 'limit',
  });
});

t.test('boot counters', async (t) => {
  for (const [name, id, left, done] of [
    ['foo.conf', 'foo.conf', undefined, 0],
    ['foo+3.conf', 'foo.conf', 3, 0],
    ['foo+3-1.conf', 'foo.conf', 3, 1],
    ['foo+0-03.conf', 'foo.conf', 0, 3],
    ['a+b+2-0.CONF', 'a+b.CONF', 2, 0],
    ['foo+.conf', 'foo+.conf', undefined, 0],
    ['foo+3-.conf', 'foo+3-.conf', undefined, 0],
    ['foo+3x.conf', 'foo+3x.conf', undefined, 0],
    ['foo+3.x.conf', 'foo+3.x.conf', undefined, 0],
    ['foo+2-3.efi', 'foo+2-3.efi', undefined, 0],
    ['foo+99999999999.conf', 'foo+99999999999.conf', undefined, 0],
  ] as const)
    t.same(parseCounter(name, '.conf'), { id, left, done }, name);
});

t.test("the specification's example", async (t) => {
  const id = '6a9857a393724b7a981ebb5b8495b9ea';
  const menu = entries(
    {
      [`${id}-3.8.0-2.fc19.x86_64.conf`]: `# a comment
title        Fedora 19 (Rawhide)
sort-key     fedora
machine-id   ${id}
version      3.8.0-2.fc19.x86_64
options      root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet
architecture ${hostMachine().toUpperCase()}
linux        /${id}/3.8.0-2.fc19.x86_64/linux
initrd       /${id}/3.8.0-2.fc19.x86_64/initrd
initrd       ${id}/3.8.0-2.fc19.x86_64/modules
extra        /${id}/3.8.0-2.fc19.x86_64/somedata.cred
`,
    },
    { [id]: { '3.8.0-2.fc19.x86_64': { linux: 'the kernel', initrd: 'one', modules: 'two' } } },
  );
  const [entry] = menu.entries;
  t.equal(entry!.title, 'Fedora 19 (Rawhide)');
  t.equal(entry!.id, `${id}-3.8.0-2.fc19.x86_64.conf`);
  const target = entry!.resolve();
  t.equal(target.problem, null);
  t.equal(target.args, 'root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet');
  t.equal(content(target.kernel).toString(), 'the kernel');
  t.same(
    target.initrds.map(({ file }) => content(file).toString()),
    ['one', 'two'],
  );
  t.match(target.notes, [/^extra .*somedata\.cred: left out$/]);
  t.equal(menu.timeout, null);
  t.same(menu.default, [0]);
  const edited = entry!.resolve(`linux /${id}/3.8.0-2.fc19.x86_64/linux\noptions single\noptions two\n`);
  t.equal(edited.args, 'single two');
  t.same(edited.initrds, []);
  t.match(entry!.resolve('title nothing').problem, /names no kernel/);
});

t.test('what cannot be booted is told', async (t) => {
  t.match(only('linux /gone').problem, /^\/gone: not found/);
  t.match(only('linux /dir', { dir: {} }).problem, /not a regular file/);
  t.match(only('linux /empty', { empty: '' }).problem, /empty file/);
  t.match(only('linux /vmlinuz\ninitrd /gone').problem, /^initrd \/gone: not found/);
  t.equal(
    only('efi /shell.efi', { 'shell.efi': makePe([]) }).problem,
    'starts shell.efi: cannot be booted here (efi)',
  );
  t.match(only('uki /vmlinuz').problem, /is no unified kernel image \(uki\)/);
  t.match(only('uki-url http://example.com/a.efi').problem, /from the network/);
  t.match(only('linux /vmlinuz\narchitecture ia64').problem, /is for the architecture ia64/);
  const menu = entries({
    'a.conf': 'title x',
    'b.conf': 'linux /vmlinuz\nefi /x',
    'c.conf': 'linux /vmlinuz',
  });
  t.equal(menu.entries.length, 1);
  t.match(menu.warnings, [/a\.conf: it names no kernel/, /b\.conf: .* linux and efi/]);
});

t.test('what systemd-boot would not show comes last and is no default', async (t) => {
  const menu = entries({
    'z9.conf': 'title newest\nlinux /gone',
    'z8.conf': 'title other machine\narchitecture ia64\nlinux /vmlinuz',
    'z1.conf': 'title boots\nlinux /vmlinuz',
    'auto-x.conf': 'linux /vmlinuz',
    '.hidden.conf': 'linux /vmlinuz',
    'notes.txt': 'linux /vmlinuz',
    'dir.conf': {},
    'link.conf': link('z1.conf'),
    'UPPER.CONF': 'title case\nlinux /vmlinuz',
  });
  t.same(
    menu.entries.map(({ title }) => title),
    ['boots (z1.conf)', 'case', 'boots (link.conf)', 'newest', 'other machine'],
  );
  t.same(menu.default, [0]);
});

t.test('order: sort-key, machine-id, version, name; those without tries left last', async (t) => {
  const conf = (keys: string) => `linux /vmlinuz\n${keys.replaceAll(', ', '\n')}`;
  const menu = entries({
    'a+0.conf': conf('sort-key a'),
    'b.conf': conf('sort-key b, machine-id 1, version 1.9'),
    'c.conf': conf('sort-key b, machine-id 1, version 1.10'),
    'd.conf': conf('sort-key b, machine-id 0, version 1'),
    'e.conf': conf('sort-key b'),
    'f-2.conf': conf('version 1'),
    'f-10.conf': conf('version 0'),
    'f-10+2.conf': conf('version 0'),
  });
  t.same(
    menu.entries.map(({ id, title }) => [id, title]),
    [
      ['e.conf', 'e.conf'],
      ['d.conf', 'd.conf'],
      ['c.conf', 'c.conf'],
      ['b.conf', 'b.conf'],
      ['f-10.conf', 'f-10.conf (0) (f-10.conf)'],
      ['f-10.conf', 'f-10.conf (0) (f-10.conf)'],
      ['f-2.conf', 'f-2.conf'],
      ['a.conf', 'a.conf'],
    ],
  );
  t.match(menu.entries[7]!.resolve().notes, [/no tries left; nothing is written/]);
});

t.test('titles: version, machine, name, as far as they are needed', async (t) => {
  const titles = (...texts: string[]) =>
    entries(
      Object.fromEntries(texts.map((text, i) => [`${9 - i}.conf`, `linux /vmlinuz\n${text}`])),
    ).entries.map(({ title }) => title);
  t.same(titles('title A', 'title B'), ['A', 'B']);
  t.same(titles('title A\nversion 1', 'title A\nversion 2', 'title B\nversion 3'), ['A (1)', 'A (2)', 'B']);
  t.same(titles('title A\nversion 1', 'title A'), ['A (1)', 'A']);
  t.same(titles('title A\nmachine-id 0123456789', 'title A\nmachine-id 11'), ['A (01234567)', 'A (11)']);
  t.same(titles('title A\nversion 1', 'title A\nversion 1'), ['A (1) (9.conf)', 'A (1) (8.conf)']);
});

t.test('/boot as a directory', async (t) => {
  const tree = {
    boot: {
      loader: { entries: { 'a.conf': 'linux /boot/k\ninitrd /i', 'b.conf': 'linux /k' } },
      k: 'kernel in boot',
      i: 'initrd in boot',
    },
    k: 'kernel in the root',
  };
  const { menu } = evaluate(dialect('bls'), '/boot/loader/entries/', tree);
  const [b, a] = menu.entries.map((entry) => entry.resolve());
  t.equal(content(a!.kernel).toString(), 'kernel in boot');
  t.equal(a!.initrds[0]!.file.path, '/boot/i');
  t.equal(content(b!.kernel).toString(), 'kernel in the root', 'as it is written comes first');
  const deep = evaluate(dialect('bls'), '/boot/efi/EFI/Linux/', {
    boot: { efi: { EFI: { Linux: { 'u.efi': makePe([{ name: '.linux', data: 'k' }], { machine }) } } } },
  });
  t.same(
    deep.menu.entries.map((e) => e.resolve().kernel?.path),
    ['/boot/efi/EFI/Linux/u.efi'],
  );
});

const os = { name: '.osrel', data: 'ID=os\nVERSION_ID=7\nPRETTY_NAME="The OS"\n' };
const uki = (...sections: Parameters<typeof makePe>[0]) => makePe([os, ...sections], { machine });
const images = (files: MemoryTree, more: MemoryTree = {}) =>
  evaluate(dialect('bls'), '/EFI/Linux/', { EFI: { Linux: files }, ...more }).menu;

t.test("unified kernel images: what is cut out, in systemd-stub's order", async (t) => {
  const menu = images(
    {
      'a+2.efi': uki(
        { name: '.initrd', data: 'initrd' },
        { name: '.linux', data: 'kernel' },
        { name: '.ucode', data: 'ucode' },
        { name: '.cmdline', data: '\n a\tb\x07c \n\0rest' },
        { name: '.uname', data: '6.1\0' },
        { name: '.dtb', data: 'tree' },
      ),
      'a.efi.extra.d': {
        '2.addon.efi': makePe(
          [
            { name: '.cmdline', data: 'own' },
            { name: '.initrd', data: 'own initrd' },
          ],
          { machine },
        ),
        '1.addon.efi': makePe([{ name: '.ucode', data: 'own ucode' }], { machine }),
        'uname.addon.efi': makePe(
          [
            { name: '.uname', data: '6.2' },
            { name: '.cmdline', data: 'no' },
          ],
          { machine },
        ),
        'kernel.addon.efi': makePe(
          [
            { name: '.linux', data: 'no' },
            { name: '.cmdline', data: 'no' },
          ],
          { machine },
        ),
        'foreign.addon.efi': makePe([{ name: '.cmdline', data: 'no' }], { machine: 0x0200 }),
        'text.addon.efi': 'no image',
        'x.cred': 'secret',
        'y.sysext.raw': 'sysext',
        'z.confext.raw': 'confext',
        'readme.txt': 'no',
      },
    },
    {
      loader: {
        addons: {
          'all.addon.efi': makePe(
            [
              { name: '.cmdline', data: ' all ' },
              { name: '.ucode', data: 'all ucode' },
            ],
            { machine },
          ),
        },
        credentials: { 'g.cred': 'everybody' },
      },
    },
  );
  t.same(menu.warnings, []);
  const [entry] = menu.entries;
  t.same([entry!.id, entry!.title], ['a.efi', 'The OS']);
  t.equal(entry!.text, 'title The OS\nuki /EFI/Linux/a+2.efi\noptions a b c\n');
  const target = entry!.resolve();
  t.equal(target.problem, null);
  t.equal(content(target.kernel).toString(), 'kernel');
  t.equal(target.kernel!.path, '/EFI/Linux/a+2.efi');
  t.equal(target.args, 'a b c all own');
  t.same(
    target.initrds.map(({ file, newcName }) => [content(file).toString(), newcName]),
    [
      ['own ucode', undefined],
      ['all ucode', undefined],
      ['ucode', undefined],
      ['initrd', undefined],
      ['secret', '.extra/credentials/x.cred'],
      ['everybody', '.extra/global_credentials/g.cred'],
      ['sysext', '.extra/sysext/y.sysext.raw'],
      ['confext', '.extra/confext/z.confext.raw'],
      ['own initrd', undefined],
    ],
  );
  const told = target.notes.join('\n');
  for (const word of [
    'device trees',
    '2 tries are left',
    'for the kernel 6.2',
    'with a kernel',
    'machine ia64',
    'not a PE',
  ])
    t.match(told, word);
  const edited = entry!.resolve('uki /EFI/Linux/a+2.efi\noptions mine');
  t.equal(edited.args, 'mine all own', 'options replace those inside, add-ons stay');
});

t.test('unified kernel images: profiles', async (t) => {
  const menu = images({
    'p.efi': uki(
      { name: '.linux', data: 'kernel' },
      { name: '.cmdline', data: 'base' },
      { name: '.profile', data: 'TITLE=Usual\n' },
      { name: '.profile', data: 'ID=reset\nTITLE="Reset it"\n' },
      { name: '.cmdline', data: 'reset' },
      { name: '.initrd', data: 'reset initrd' },
      { name: '.profile', data: 'ID=third\n' },
      { name: '.profile', data: '\n' },
    ),
  });
  t.same(
    menu.entries.map((e) => [e.id, e.title, e.resolve().args, e.resolve().initrds.length]),
    [
      ['p.efi', 'The OS (Usual)', 'base', 0],
      ['p.efi@reset', 'The OS (Reset it)', 'reset', 1],
      ['p.efi@third', 'The OS (third)', 'base', 0],
      ['p.efi@3', 'The OS (Profile #4)', 'base', 0],
    ],
  );
  const text = menu.entries[1]!.text;
  t.equal(text, 'title The OS (Reset it)\nuki /EFI/Linux/p.efi\nprofile 1\noptions reset\n');
  t.equal(menu.entries[1]!.resolve(text).args, 'reset');
  t.match(menu.entries[1]!.resolve('uki /EFI/Linux/p.efi\nprofile 9').problem, /no profile 9/);
});

t.test('unified kernel images: type 1 entries that name one', async (t) => {
  const tree: MemoryTree = {
    'u.efi': uki(
      { name: '.linux', data: 'kernel' },
      { name: '.cmdline', data: 'inside' },
      { name: '.ucode', data: 'u' },
      { name: '.initrd', data: 'i' },
    ),
    initrd: 'first',
    'kernel.efi': makePe([{ name: '.text', data: 'a kernel with an EFI stub' }], { machine }),
  };
  const parts = (text: string) => {
    const target = only(text, tree);
    t.equal(target.problem, null, text);
    return [
      content(target.kernel).toString('latin1').slice(0, 6),
      target.args,
      ...target.initrds.map(({ file }) => content(file).toString()),
    ];
  };
  t.same(parts('uki /u.efi'), ['kernel', 'inside', 'u', 'i']);
  t.same(parts('efi \\u.efi\noptions given'), ['kernel', 'given', 'u', 'i']);
  t.same(parts('linux u.efi\ninitrd /initrd\noptions given'), ['kernel', 'given', 'u', 'first', 'i']);
  t.same(parts('linux /kernel.efi\noptions x'), [
    (tree['kernel.efi'] as Buffer).toString('latin1').slice(0, 6),
    'x',
  ]);
});

t.test("os-release: names and versions in systemd's order", async (t) => {
  const shown = (osrel: string) => {
    const menu = images({
      'n.efi': makePe(
        [
          { name: '.linux', data: 'k' },
          { name: '.osrel', data: osrel },
        ],
        { machine },
      ),
      'o.efi': makePe(
        [
          { name: '.linux', data: 'k' },
          { name: '.osrel', data: osrel },
        ],
        { machine },
      ),
    });
    return menu.entries[0]!.title.replace(/ \(o\.efi\)$/, '');
  };
  t.equal(shown('ID=a\nBUILD_ID=1'), 'a (1)');
  t.equal(shown('ID=a\nNAME=b\nBUILD_ID=1\nVERSION_ID=2'), 'b (2)');
  t.equal(shown('ID=a\nNAME=b\nIMAGE_ID=c\nVERSION_ID=2\nVERSION="3 (x)"'), 'c (3 (x))');
  t.equal(shown("PRETTY_NAME='d'\nIMAGE_ID=c\nIMAGE_VERSION=4\nVERSION=3"), 'd (4)');
  const menu = images({ 'none.efi': makePe([{ name: '.linux', data: 'k' }], { machine }) });
  t.equal(menu.entries[0]!.title, 'none.efi', 'without os-release systemd-boot would not show it');
  t.equal(menu.default, undefined);
  t.equal(menu.entries[0]!.resolve().problem, null);
});

t.test('unified kernel images that are damaged', async (t) => {
  const linux = { name: '.linux', data: 'kernel' };
  const problem = (...sections: Parameters<typeof makePe>[0]) =>
    images({ 'x.efi': uki(...sections) }).entries[0]!.resolve().problem;
  t.match(problem({ ...linux, at: 1 << 30 }), /section \.linux .* lies beyond the end/);
  t.match(
    problem(linux, { name: '.initrd', data: 'x', virtualSize: 1 << 30, rawSize: 1 << 30 }),
    /\.initrd .* beyond/,
  );
  t.match(
    problem(linux, { name: '.initrd', data: 'x'.repeat(600), at: 512 * 2 }),
    /sections \.linux and \.initrd overlap/,
  );
  t.match(problem({ ...linux, rawSize: 0 }), /\.linux section is empty/);
  t.match(problem(linux, { name: '.cmdline', data: 'x'.repeat(70_000) }), /70000 bytes, maximum 65536/);
  t.match(problem({ name: '.text', data: '' }), /no unified kernel image/);
  const menu = images({ 'a.efi': 'text', 'b.efi': uki(linux).subarray(0, 300), 'c.efi': uki(linux) });
  t.match(menu.warnings, [/a\.efi: .*not a PE image/, /b\.efi: .*beyond the end/]);
  t.same(
    menu.entries.map(({ id }) => id),
    ['c.efi'],
  );
  const two = images({
    'x.efi': uki(linux, { name: '.initrd', data: 'one' }, { name: '.initrd', data: 'two' }),
  }).entries[0]!.resolve();
  t.equal(two.initrds.length, 2);
  t.match(two.notes, [/2 \.initrd sections/]);
});

t.test('ESP and XBOOTLDR of one disk make one menu, found on either', async (t) => {
  const esp = new MemoryFs({
    loader: { 'loader.conf': 'default mid*\ntimeout 7\n', entries: { 'mid.conf': 'linux /k' } },
    k: 'esp',
    EFI: { Linux: { 'u.efi': uki({ name: '.linux', data: 'uki' }) } },
  });
  const xbootldr = new MemoryFs({
    loader: { entries: { 'low.conf': 'linux /k', 'zed.conf': 'linux /k' } },
    k: 'xbootldr',
  });
  const disk = gpt([XBOOTLDR, xbootldr], [ESP, esp]);
  const other = gpt([XBOOTLDR, new MemoryFs({ loader: { entries: { 'no.conf': 'linux /k' } }, k: '' })]);
  for (const [name, path, volume] of [
    ['sdboot', '/loader/loader.conf', 'hd0,gpt2'],
    ['bls', '/loader/entries/', 'hd0,gpt1'],
  ] as const) {
    const { menu } = evaluate(dialect(name), path, { disks: [disk, other], volume });
    t.same(
      menu.entries.map((e) => [e.id, content(e.resolve().kernel).toString(), e.resolve().root]),
      [
        ['u.efi', 'uki', 'hd0,gpt2'],
        ['zed.conf', 'xbootldr', 'hd0,gpt1'],
        ['mid.conf', 'esp', 'hd0,gpt2'],
        ['low.conf', 'xbootldr', 'hd0,gpt1'],
      ],
    );
    t.same([menu.default, menu.timeout], [[2], 7]);
  }
  const broken = gpt([ESP, esp], [XBOOTLDR, null]);
  t.equal(
    evaluate(dialect('sdboot'), '/loader/loader.conf', { disks: [broken], volume: 'hd0,gpt1' }).menu.entries
      .length,
    2,
  );
});
