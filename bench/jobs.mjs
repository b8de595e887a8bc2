/**
 * Many disks: `nodegrub -l --jobs=2` beside real pygrub run in a loop (`pygrub -l` for one disk after the other, and by two of
 * `xargs -P 2`), on the same sparse disks of 10 GB (disks/jobs.sh). Listing only, on both sides; hot cache.
 *
 *   node bench/jobs.mjs [--disks=1000] [--folder=DIR] [--pygrub=N]  (N: on how many of them pygrub is timed; default all)
 *
 * Memory: all processes of the run, looked at every 5 ms: the sum of their resident sets (pages that they share are counted in each),
 * the largest one, and the sum of the proportional sets (Pss: a shared page is counted once).
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, fail, here, machine, markdown, NODEGRUB, root } from './common.mjs';

const PYGRUB = '/usr/lib/xen-4.17/bin/pygrub';
const option = (name, otherwise) =>
  process.argv.find((a) => a.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise;
const count = Number(option('disks', '1000'));
const most = Number(option('pygrub', String(count)));
const folder = option('folder', join(tmpdir(), `nodegrub-pool-${count}`));
const work = mkdtempSync(join(tmpdir(), 'nodegrub-jobs-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

if (!existsSync(PYGRUB)) fail('pygrub is not there: bash test/peers/install.sh');
if (!existsSync(join(folder, `disk-${String(count - 1).padStart(4, '0')}.img`))) {
  const made = spawnSync('bash', [join(here, 'disks/jobs.sh'), String(count), folder], { stdio: 'inherit' });
  if (made.status !== 0) fail('the disks could not be made');
}
const disks = readdirSync(folder)
  .filter((name) => name.endsWith('.img'))
  .sort()
  .slice(0, count)
  .map((name) => join(folder, name));
const listed = (n) => {
  const path = join(work, `list-${n}`);
  writeFileSync(
    path,
    disks
      .slice(0, n)
      .map((disk) => `${disk}\n`)
      .join(''),
  );
  return path;
};

/** `pid` and all that come from it. */
function tree(pid) {
  const found = [pid];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`))
      for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter(Boolean))
        found.push(...tree(Number(child)));
  } catch {}
  return found;
}

/** Runs a command. @returns seconds, processor seconds, MB of memory, and the most of descriptors */
function measured(command, status) {
  return new Promise((done) => {
    const began = process.hrtime.bigint();
    const child = spawn(
      'bash',
      ['-c', `TIMEFORMAT='%U %S'; time "$@" >${work}/out 2>${work}/err`, 'bash', ...command],
      { env, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const top = { sum: 0, largest: 0, pss: 0 };
    const timer = setInterval(() => {
      const now = { sum: 0, largest: 0, pss: 0 };
      for (const pid of tree(child.pid).slice(1)) {
        try {
          const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
          const of = (name) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)[1]) / 1000;
          now.sum += of('Rss');
          now.largest = Math.max(now.largest, of('Rss'));
          now.pss += of('Pss');
        } catch {}
      }
      for (const key of Object.keys(top)) top[key] = Math.max(top[key], now[key]);
    }, 5);
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += bytes;
    });
    child.on('close', (code) => {
      clearInterval(timer);
      if (code !== status)
        fail(`${command[0]}: status ${code}\n${readFileSync(join(work, 'err'), 'utf8').slice(-2000)}`);
      const cpu = said
        .trim()
        .split(/\s+/)
        .slice(-2)
        .reduce((a, b) => a + Number(b), 0);
      done({ seconds: Number(process.hrtime.bigint() - began) / 1e9, cpu, ...top });
    });
  });
}

// Whatever was read once lies in the page cache then, for both.
const warm = await measured(
  [NODEGRUB, '-l', '--jobs=2', '--output-format=json', `--disks-from=${listed(count)}`],
  1,
);
const results = readFileSync(join(work, 'out'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));
if (results.length !== count) fail(`${results.length} results of ${count} disks`);

const rows = [
  [
    'disks',
    'nodegrub, s',
    'disks/s',
    'CPU s',
    'resident, largest process, MB',
    'resident, sum, MB',
    'proportional, sum, MB',
  ],
];
const sizes = [1 / 8, 1 / 4, 1 / 2, 1].map((part) => Math.round(count * part));
const runs = [];
const loop = [];
const share = Math.floor(most / 4);
for (const [i, n] of sizes.entries()) {
  const run = await measured([NODEGRUB, '-l', '--jobs=2', `--disks-from=${listed(n)}`], 1);
  runs.push(run);
  rows.push([
    n,
    run.seconds.toFixed(2),
    (n / run.seconds).toFixed(0),
    run.cpu.toFixed(2),
    run.largest.toFixed(0),
    run.sum.toFixed(0),
    run.pss.toFixed(0),
  ]);
  // In between, so that what else the machine does befalls both.
  const some = disks.slice(i * share, (i + 1) * share);
  writeFileSync(join(work, 'some'), some.map((disk) => `${disk}\n`).join(''));
  loop.push({
    how: 'loop',
    n: some.length,
    ...(await measured(['bash', '-c', `while read -r disk; do ${PYGRUB} -l "$disk"; done <${work}/some`], 0)),
  });
  loop.push({
    how: 'two',
    n: some.length,
    ...(await measured(['bash', '-c', `xargs -P 2 -n 1 ${PYGRUB} -l <${work}/some`], 0)),
  });
}
const rate = (how) => {
  const all = loop.filter((run) => run.how === how);
  return all.reduce((sum, run) => sum + run.n, 0) / all.reduce((sum, run) => sum + run.seconds, 0);
};
const ours = runs.map((run, i) => sizes[i] / run.seconds);
const whole = ours.at(-1);
// The exponent of time against number, by least squares of the logarithms, the start of the program taken off.
const start = Math.min(...runs.map((run) => run.seconds)) / 4;
const xs = sizes.map(Math.log);
const ys = runs.map((run) => Math.log(run.seconds - Math.min(start, 0.3)));
const mean = (list) => list.reduce((a, b) => a + b) / list.length;
const exponent =
  xs.reduce((sum, x, i) => sum + (x - mean(xs)) * (ys[i] - mean(ys)), 0) /
  xs.reduce((sum, x) => sum + (x - mean(xs)) ** 2, 0);
const boots = results.filter((r) => r.ok).length;
console.log(`# ${count} disks: \`--jobs=2\` beside pygrub in a loop
\`node bench/jobs.mjs\`, measured ${new Date().toISOString().slice(0, 10)}: ${machine(['xen-utils-4.17'], root, 1).slice(0, 3).join('; ')}.
Sparse disks of 10 GB, GPT and ext4, ${results.reduce((sum, r) => sum + r.entries.length, 0)} entries in all; ${boots} boot, ${count - boots} do not; hot cache. The
programs took turns.

${markdown(rows)}

| | disks/s | nodegrub is |
|---|---|---|
| nodegrub \`-l --jobs=2\`, ${count} disks | ${whole.toFixed(0)} | |
| \`pygrub -l\` in a loop | ${rate('loop').toFixed(1)} | ${(whole / rate('loop')).toFixed(1)} times as fast |
| \`xargs -P 2 pygrub -l\` | ${rate('two').toFixed(1)} | ${(whole / rate('two')).toFixed(1)} times as fast |

Time grows as the ${exponent.toFixed(2)}th power of the number of disks. As JSON: ${(count / warm.seconds).toFixed(0)} disks/s, ${warm.pss.toFixed(0)} MB. Pages that the supervisor and its batch
share (the program text of Node, about 35 MB) are counted in each process's resident set, and once in the proportional one.`);
