/**
 * dist/make-cache.js: makes the code cache (launcher.ts) for the Node that runs it, and the script `nodegrub` that starts the
 * program with this Node and the flags that suit it. To be run once, by the build and after
 * an installation, by whoever may write in its folder. A child boots the small disks beside it (a FAT first, as most
 * guests have an EFI system partition), so that the functions that a boot needs are compiled; what V8 then has is
 * written. Of the chunks that no boot of these disks needs, what runs when they are loaded.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import confine from '../sandbox/confine.sh';
import { librariesOf } from '../sandbox/libraries';
import { filter } from '../sandbox/seccomp/filter';
import type { Machine } from '../sandbox/seccomp/syscalls';
import strict from '../sandbox/strict.sh';

type Launcher = typeof import('./launcher');

/**
 * V8's, each used where this Node knows it (an unknown one would keep it from starting). The first: a boot takes 30 ms of
 * JavaScript, most of it run once; what V8 optimizes meanwhile (at 67,584) keeps the second processor from writing the payload: 17 ms of
 * 88 for a ramdisk in 2,000 extents. Three times as much again, and long lists and chains of small clusters take a fifth more. The second: a
 * boot ends before its young objects fill 4 MiB, and needs no garbage collection (2 ms).
 */
const FAST = ['--interrupt-budget=300000', '--min-semi-space-size=4'];

/**
 * What only the command line can set: text never becomes code, no object gets another prototype through `__proto__`, no
 * shared library is loaded, no signal opens a debugger's port (Node 22; sandbox/drop.ts for the others). They cost nothing.
 */
const HARD = [
  '--disallow-code-generation-from-strings',
  '--disable-proto=throw',
  '--no-addons',
  '--disable-sigusr1',
];

const starts = (...words: [string, ...string[]]): boolean =>
  spawnSync(words[0], [...words.slice(1), '-e', '0'], { stdio: 'ignore', env: {} }).status === 0;
const known = (flag: string): boolean => starts(process.execPath, flag);

/** util-linux' setpriv (0.9 ms): after it no set-user-ID program helps whoever took the parser over. '' where there is none. */
const setpriv = (): string =>
  ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => starts(path, '--no-new-privs', process.execPath)) ?? '';

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Starts nodegrub.js beside it (or beside what it is a link to; where a script of another folder reads it, where it was made). A Node that was replaced since may not know the flags: then
 * its time of change is not node.stamp's any more, and it is asked first (25 ms, until make-cache.js is run again).
 * What the environment would tell Node is for other programs: options against these flags, code to load, files to write. libuv's
 * io_uring, which Node 20.3 to 20.11.0 had at work, would go on as root after the drop (CVE-2024-22017). A file may have
 * 2 GiB, as in limits.ts, if the caller named no other limit (`ulimit` would raise a lower one, and counts 512 bytes).
 */
const starter = (
  node: string,
  fast: readonly string[],
  hard: readonly string[],
  wrapper: string,
): string => `#!/bin/sh
d=\${0%/*}
[ "$d" != "$0" ] || d=.
[ ! -L "$0" ] || { d=$(readlink -f -- "$0") && d=\${d%/*}; }
[ -e "$d/nodegrub.js" ] || d=${quoted(__dirname)}
n=${quoted(node)}
f='${hard.join(' ')}'
p='${wrapper === '' ? '' : `${wrapper} --no-new-privs`}'
umask 077
ulimit -c 0
[ "$NODEGRUB_MAX_PAYLOAD_BYTES$PYGRUB_MAX_FILE_SIZE_MB$(ulimit -f)" != unlimited ] || ulimit -f 4194304
unset NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_COMPILE_CACHE NODE_V8_COVERAGE NODE_DEBUG NODE_REDIRECT_WARNINGS
export UV_USE_IO_URING=0
[ -x "\${p%% *}" ] || p=
case " $*" in *' --runas='* | *' --sandbox=strict'*)
  case $d in /*) ;; *) d=$(cd -- "$d" && pwd -P) ;; esac
  [ ! -x "$n" ] || [ "$n" -nt "$d/node.stamp" ] || [ "$n" -ot "$d/node.stamp" ] || {
    . "$d/nodegrub-strict"
    flags="${fast.join(' ')} $f"
    strict "$@"
  }
  ;;
esac
[ ! -x "$n" ] || [ "$n" -nt "$d/node.stamp" ] || [ "$n" -ot "$d/node.stamp" ] || exec $p "$n" ${fast.join(' ')} $f "$d/nodegrub.js" "$@"
[ -x "$n" ] || n=node
"$n" $f -e 0 2>/dev/null || f=
exec $p "$n" $f "$d/nodegrub.js" "$@"
`;

/** In the child: boots, then sends `NAME\nLENGTH\n` and the data of each script through descriptor 3. */
async function warm(directory: string, disks: readonly string[]): Promise<void> {
  const { load, loaded } = require('./nodegrub.js') as Launcher;
  const core = load('core.js') as { main(argv: readonly string[], program: string): Promise<number> };
  const status = await core.main(
    ['-q', '--output=/dev/null', '--output-format=simple0', `--output-directory=${directory}`, ...disks],
    'nodegrub',
  );
  if (status !== 0) throw new Error(`the boot of ${disks} ended with status ${status}`);
  for (const name of readdirSync(__dirname))
    if (/-.*\.js$/.test(name) && !name.startsWith('make-')) load(name);
  for (const [name, { script }] of loaded) {
    const data = script!.createCachedData();
    const head = Buffer.from(`${name}\n${data.length}\n`);
    const all = Buffer.concat([head, data]);
    for (let done = 0; done < all.length; ) done += writeSync(3, all, done);
  }
}

/** Whole or not at all: a boot may start in between. */
function put(name: string, content: string | Uint8Array, mode = 0o644): void {
  const path = join(__dirname, name);
  writeFileSync(`${path}.new`, content);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

function make(): void {
  const fast = FAST.filter(known);
  const hard = HARD.filter(known);
  const work = mkdtempSync(join(tmpdir(), 'nodegrub-cache-'));
  try {
    const disks: string[] = [];
    for (const name of readdirSync(__dirname).sort()) {
      if (name.endsWith('.cache')) rmSync(join(__dirname, name));
      if (!name.startsWith('warm-')) continue;
      disks.push(join(work, name));
      writeFileSync(join(work, name), gunzipSync(readFileSync(join(__dirname, name))));
    }
    for (const used of [[], [...fast, ...hard]]) cache(used, work, disks);
    put('node.stamp', '');
    // By touch: Node's own times are cut to milliseconds.
    const touched = spawnSync('touch', ['-r', process.execPath, join(__dirname, 'node.stamp')]);
    if (touched.status !== 0) throw new Error(`touch failed: ${touched.error ?? touched.stderr}`);
    sandbox();
    put('nodegrub', starter(process.execPath, fast, hard, setpriv()), 0o755);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** MiB of data (RLIMIT_DATA) with which this Node starts, with its threads: 20 needs less than 64, 24 more than 512. */
function startSize(node: string): number {
  const enough = [64, 128, 256, 384, 512, 640, 768, 1024, 1536].find(
    (mb) =>
      spawnSync('/bin/sh', ['-c', 'ulimit -c 0; ulimit -d "$1"; exec "$0" -e 0', node, String(mb * 1024)], {
        stdio: 'ignore',
        env: {},
      }).status === 0,
  );
  return (enough ?? 2048) + 64;
}

/** What the sandbox is made with: the files that Node needs, the filters of system calls for this machine, the script. */
function sandbox(): void {
  const node = realpathSync(process.execPath);
  const files = [node, ...librariesOf(node)].join('\n');
  put('node.files', `${files}\n`);
  const machine = process.arch as Machine;
  if (machine === 'x64' || machine === 'arm64') {
    put('seccomp.bpf', filter(machine, false));
    put('seccomp-drop.bpf', filter(machine, true));
  }
  put(
    'nodegrub-strict',
    `start_mb=${startSize(node)}\nnode=\${node-${quoted(node)}}\nfiles=\${files-${quoted(files)}}\n${confine}\n${strict}`,
  );
}

/** What V8 has after the boots, with these flags, as FILE.ARCH.cache or FILE.flags.ARCH.cache. */
function cache(flags: readonly string[], work: string, disks: readonly string[]): void {
  const child = spawnSync(process.execPath, [...flags, __filename, '--child', work, ...disks], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: {},
    maxBuffer: 64 * 1024 * 1024,
  });
  const sent = child.output?.[3] as unknown as Buffer | undefined;
  if (child.status !== 0 || !sent) throw new Error(`the child failed: ${child.stderr}`);
  for (let at = 0; at < sent.length; ) {
    const nameEnd = sent.indexOf(10, at);
    const sizeEnd = sent.indexOf(10, nameEnd + 1);
    const end = sizeEnd + 1 + Number(sent.toString('utf8', nameEnd + 1, sizeEnd));
    put(
      `${sent.toString('utf8', at, nameEnd)}${flags.length > 0 ? '.flags' : ''}.${process.arch}.cache`,
      sent.subarray(sizeEnd + 1, end),
    );
    at = end;
  }
}

if (process.argv[2] === '--child') {
  warm(process.argv[3] ?? '', process.argv.slice(4)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
} else {
  try {
    make();
  } catch (error) {
    console.error(`make-cache.js: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
