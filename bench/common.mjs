/** Shared by the benchmarks: how programs are run, timed and checked, and what machine it was. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const root = dirname(here);
export const NODEGRUB = join(root, 'dist', 'nodegrub');
export const MIB = 1 << 20;

// They make Node's start slower or different, and no toolstack sets them.
export const env = { ...process.env, LC_ALL: 'C' };
for (const name of ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_PATH', 'NODE_COMPILE_CACHE'])
  delete env[name];

export function fail(message) {
  console.error(`bench: ${message}`);
  process.exit(2);
}

/** What a script of disks/ prints: where its disks are. */
export function built(script, ...args) {
  const run = spawnSync('bash', [join(here, 'disks', script), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0) fail(`${[script, ...args].join(' ')} ended with ${run.status}`);
  return run.stdout.trim();
}

/**
 * Lets the page cache forget a disk and read it again from end to end. How its pages were written (through a loop device, piece
 * by piece) decides otherwise how fast they are read: a quarter of the time of a fragmented copy.
 */
export function evenly(disk) {
  const calls = [
    ['dd', `of=${disk}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'],
    ['dd', `if=${disk}`, 'of=/dev/null', 'bs=1M', 'status=none'],
  ];
  for (const [program, ...args] of calls)
    if (spawnSync(program, args).status !== 0) fail(`${program} ${args.join(' ')} failed`);
  return disk;
}

/** A folder below `out` that goes when the program ends. */
export function workFolder(out) {
  const work = mkdtempSync(join(out, 'nodegrub-bench-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  process.on('SIGINT', () => process.exit(130));
  process.on('SIGTERM', () => process.exit(143));
  return work;
}

/** An empty output directory, and the file beside it that the result goes to. */
export function prepare(dir) {
  rmSync(dir, { recursive: true, force: true });
  spawnSync('mkdir', ['-m', '700', dir]);
  writeFileSync(`${dir}.result`, '');
}

/** Milliseconds of the commands, one after the other. */
export function timed(commands, what) {
  const start = process.hrtime.bigint();
  const runs = commands.map(([file, ...args]) =>
    spawnSync(file, args, { env, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  for (const run of runs)
    if (run.error || run.status !== 0)
      fail(`${what}: status ${run.status ?? run.signal}\n${run.error ?? run.stderr}`);
  return ms;
}

export const sha256 = (path) => {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  const piece = Buffer.alloc(MIB);
  for (let left = fstatSync(fd).size; left > 0; ) {
    const count = readSync(fd, piece);
    hash.update(piece.subarray(0, count));
    left -= count;
  }
  closeSync(fd);
  return hash.digest('hex');
};

/** `simple0` output → { kernel, ramdisk, args } */
export const parseResult = (path) =>
  Object.fromEntries(
    readFileSync(path, 'latin1')
      .split('\0')
      .filter(Boolean)
      .map((item) => [item.slice(0, item.indexOf(' ')), item.slice(item.indexOf(' ') + 1)]),
  );

export const bootloader = (program, disk, dir, ...more) => [
  [
    program,
    '-q',
    '--output-format=simple0',
    `--output=${dir}.result`,
    `--output-directory=${dir}`,
    ...more,
    disk,
  ],
];

export const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const first = (command, ...args) =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout?.trim().split('\n')[0] ?? '';

/** What was measured on, and with what; `packages` are those whose versions matter. */
export const machine = (packages, out, rounds) => [
  `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  `Linux ${release()}, ${/PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''}`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder
  `Node ${first('node', '--version')}, ${packages.map((p) => `${p} ${first('dpkg-query', '-W', '-f', '${Version}', p)}`).join(', ')}`,
  `output on ${out} (${first('stat', '-f', '-c', '%T', out)}), ${process.getuid() === 0 ? 'as root' : 'not root'}, ${rounds} rounds, medians`,
];

/** Rows of cells as Markdown; the first row is the head. */
export const markdown = (rows) =>
  rows
    .flatMap((cells, i) => [
      `| ${cells.join(' | ')} |`,
      ...(i === 0 ? [`|${cells.map((_, c) => (c === 0 ? ' --- |' : ' ---: |')).join('')}`] : []),
    ])
    .join('\n');
