/**
 * The filters of system calls against Linux' own tables (linux-libc-dev): on arm64, for which asm-generic's numbers are the
 * kernel's, each call is judged as the call of the same name on x86-64, whatever its arguments. The programs are run by our
 * interpreter of BPF; in a kernel that of x86-64 runs in test/peers/strict.test.ts, that of arm64 has not.
 */
import { join } from 'node:path';
import t from 'tap';
import { ALLOW, filter, KILL, REFUSED } from '../../lib/sandbox/seccomp/filter';
import { AUDIT_ARCH, type Machine, type Name, numberOf, SYSCALLS } from '../../lib/sandbox/seccomp/syscalls';
import { verdict } from '../sandbox/bpf';
import { must, scratch } from './support';

const dir = scratch(t);

/** Names and numbers as a C program with these headers has them. */
function tableOf(define: readonly string[], header: string): Map<string, number> {
  const source = join(dir, 'table.c');
  must('bash', '-euc', 'printf "%s" "$2" >"$1"', 'bash', source, `#include <${header}>\n`);
  const macros = new Map(
    must('gcc', '-E', '-dM', ...define.map((word) => `-D${word}`), source)
      .split('\n')
      .flatMap((line) => {
        const [, name, value] = /^#define (\w+) (\S+)$/.exec(line) ?? [];
        return name ? [[name, value!] as const] : [];
      }),
  );
  const found = new Map<string, number>();
  for (const [name, value] of macros) {
    const call = /^__NR_(\w+)$/.exec(name)?.[1];
    if (call === undefined || call === 'syscalls' || call.startsWith('arch_specific')) continue;
    let number = value;
    // fcntl is __NR3264_fcntl is 25.
    for (let i = 0; i < 3 && !/^\d+$/.test(number); i++) number = macros.get(number) ?? number;
    if (/^\d+$/.test(number)) found.set(call, Number(number));
  }
  return found;
}

/** What arch/arm64/include/uapi/asm/unistd.h defines before it takes asm-generic's. */
const WANT = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];
const tables: Readonly<Record<Machine, Map<string, number>>> = {
  x64: tableOf([], 'asm/unistd_64.h'),
  arm64: tableOf(
    WANT.map((word) => `__ARCH_WANT_${word}`),
    'asm-generic/unistd.h',
  ),
};

t.test('the tables are whole', async (t) => {
  t.ok(tables.x64.size > 340, `${tables.x64.size} calls of x86-64`);
  t.ok(tables.arm64.size > 290, `${tables.arm64.size} calls of arm64`);
  // Some that everybody knows.
  t.equal(tables.arm64.get('write'), 64);
  t.equal(tables.arm64.get('mmap'), 222);
  t.equal(tables.arm64.get('newfstatat'), 79);
});

t.test('our numbers are Linux’', async (t) => {
  for (const machine of ['x64', 'arm64'] as const)
    for (const name of Object.keys(SYSCALLS) as Name[]) {
      // Where both are of the same age, a number stands for one name.
      const known = tables[machine].get(name) ?? -1;
      t.equal(numberOf(name, machine), known, `${machine}: ${name}`);
    }
});

/** Values that some condition looks at, and neighbours, in every argument; and beyond 32 bits. */
const VALUES = [
  0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 17, 23, 33, 0o100, 0o101, 0o1000, 0o2000000, 0x11, 0x21, 0x22, 0x3d0f00,
  0x7d0f00, 0x3d0f01, 1030, 1031, 0x5401, 0x5412, 0x5413, 0x541b, 0x5421, 0x5451, 0x53564d41, 0xffffffff,
].flatMap((n) => [BigInt(n), BigInt(n) + 2n ** 32n]);

for (const drop of [false, true])
  t.test(`each call of arm64 as on x86-64${drop ? ', with those that change the user' : ''}`, async (t) => {
    const programs = { x64: filter('x64', drop), arm64: filter('arm64', drop) };
    const ask = (machine: Machine, nr: number, args: readonly bigint[]) =>
      verdict(programs[machine], AUDIT_ARCH[machine], nr, args);
    const names = new Map([...tables.arm64].map(([name, nr]) => [nr, name]));
    const different: string[] = [];
    let allowed = 0;
    for (let nr = 0; nr < 600; nr++) {
      const name = names.get(nr);
      const there = name === undefined ? undefined : tables.x64.get(name);
      let ever = false;
      for (let argument = 0; argument < 6; argument++)
        for (const value of VALUES) {
          const args = Array.from({ length: 6 }, (_, i) => (i === argument ? value : 0n));
          const own = ask('arm64', nr, args);
          const wanted = there === undefined ? REFUSED : ask('x64', there, args);
          ever ||= own === ALLOW;
          if (own !== wanted && different.length < 20)
            different.push(`${nr} (${name}): ${own.toString(16)}, ${wanted.toString(16)}: ${args}`);
        }
      if (ever) allowed++;
    }
    t.same(different, []);
    t.ok(allowed > 80, `${allowed} calls are allowed`);
    // Through another machine's table: the end.
    t.equal(verdict(programs.arm64, AUDIT_ARCH.x64, 63, []), KILL);
    // AUDIT_ARCH_ARM: a 32-bit program on the same kernel.
    t.equal(verdict(programs.arm64, 0x40000028, 3, []), KILL);
  });

t.test('what arm64 may not', async (t) => {
  const program = filter('arm64', false);
  for (const name of [
    ...[
      'socket',
      'connect',
      'bind',
      'kill',
      'tkill',
      'ptrace',
      'execveat',
      'memfd_create',
      'mount',
      'unshare',
    ],
    ...['setns', 'setuid', 'bpf', 'userfaultfd', 'unlinkat', 'fchmodat', 'openat2', 'mknodat', 'linkat'],
    ...[
      'perf_event_open',
      'keyctl',
      'add_key',
      'process_vm_writev',
      'pidfd_open',
      'pidfd_getfd',
      'io_uring_enter',
    ],
    ...['open_by_handle_at', 'fsopen', 'move_mount', 'pivot_root', 'chroot', 'shmget', 'mq_open', 'flock'],
  ]) {
    const nr = tables.arm64.get(name);
    t.ok(nr !== undefined, name);
    t.equal(verdict(program, AUDIT_ARCH.arm64, nr!, []), REFUSED, name);
  }
});
