/**
 * What the parser in the sandbox may ask of the kernel: what Node 18 to 24 do when they start, read, write and wait (measured with
 * strace, test/peers/sandbox.test.ts), and nothing else. Everything that is not named is refused with EPERM; a call through
 * another architecture's table ends the process.
 *
 * Not there, so that nobody adds them: sockets, signals to others, ptrace, executing from a descriptor (`execveat`,
 * `memfd_create`), io_uring (its calls would pass by the filter), userfaultfd, bpf, keys, mounts, namespaces, locks on the host's
 * files. `execve` is there because bwrap starts Node after this filter is in force; the sandbox holds nothing else to execute.
 */
import { ARCH, assemble, high, type Instruction, JEQ, JGE, JSET, type Line, LOAD, low, NR, RET } from './bpf';
import { AUDIT_ARCH, type Machine, type Name, numberOf, X32 } from './syscalls';

/** SECCOMP_RET_* (linux/seccomp.h), errno in the low half. */
export const ALLOW = 0x7fff0000;
export const KILL = 0x80000000;
const ERRNO = 0x00050000;
export const REFUSED = ERRNO | 1;
/** What a kernel without the call would say: the C library then takes an older one (`clone`, whose flags can be looked at). */
export const UNKNOWN = ERRNO | 38;

/** Whatever the arguments. The frequent ones first: a filter is run through for each call. */
const FREE: readonly Name[] = [
  ...(['read', 'pread64', 'pwrite64', 'write', 'futex', 'mprotect', 'munmap', 'madvise'] as const),
  ...(['epoll_pwait', 'epoll_wait', 'epoll_ctl', 'close', 'fstat', 'newfstatat', 'statx', 'brk'] as const),
  ...(['preadv', 'readv', 'writev', 'pwritev', 'preadv2', 'pwritev2', 'lseek', 'ftruncate'] as const),
  ...(['rt_sigprocmask', 'rt_sigaction', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'] as const),
  ...(['getpid', 'gettid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid'] as const),
  ...(['getresuid', 'getresgid', 'getgroups', 'capget', 'getcwd', 'uname', 'sysinfo', 'getcpu'] as const),
  ...([
    'clock_gettime',
    'clock_getres',
    'clock_nanosleep',
    'nanosleep',
    'gettimeofday',
    'time',
    'times',
  ] as const),
  ...(['getrlimit', 'getrusage', 'getrandom', 'mremap', 'mincore', 'membarrier'] as const),
  ...(['epoll_create1', 'epoll_pwait2', 'poll', 'ppoll', 'eventfd2', 'pipe2', 'close_range'] as const),
  ...(['sched_yield', 'sched_getaffinity', 'sched_getparam', 'sched_getscheduler'] as const),
  ...(['set_tid_address', 'set_robust_list', 'get_robust_list', 'rseq', 'arch_prctl'] as const),
  // V8 keeps writers away from its code with them
  ...(['pkey_alloc', 'pkey_free', 'pkey_mprotect'] as const),
  // the sandbox's own files; libuv asks what kind of thing a descriptor is
  ...([
    'access',
    'faccessat',
    'faccessat2',
    'stat',
    'lstat',
    'readlink',
    'readlinkat',
    'getdents64',
  ] as const),
  ...(['getsockopt', 'getsockname', 'execve', 'exit', 'exit_group'] as const),
];

/**
 * For the way without a user namespace: Node itself becomes the user, before it reads a byte of the guest's, and bwrap waits for
 * it under the same filter.
 */
const DROP: readonly Name[] = ['setgroups', 'setresgid', 'setresuid', 'setgid', 'setuid', 'wait4'];

type Test =
  /** The argument's low half has none of these bits. */
  | { readonly argument: number; readonly without: number }
  /** The whole argument is one of these. */
  | { readonly argument: number; readonly oneOf: readonly number[] };

/** O_ACCMODE, O_CREAT, O_TRUNC (asm-generic/fcntl.h): the sandbox is read-only, its descriptors are all there is to write. */
const WRITING = 0o3 | 0o100 | 0o1000;

/** pthread_create's flags for `clone`: glibc's, and musl's with CLONE_DETACHED. A thread of this process, no new one. */
const THREAD = [0x3d0f00, 0x7d0f00];

/** F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL: no locks, leases or signals (linux/fcntl.h). */
const FCNTL = [1030, 1, 2, 3, 4];

/** TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX (asm-generic/ioctls.h). None that a block device would obey. */
const IOCTL = [0x5401, 0x5413, 0x541b, 0x5421, 0x5451];

/** PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_SET_VMA (names of mappings). */
const PRCTL = [15, 16, 3, 23, 0x53564d41];

/** SIGABRT, for abort(); SIGSETXID too, by which glibc lets every thread change its user. */
const signals = (drop: boolean): readonly number[] => (drop ? [6, 33] : [6]);

/** MAP_SHARED, and in MAP_SHARED_VALIDATE (linux/mman.h): shared memory is not counted as data, which RLIMIT_DATA limits. */
const SHARED = 1;

const conditions = (drop: boolean): readonly (readonly [Name, Test])[] => [
  ['mmap', { argument: 3, without: SHARED }],
  ['openat', { argument: 2, without: WRITING }],
  ['open', { argument: 1, without: WRITING }],
  ['clone', { argument: 0, oneOf: THREAD }],
  ['fcntl', { argument: 1, oneOf: FCNTL }],
  ['ioctl', { argument: 1, oneOf: IOCTL }],
  ['prctl', { argument: 0, oneOf: PRCTL }],
  // Read only: a null pointer for the new limit.
  ['prlimit64', { argument: 2, oneOf: [0] }],
  ['tgkill', { argument: 2, oneOf: signals(drop) }],
];

/** What is loaded is what is tested: registers are 64 bits wide, the high half must be empty. */
function test(condition: Test, name: string): Line[] {
  const lines: Line[] = [
    { code: LOAD, k: high(condition.argument) },
    { code: JEQ, k: 0, no: `${name}: refuse` },
    { code: LOAD, k: low(condition.argument) },
  ];
  if ('without' in condition)
    lines.push({ code: JSET, k: condition.without, yes: `${name}: refuse`, no: `${name}: allow` });
  else
    for (const [i, value] of condition.oneOf.entries()) {
      const last = i === condition.oneOf.length - 1;
      lines.push({ code: JEQ, k: value, yes: `${name}: allow`, no: last ? `${name}: refuse` : undefined });
    }
  return [...lines, `${name}: refuse`, { code: RET, k: REFUSED }, `${name}: allow`, { code: RET, k: ALLOW }];
}

/**
 * The program, as `bwrap --seccomp` and seccomp(2) take it.
 * @param drop with the calls that change the user
 */
export function filter(machine: Machine, drop: boolean): Buffer {
  const known = (name: Name): boolean => numberOf(name, machine) >= 0;
  const is = (name: Name, no: string | undefined, yes?: string): Instruction => ({
    code: JEQ,
    k: numberOf(name, machine),
    yes,
    no,
  });
  const lines: Line[] = [
    { code: LOAD, k: ARCH },
    { code: JEQ, k: AUDIT_ARCH[machine], no: 'kill' },
    { code: LOAD, k: NR },
    { code: JGE, k: X32, yes: 'kill' },
    ...[...FREE, ...(drop ? DROP : [])].filter(known).map((name) => is(name, undefined, 'allow')),
    { code: JGE, k: 0, yes: 'further' },
    'kill',
    { code: RET, k: KILL },
    'allow',
    { code: RET, k: ALLOW },
    'further',
  ];
  for (const [name, condition] of conditions(drop)) {
    if (!known(name)) continue;
    lines.push(is(name, `behind ${name}`), ...test(condition, name), `behind ${name}`);
  }
  for (const name of ['clone3', 'io_uring_setup'] as const)
    lines.push(is(name, `behind ${name}`), { code: RET, k: UNKNOWN }, `behind ${name}`);
  lines.push({ code: RET, k: REFUSED });
  return assemble(lines);
}
