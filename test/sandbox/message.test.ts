/** What the parser in the sandbox may say and draw, whoever has taken it over; and the filter of system calls as the kernel reads it. */
import t from 'tap';
import { answer, MESSAGE_BYTES, understood } from '../../lib/sandbox/message';
import { Screening } from '../../lib/sandbox/screening';
import { ALLOW, filter, KILL, REFUSED, UNKNOWN } from '../../lib/sandbox/seccomp/filter';
import { verdict } from './bpf';

t.test('an answer comes back as it was given', async (t) => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  for (const ramdisk of [undefined, '/r'])
    for (const entry of [undefined, all])
      t.same(understood(answer({ kernel: '/k', ramdisk, args: all, entry }).toString('latin1')), {
        ramdisk: ramdisk !== undefined,
        args: all,
        entry,
      });
});

t.test('anything else is not taken', async (t) => {
  const good = '\tramdisk 0\n\targs a\n\tend\n';
  t.same(understood(good).args, 'a');
  for (const bad of [
    '',
    good.slice(0, -1),
    `${good}${good}`,
    `${good}\n`,
    `kernel /etc/shadow\n${good}`,
    good.replace('\tend', '\tkernel /etc/shadow\n\tend'),
    good.replace('0', '2'),
    good.replace('args a', 'args a\x1b[2J'),
    good.replace('args a', 'args \\0400'),
    good.replace('args a', 'args \\n'),
    good.replace('args a', 'args \xff'),
    good.replace('args a', `args ${'a'.repeat(MESSAGE_BYTES)}`),
  ])
    t.throws(() => understood(bad), { code: 'corrupt' }, JSON.stringify(bad.slice(0, 60)));
});

t.test('of what is drawn a terminal gets text, and the sequences of the menu', async (t) => {
  const screened = (text: string) => new Screening().feed(Buffer.from(text)).text;
  for (const good of ['a\r\n', '\x1b[H\x1b[2;5Hx', '\x1b[0;7mx\x1b[m', '\x1b[?25l', '\x07', 'ä─│'])
    t.equal(screened(good), good, JSON.stringify(good));
  for (const bad of [
    '\x1b]0;t\x07',
    '\x1bc',
    '\x1b[6n',
    '\x1b[?1049h',
    '\x1bP+q\x1b\\',
    '\x9b31m',
    '\x1b[20t',
    '\x05',
  ])
    t.notMatch(screened(`${bad}x`), /[\x1b\x05\x90-\x9f]/, JSON.stringify(bad));
  const pieces = new Screening();
  const cut = [...'\x1b]0;t\x1b[1;1H\x1b[6n'].map((c) => pieces.feed(Buffer.from(c)).text).join('');
  t.equal(cut, '?]0;t\x1b[1;1H?[6n', 'byte by byte it is the same');
  t.equal(new Screening().feed(Buffer.from('\x0e')).raw, true);
  t.equal(new Screening().feed(Buffer.from('a\x0f')).raw, false);
});

t.test('the filter on x86-64', async (t) => {
  const X64 = 0xc000003e;
  // Numbers from Linux' syscall_64.tbl.
  const ask = (nr: number, ...args: number[]) => verdict(filter('x64', false), X64, nr, args.map(BigInt));
  const allowed: [string, number[]][] = [
    ['read', [0]],
    ['execve, which bwrap needs', [59]],
    ['openat to read', [257, 0, 0, 0o2000000]],
    ['mmap private', [9, 0, 4096, 3, 0x22]],
    ['clone of a thread', [56, 0x3d0f00]],
  ];
  for (const [name, [nr, ...args]] of allowed) t.equal(ask(nr!, ...args), ALLOW, name);
  const refused: [string, number[]][] = [
    ['openat to write', [257, 0, 0, 1]],
    ['openat that makes a file', [257, 0, 0, 0o100]],
    ['open to write', [2, 0, 2]],
    ['mmap shared', [9, 0, 4096, 3, 0x21]],
    ['clone of a process', [56, 17]],
    ['fork', [57]],
    ['vfork', [58]],
    ['socket', [41]],
    ['connect', [42]],
    ['kill', [62]],
    ['tgkill with SIGKILL', [234, 1, 1, 9]],
    ['ptrace', [101]],
    ['execveat', [322]],
    ['memfd_create', [319]],
    ['mount', [165]],
    ['unshare', [272]],
    ['setns', [308]],
    ['setuid', [105]],
    ['bpf', [321]],
    ['userfaultfd', [323]],
    ['prlimit64 that sets', [302, 0, 7, 1]],
    ['ioctl TIOCSTI', [16, 0, 0x5412]],
    ['fcntl F_SETLK', [72, 0, 6]],
    ['prctl PR_SET_PDEATHSIG', [157, 1]],
    ['unlink', [87]],
    ['chmod', [90]],
  ];
  for (const [name, [nr, ...args]] of refused) t.equal(ask(nr!, ...args), REFUSED, name);
  t.equal(ask(435), UNKNOWN, 'clone3');
  t.equal(ask(425), UNKNOWN, 'io_uring_setup');
  t.equal(verdict(filter('x64', false), X64, 257, [0n, 0n, 1n << 32n]), REFUSED, 'a bit above 32');
  t.equal(verdict(filter('x64', false), 0x40000003, 0, []), KILL, "i386's table");
  t.equal(ask(0x40000000), KILL, 'x32');
  t.equal(verdict(filter('x64', true), X64, 105, []), ALLOW, 'setuid where Node itself becomes the user');
});
