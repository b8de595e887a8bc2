/**
 * What booting out of a disk image costs: an initrd of 100 MB from an ext4 disk in each format, the whole program from start to
 * end, beside what an admin without it does (`qemu-img convert` to a raw disk, then `cp` of the same bytes) and beside
 * `qemu-img dd` of as many bytes. Side by side in one run, hot cache.
 *
 *   node bench/formats.mjs [--rounds N] [--rows NAME,NAME] [--report FILE] [--out DIR]
 *
 * Targets: at most 1.2 times convert and cp where nothing is packed, 1.3 times where zlib packed it (the program uses node:zlib; zstd and
 * gzip are unpacked by code of its own, and have none). Exit status 1 when it is missed, 2 when a program failed.
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
    rounds: { type: 'string', default: '9' },
    rows: { type: 'string' },
    report: { type: 'string' },
    out: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : '/tmp' },
  },
});
const ROUNDS = Number(options.rounds);

/** `kind` is QEMU's name; absent: gzip. */
const ROWS = [
  { name: 'raw', title: 'raw', kind: 'raw', flags: [] },
  { name: 'qcow2', title: 'qcow2', kind: 'qcow2', flags: [] },
  { name: 'qcow2-zlib', title: 'qcow2, zlib', kind: 'qcow2', flags: ['-c'], target: 1.3 },
  {
    name: 'qcow2-zstd',
    title: 'qcow2, zstd',
    kind: 'qcow2',
    flags: ['-c', '-o', 'compression_type=zstd'],
    target: Number.POSITIVE_INFINITY,
  },
  { name: 'vhd', title: 'VHD, dynamic', kind: 'vpc', flags: ['-o', 'subformat=dynamic,force_size=on'] },
  { name: 'vhdx', title: 'VHDX', kind: 'vhdx', flags: [] },
  { name: 'vmdk', title: 'VMDK, monolithicSparse', kind: 'vmdk', flags: [] },
  {
    name: 'vmdk-stream',
    title: 'VMDK, streamOptimized',
    kind: 'vmdk',
    flags: ['-o', 'subformat=streamOptimized'],
    target: 1.3,
  },
  { name: 'vdi', title: 'VDI', kind: 'vdi', flags: [] },
  { name: 'gzip', title: 'raw.gz', target: Number.POSITIVE_INFINITY },
].filter((row) => !options.rows || options.rows.split(',').includes(row.name));
if (ROWS.length === 0) fail(`no such row: ${options.rows}`);

const work = workFolder(options.out);
const dir = join(work, 'out');
const disk = built('drivers.sh', 'ext4');
const initrd = join(work, 'initrd.img');
cpSync(join(built('drivers.sh', '--tree'), 'boot', 'initrd.img'), initrd);
const wanted = sha256(initrd);
const mebibytes = Math.ceil(statSync(initrd).size / 2 ** 20);

function must(file, ...args) {
  const run = spawnSync(file, args, { env, encoding: 'utf8' });
  if (run.status !== 0) fail(`${file} ${args.join(' ')}: status ${run.status}\n${run.stderr}`);
}

let missed = 0;
const n = (value, digits = 0) => value.toFixed(digits);
const table = [
  ['image', 'its size', 'nodegrub', 'qemu-img convert, cp', '**of it**', 'qemu-img dd, 100 MB', '**of it**'],
];
for (const { name, title, kind, flags, target = 1.2 } of ROWS) {
  process.stderr.write(`bench: ${name}\n`);
  const image = join(work, `disk.${name}`);
  if (kind) must('qemu-img', 'convert', '-f', 'raw', '-O', kind, ...flags, disk, image);
  else must('sh', '-c', `gzip -c '${disk}' >'${image}'`);
  evenly(image);
  const { blocks } = statSync(image);
  const flat = join(dir, 'flat');
  const runs = {
    // What follows the name is the first entry, the one with 100 MB.
    mine: bootloader(NODEGRUB, image, dir, '--entry=0'),
    whole: [
      kind
        ? ['qemu-img', 'convert', '-f', kind, '-O', 'raw', image, flat]
        : ['sh', '-c', `gzip -dc '${image}' >'${flat}'`],
      ['cp', initrd, join(dir, 'r')],
    ],
  };
  const dd = ['dd', '-f', kind, '-O', 'raw', 'bs=1M', `count=${mebibytes}`, `if=${image}`, `of=${flat}`];
  if (kind) runs.part = [['qemu-img', ...dd]];
  const times = { mine: [], whole: [], part: [] };
  for (let round = -1; round < ROUNDS; round++)
    for (const [who, commands] of Object.entries(runs)) {
      prepare(dir);
      const ms = timed(commands, `${name}: ${who}`);
      // What is fast must also be right.
      if (round < 0 && who === 'mine' && sha256(parseResult(`${dir}.result`).ramdisk) !== wanted)
        fail(`${name}: wrong bytes`);
      if (round >= 0) times[who].push(ms);
    }
  rmSync(image);
  const of = (list) => median(times.mine.map((ms, i) => ms / list[i]));
  const good = of(times.whole) <= target;
  if (!good) missed++;
  table.push([
    title,
    `${n((blocks * 512) / 1e6)} MB`,
    `${n(median(times.mine))} ms`,
    `${n(median(times.whole))} ms`,
    `${n(of(times.whole), 2)}${good ? '' : ' MISSED'}`,
    ...(kind ? [`${n(median(times.part))} ms`, n(of(times.part), 2)] : ['', '']),
  ]);
}
const about = machine(['qemu-utils', 'gzip'], options.out, ROUNDS);
const report = `# Booting out of disk images

\`node bench/formats.mjs\` (as root, on Debian): an initrd of 100 MB from an ext4 disk in each format, the whole program from
start to end, beside what is done without it (\`qemu-img convert\` to a raw disk, or gzip -dc, then \`cp\` of the same bytes), and beside
\`qemu-img dd\` of as many bytes; side by side in one run, hot cache. Targets: at most 1.2 times
convert and cp where nothing is packed, 1.3 times where zlib packed it (node:zlib); zstd and gzip are unpacked in JavaScript by code of the
program's own, and have none.

Measured ${new Date().toISOString().slice(0, 10)}: ${about.join('; ')}.

${markdown(table)}
`;
console.log(report);
if (options.report) writeFileSync(options.report, report);
process.exitCode = missed > 0 ? 1 : 0;
