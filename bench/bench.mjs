/**
 * Side-by-side timings: nodegrub, real pygrub, grub-fstest, cp, and Node's own floor, interleaved (A B C D A B C D …)
 * in one run, hot cache. What is quoted are medians of the ratios round by round, so a drifting machine does not matter.
 *
 *   node bench/bench.mjs [--rounds N] [--rows NAME,NAME] [--json FILE] [--out DIR]
 *
 * --out: where all programs write (default /dev/shm, as dom0's /var/run is a tmpfs). Run as root: nodegrub then
 * drops its privileges as under a toolstack. Exit status 1 when a target is missed, 2 when a program failed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  bootloader,
  built,
  env,
  fail,
  here,
  MIB,
  machine,
  markdown,
  median,
  NODEGRUB,
  parseResult,
  prepare,
  root,
  sha256,
  timed,
  workFolder,
} from './common.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    rows: { type: 'string' },
    json: { type: 'string' },
    out: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : '/tmp' },
  },
});
const ROUNDS = Number(options.rounds);
const PYGRUB = '/usr/lib/xen-4.17/bin/pygrub';

// ---- rows

const debian = built('debian12.sh');
const synthetic = built('synthetic.sh');
const debianFiles = JSON.parse(readFileSync(join(dirname(debian), 'disk.json'), 'utf8'));
const exampleFiles = JSON.parse(readFileSync(join(root, 'fixtures/images/example.expected.json'), 'utf8'));
const made = (name) => join(synthetic, `${name}.img`);
const plain = { kernel: '/boot/vmlinuz', ramdisk: '/boot/initrd.img', volume: 'gpt1' };
const lean = { extraBytes: MIB, calls: 1000, memory: 64 };
const ROWS = [
  {
    id: 'debian',
    title: 'Debian 12 (GPT, ESP, ext4)',
    disk: debian,
    kernel: debianFiles.kernel.path,
    ramdisk: debianFiles.ramdisk.path,
    volume: debianFiles.volume,
    target: 0.65,
    ...lean,
  },
  { id: 'payload', title: '102 MB payload, ext4', disk: made('payload102'), ...plain, target: 0.65, ...lean },
  { id: 'frag2000', title: 'initrd in 2,000 extents', disk: made('frag2000'), ...plain, target: 0.55 },
  { id: 'frag5000', title: 'initrd in 5,000 extents', disk: made('frag5000'), ...plain, target: 0.4 },
  {
    id: 'names',
    title: '/boot with 100,000 names of 225 bytes',
    disk: made('names-225'),
    ...plain,
    target: 0.4,
  },
  // With short names pygrub needs hardly more than Node's own start: no target that a program on Node could meet
  { id: 'shortnames', title: '/boot with 100,000 names of 25 bytes', disk: made('names-25'), ...plain },
  {
    id: 'entries',
    title: 'grub.cfg with 10,000 entries (pygrub: 2,300)',
    disk: made('entries-10000'),
    peerDisk: made('entries-2300'),
    ...plain,
    target: 1.5,
    memory: 96,
  },
  {
    id: 'example',
    title: 'the example disk (1.5 MB)',
    disk: join(root, 'fixtures/images/example.img'),
    kernel: exampleFiles.kernel.path,
    ramdisk: exampleFiles.ramdisk.path,
    volume: 'gpt1',
  },
].filter((row) => !options.rows || options.rows.split(',').includes(row.id));
if (ROWS.length === 0) fail(`no such row: ${options.rows}`);

// ---- running

const work = workFolder(options.out);
const grubFile = (row, path) => `(loop0,${row.volume})${path}`;

function toolsOf(row, payload) {
  const [kernel, ramdisk] = payload;
  const tools = {
    nodegrub: {
      commands: (dir) => bootloader(NODEGRUB, row.disk, dir),
      files: (dir) => parseResult(`${dir}.result`),
    },
    pygrub: {
      commands: (dir) => bootloader(PYGRUB, row.peerDisk ?? row.disk, dir),
      files: (dir) => parseResult(`${dir}.result`),
      otherPayload: Boolean(row.peerDisk),
    },
    'grub-fstest': {
      commands: (dir) => [
        ['grub-fstest', row.disk, 'cp', grubFile(row, row.kernel), `${dir}/k`],
        ['grub-fstest', row.disk, 'cp', grubFile(row, row.ramdisk), `${dir}/r`],
      ],
    },
    cp: { commands: (dir) => [['cp', kernel, ramdisk, dir]] },
    'node copy': {
      commands: (dir) => [['node', join(here, 'floor.cjs'), kernel, `${dir}/k`, ramdisk, `${dir}/r`]],
    },
    'node -e 0': { commands: () => [['node', '-e', '0']] },
  };
  return tools;
}

/** Largest resident size of any process of the command, MiB. */
function peakMemory(commands) {
  const file = join(work, 'time');
  let most = 0;
  for (const command of commands) {
    spawnSync('/usr/bin/time', ['-f', '%M', '-o', file, ...command], { env, cwd: '/', stdio: 'ignore' });
    most = Math.max(most, Number(readFileSync(file, 'utf8').trim().split('\n').pop()));
  }
  return most / 1024;
}

/** Calls and bytes that went to the disk image, by strace. */
function reads(commands, disk) {
  const file = join(work, 'strace');
  let calls = 0;
  let bytes = 0;
  for (const command of commands) {
    const trace = 'trace=read,pread64,readv,preadv,preadv2';
    const run = spawnSync(
      'strace',
      ['-f', '-y', '-qq', '-e', trace, '-e', 'signal=none', '-s', '0', '-o', file, ...command],
      {
        env,
        cwd: '/',
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    if (run.status !== 0) fail(`strace ${command[0]}: status ${run.status}\n${run.stderr}`);
    const waiting = new Set();
    for (const line of readFileSync(file, 'latin1').split('\n')) {
      const pid = line.slice(0, line.indexOf(' '));
      const ours = line.includes(`<${disk}>`);
      const resumed = line.includes('resumed>') && waiting.has(pid);
      if (!ours && !resumed) continue;
      if (line.endsWith('<unfinished ...>')) {
        waiting.add(pid);
        continue;
      }
      waiting.delete(pid);
      calls++;
      bytes += Math.max(0, Number(/= (-?\d+)/.exec(line.slice(line.lastIndexOf(')')))?.[1] ?? 0));
    }
  }
  return { calls, bytes };
}

function payloadOf(row, name, disk) {
  const files = [join(work, `${name}.kernel`), join(work, `${name}.ramdisk`)];
  timed(
    [row.kernel, row.ramdisk].map((path, i) => ['grub-fstest', disk, 'cp', grubFile(row, path), files[i]]),
    `grub-fstest ${disk}`,
  );
  return files;
}

function measure(row) {
  const payload = payloadOf(row, 'payload', row.disk);
  const peerPayload = row.peerDisk ? payloadOf(row, 'peer', row.peerDisk) : payload;
  const wanted = payload.map(sha256);
  const peerWanted = peerPayload.map(sha256);
  const bytes = payload.reduce((sum, path) => sum + statSync(path).size, 0);
  const tools = toolsOf(row, payload);
  const times = Object.fromEntries(Object.keys(tools).map((name) => [name, []]));
  const dir = join(work, 'out');
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, tool] of Object.entries(tools)) {
      prepare(dir);
      const ms = timed(tool.commands(dir), `${row.id}: ${name}`);
      if (round >= 0) times[name].push(ms);
      else if (tool.files) {
        // The warm-up round is checked: what is fast must also be right.
        const { kernel, ramdisk } = tool.files(dir);
        const want = tool.otherPayload ? peerWanted : wanted;
        if (sha256(kernel) !== want[0] || sha256(ramdisk) !== want[1])
          fail(`${row.id}: ${name}: wrong bytes`);
      }
    }
  }
  const used = {};
  for (const name of ['nodegrub', 'pygrub']) {
    prepare(dir);
    const memory = peakMemory(tools[name].commands(dir));
    prepare(dir);
    used[name] = {
      memory,
      ...reads(tools[name].commands(dir), name === 'pygrub' ? (row.peerDisk ?? row.disk) : row.disk),
    };
  }
  const ratio = (other) => median(times.nodegrub.map((ms, i) => ms / times[other][i]));
  const result = {
    id: row.id,
    title: row.title,
    bytes,
    ms: Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)])),
    best: Object.fromEntries(Object.entries(times).map(([name, list]) => [name, Math.min(...list)])),
    ratios: Object.fromEntries(
      Object.keys(times)
        .filter((n) => n !== 'nodegrub')
        .map((n) => [n, ratio(n)]),
    ),
    floorToPygrub: median(times['node copy'].map((ms, i) => ms / times.pygrub[i])),
    used,
    missed: [],
  };
  const mine = used.nodegrub;
  if (row.target && result.ratios.pygrub > row.target)
    result.missed.push(`ratio ${result.ratios.pygrub.toFixed(2)} > ${row.target}`);
  if (row.extraBytes && mine.bytes > bytes + row.extraBytes)
    result.missed.push(`${mine.bytes - bytes} bytes beside the payload`);
  if (row.calls && mine.calls > row.calls) result.missed.push(`${mine.calls} read calls > ${row.calls}`);
  if (row.memory && mine.memory > row.memory)
    result.missed.push(`${mine.memory.toFixed(0)} MiB > ${row.memory}`);
  for (const path of [...payload, ...peerPayload]) rmSync(path, { force: true });
  return { ...result, target: row.target ?? null };
}

/** Milliseconds that a boot takes more without `-q`, where the guest's time-out of 0 says that no menu is shown. */
function withoutQuiet() {
  const disk = join(work, 'timeout0.img');
  const image = readFileSync(join(root, 'fixtures/images/example.img'));
  for (let at = image.indexOf('timeout=5'); at >= 0; at = image.indexOf('timeout=5'))
    image.write('timeout=0', at);
  writeFileSync(disk, image);
  const dir = join(work, 'out');
  const more = [];
  for (let round = -1; round < ROUNDS; round++) {
    const [quiet, loud] = [true, false].map((isQuiet) => {
      prepare(dir);
      const [command] = bootloader(NODEGRUB, disk, dir);
      return timed([command.filter((word) => isQuiet || word !== '-q')], 'timeout=0');
    });
    if (round >= 0) more.push(loud - quiet);
  }
  return median(more);
}

/** The first row's boot with `--runas`, in the strict sandbox, against real pygrub's with it. */
function runasToPygrub() {
  const dir = join(work, 'out');
  const ratios = [];
  for (let round = -2; round < 2 * ROUNDS; round++) {
    const [mine, peer] = [NODEGRUB, PYGRUB].map((program) => {
      prepare(dir);
      return timed(bootloader(program, ROWS[0].disk, dir, '--runas=65534'), `${program} --runas`);
    });
    if (round >= 0) ratios.push(mine / peer);
  }
  return median(ratios);
}

/** How much longer the first row's boot takes in the ordinary mode than with nothing given up. */
function basicToOff() {
  const dir = join(work, 'out');
  const times = { off: [], basic: [] };
  for (let round = -2; round < 2 * ROUNDS; round++)
    for (const [mode, list] of Object.entries(times)) {
      prepare(dir);
      const ms = timed(bootloader(NODEGRUB, ROWS[0].disk, dir, `--sandbox=${mode}`), `--sandbox=${mode}`);
      if (round >= 0) list.push(ms);
    }
  return median(times.basic.map((ms, i) => ms / times.off[i]));
}

// ---- the report

const about = machine(['xen-utils-4.17', 'grub-common'], options.out, ROUNDS);
const date = new Date().toISOString().slice(0, 10);
const results = [];
for (const row of ROWS) {
  process.stderr.write(`bench: ${row.id}\n`);
  results.push(measure(row));
}

process.stderr.write('bench: menu\n');
const menu = withoutQuiet();

process.stderr.write('bench: --sandbox=basic\n');
const basic = basicToOff();

process.stderr.write('bench: --runas\n');
const runas = runasToPygrub();

const n = (value, digits = 0) => value.toFixed(digits);
const mb = (value) => (value / 1e6).toFixed(value < 1e7 ? 1 : 0);
const table = [
  [
    'disk',
    'payload',
    'nodegrub',
    'pygrub',
    '**/ pygrub**',
    'target',
    '',
    '/ grub-fstest',
    '/ cp',
    'Node start + copy / pygrub',
    'memory (pygrub)',
    'read (pygrub)',
    'calls (pygrub)',
  ],
  ...results.map((r) => [
    r.title,
    `${mb(r.bytes)} MB`,
    `${n(r.ms.nodegrub)} ms`,
    `${n(r.ms.pygrub)} ms`,
    `**${n(r.ratios.pygrub, 2)}**`,
    r.target === null ? '' : `≤ ${r.target}`,
    r.target === null && r.missed.length === 0
      ? ''
      : r.missed.length === 0
        ? 'pass'
        : `MISSED: ${r.missed.join('; ')}`,
    n(r.ratios['grub-fstest'], 2),
    n(r.ratios.cp, 2),
    n(r.floorToPygrub, 2),
    `${n(r.used.nodegrub.memory)} MiB (${n(r.used.pygrub.memory)})`,
    `${mb(r.used.nodegrub.bytes)} MB (${mb(r.used.pygrub.bytes)})`,
    `${r.used.nodegrub.calls} (${r.used.pygrub.calls})`,
  ]),
];
const floor = results.map((r) => r.ms['node -e 0']);
console.log(`Measured ${date}: ${about.join('; ')}.`);
console.log(`Bare Node (\`node -e 0\`) starts in ${n(median(floor))} ms there.\n`);
console.log(markdown(table));
console.log(
  `\nWithout \`-q\`, on a guest with \`timeout=0\`: ${n(menu, 1)} ms more (at most 5${menu > 5 ? ': MISSED' : ''}).`,
);
console.log(
  `\n\`--sandbox=basic\` / \`--sandbox=off\`, ${ROWS[0].title}: ${n(basic, 2)} (at most 1.15${basic > 1.15 ? ': MISSED' : ''}).`,
);
console.log(
  `\nWith \`--runas\` (strict sandbox) / pygrub \`--runas\`, ${ROWS[0].title}: ${n(runas, 2)} (at most 0.75${runas > 0.75 ? ': MISSED' : ''}).`,
);
if (options.json)
  writeFileSync(
    options.json,
    `${JSON.stringify({ date, machine: about, rounds: ROUNDS, results, menu, basic, runas }, null, 2)}\n`,
  );
process.exitCode =
  menu > 5 || basic > 1.15 || runas > 0.75 || results.some((r) => r.missed.length > 0) ? 1 : 0;
