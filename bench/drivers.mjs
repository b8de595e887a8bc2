/**
 * How fast each driver hands out what is on its filesystem, beside `cp` of the same bytes and `grub-fstest cp` from the
 * same disk, interleaved in one run, hot cache. Counted is what an initrd of 100 MB takes more than one of 1 KiB from the
 * same disk, whole programs from start to end: the start of Node, and of the others, is no part of it.
 *
 *   node bench/drivers.mjs [--rounds N] [--rows NAME,NAME] [--report FILE] [--out DIR] [--cpu]
 *
 * --cpu: counts processor time and not the clock's, for a machine that is busy with other things.
 * Targets: at least 0.85 of cp's speed where nothing is packed, at least grub-fstest's where it is; a file in 2,000 extents
 * at most 1.3 times what one in a piece takes; 100,000 names no worse than n log n beside 10,000. Exit status 1 when one is
 * missed, 2 when a program failed.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  bootloader,
  built,
  env,
  evenly,
  fail,
  machine,
  markdown,
  median,
  NODEGRUB,
  parseResult,
  prepare,
  sha256,
  timed,
  workFolder,
} from './common.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '11' },
    rows: { type: 'string' },
    report: { type: 'string' },
    cpu: { type: 'boolean', default: false },
    out: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : '/tmp' },
  },
});
const ROUNDS = Number(options.rounds);

/** NAME of disks/drivers.sh; `frag`: frag-NAME too, `names`: names-NAME-N too; `alone`: without grub-fstest. */
const ROWS = [
  { name: 'ext4', title: 'ext4', frag: true },
  { name: 'vfat', title: 'FAT32 (mtools), clusters of 4 KiB' },
  { name: 'vfat-512', title: 'FAT32, clusters of 512 bytes' },
  { name: 'iso9660', title: 'ISO 9660 (xorriso)', names: true },
  { name: 'xfs', title: 'XFS', frag: true, names: true },
  { name: 'btrfs', title: 'btrfs', frag: true, names: true },
  { name: 'ufs2', title: 'UFS2 (makefs)', names: true },
  { name: 'f2fs', title: 'F2FS' },
  { name: 'exfat', title: 'exFAT' },
  { name: 'ntfs', title: 'NTFS (ntfs-3g)' },
  { name: 'udf', title: 'UDF (genisoimage)' },
  // GRUB 2.06 reads no EROFS.
  { name: 'erofs', title: 'EROFS', alone: true },
  { name: 'romfs', title: 'romfs' },
  { name: 'cpio', title: 'cpio, newc' },
  { name: 'tar', title: 'tar' },
  { name: 'minix3', title: 'MINIX 3' },
  { name: 'nilfs2', title: 'NILFS2' },
  { name: 'erofs-lz4', title: 'EROFS, LZ4', packed: true, alone: true },
  { name: 'squashfs-gzip', title: 'squashfs, gzip', packed: true, names: true },
  { name: 'squashfs-xz', title: 'squashfs, xz', packed: true },
  // GRUB reads no zstd in squashfs.
  { name: 'squashfs-zstd', title: 'squashfs, zstd', packed: true, alone: true },
].filter((row) => !options.rows || options.rows.split(',').includes(row.name));
if (ROWS.length === 0) fail(`no such row: ${options.rows}`);

const work = workFolder(options.out);
const dir = join(work, 'out');

/** User and system time of a command and all that it started, in milliseconds. */
const CPU_TIME = `import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print((used.ru_utime + used.ru_stime) * 1000)`;

/** Milliseconds of one run, in a new output directory. */
function once([command], what) {
  prepare(dir);
  if (!options.cpu) return timed([command], what);
  const run = spawnSync('python3', ['-c', CPU_TIME, ...command], { env, cwd: '/', encoding: 'utf8' });
  if (run.status !== 0) fail(`${what}: status ${run.status}\n${run.stderr}`);
  return Number(run.stdout);
}

const nodegrub = (disk, entry) => bootloader(NODEGRUB, disk, dir, `--entry=${entry}`);

/** Runs everything in turn, round by round, after a round that does not count; name → milliseconds of each round. */
function rounds(runs, what) {
  const times = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (let round = -1; round < ROUNDS; round++)
    for (const [name, commands] of Object.entries(runs)) {
      const ms = once(commands, `${what}: ${name}`);
      if (round >= 0) times[name].push(ms);
    }
  return times;
}

const differences = (more, less) => more.map((ms, i) => ms - less[i]);
/** The median of the quotients, round by round; noise may make a difference negative, which counts as nearly nothing. */
const quotient = (a, b) => median(a.map((ms, i) => Math.max(ms, 0.01) / Math.max(b[i], 0.01)));

function throughput(row) {
  const disk = evenly(built('drivers.sh', row.name));
  // Beside the disk: within a tmpfs cp would not copy as it does from a disk to it.
  const files = ['initrd.img', 'small.img'].map((name) => {
    const path = `${disk}.${name}`;
    rmSync(path, { force: true });
    cpSync(join(built('drivers.sh', '--tree'), 'boot', name), path);
    return path;
  });
  // What is fast must also be right.
  once(nodegrub(disk, 0), row.name);
  if (sha256(parseResult(`${dir}.result`).ramdisk) !== sha256(files[0])) fail(`${row.name}: wrong bytes`);
  const bytes = statSync(files[0]).size;
  const runs = {};
  for (const [i, path] of files.entries()) {
    runs[`nodegrub ${i}`] = nodegrub(disk, i);
    if (!row.alone)
      runs[`grub ${i}`] = [
        ['grub-fstest', disk, 'cp', `(loop0)/boot/${i === 0 ? 'initrd' : 'small'}.img`, join(dir, 'r')],
      ];
    runs[`cp ${i}`] = [['cp', path, join(dir, 'r')]];
  }
  const times = rounds(runs, row.name);
  const spent = (name) => differences(times[`${name} 0`], times[`${name} 1`]);
  const [mine, cp] = [spent('nodegrub'), spent('cp')];
  const grub = row.alone ? undefined : spent('grub');
  for (const path of files) rmSync(path);
  return {
    start: median(times['nodegrub 1']),
    speed: (ms) => bytes / 1000 / median(ms),
    mine,
    grub,
    cp,
    toCp: quotient(cp, mine),
    toGrub: grub && quotient(grub, mine),
  };
}

function fragments(row) {
  const disk = evenly(built('drivers.sh', `frag-${row.name}`));
  const times = rounds(
    { plain: nodegrub(disk, 0), fragmented: nodegrub(disk, 1), small: nodegrub(disk, 2) },
    `frag-${row.name}`,
  );
  return quotient(differences(times.fragmented, times.small), differences(times.plain, times.small));
}

/** How much more 100,000 names take than 10,000, above an empty directory. */
function growth(row) {
  const of = (n) => nodegrub(built('drivers.sh', `names-${row.name}-${n}`), 0);
  const times = rounds({ few: of(10), some: of(10_000), many: of(100_000) }, `names-${row.name}`);
  const [some, many] = [times.some, times.many].map((list) => median(differences(list, times.few)));
  return { ms: many, times: many / Math.max(some, 1) };
}

const n = (value, digits = 0) => value.toFixed(digits);
const N_LOG_N = (10 * Math.log(100_000)) / Math.log(10_000);
let missed = 0;
const judged = (good, text) => {
  if (!good) missed++;
  return good ? text : `${text} MISSED`;
};

const table = [
  [
    'filesystem',
    'start, 1 KiB',
    'nodegrub',
    'cp',
    'grub-fstest',
    '**speed / cp**',
    '**speed / grub-fstest**',
    '2,000 extents / 1',
    '100,000 names',
    '/ 10,000 names',
  ],
];
for (const row of ROWS) {
  process.stderr.write(`bench: ${row.name}\n`);
  const t = throughput(row);
  const frag = row.frag && fragments(row);
  const names = row.names && growth(row);
  table.push([
    row.title,
    `${n(t.start)} ms`,
    ...[t.mine, t.cp, t.grub].map((ms) => (ms ? `${n(t.speed(ms))} MB/s` : '')),
    row.packed ? n(t.toCp, 2) : judged(t.toCp >= 0.85, n(t.toCp, 2)),
    t.toGrub === undefined ? '' : row.packed ? judged(t.toGrub >= 1, n(t.toGrub, 2)) : n(t.toGrub, 2),
    frag ? judged(frag <= 1.3, n(frag, 2)) : '',
    names ? `${n(names.ms, 1)} ms` : '',
    names ? judged(names.times <= N_LOG_N, n(names.times, 1)) : '',
  ]);
}
const about = machine(['grub-common'], options.out, ROUNDS);
const report = `# How fast the drivers are

\`npm run bench -- drivers\` (as root, on Debian): an initrd of 100 MB from each filesystem, what it takes more than one of 1 KiB
from the same disk, beside \`cp\` of the same bytes and \`grub-fstest cp\`; side by side in one run, hot cache. The start of the
programs is no part of the speeds. Targets: 0.85 of cp's speed where nothing is packed, GRUB's where it is; a file of 106 MB in
2,000 extents at most 1.3 times what one in a piece takes; 100,000 names at most ${n(N_LOG_N, 1)} times 10,000 names (n log n).

Measured ${new Date().toISOString().slice(0, 10)}: ${about.join('; ')}${options.cpu ? ', processor time' : ''}.

${markdown(table)}
`;
console.log(report);
if (options.report) writeFileSync(options.report, report);
process.exitCode = missed > 0 ? 1 : 0;
