/**
 * What booting over NBD costs: the Debian disk of the benchmark behind nbdkit, through a proxy that makes each of the server's bytes later
 * by 0, 10 and 50 ms and counts what is asked (nbd-proxy.mjs), beside `qemu-img convert` of as many bytes (kernel and ramdisk as one file,
 * behind the same server and proxy). Side by side in one run, hot cache.
 *
 *   node bench/nbd.mjs [--rounds N] [--report FILE] [--out DIR]
 *
 * Targets: at most 25 dependent trips and 150 requests, payload in requests of 1 MiB of which 8 are under way; at most 0.1 s + trips × latency +
 * 1.3 × convert. Exit status 1 when one is missed, 2 when a program failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  bootloader,
  built,
  env,
  evenly,
  fail,
  here,
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
    report: { type: 'string' },
    out: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : '/tmp' },
  },
});
const ROUNDS = Number(options.rounds);
const LATENCIES = [0, 10, 50];

const work = workFolder(options.out);
const dir = join(work, 'out');
const disk = evenly(built('debian12.sh'));
const facts = JSON.parse(readFileSync(join(disk, '..', 'disk.json'), 'utf8'));

const children = [];
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
async function serving(path, ...command) {
  const child = spawn(command[0], command.slice(1), { env, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  for (let tries = 0; !existsSync(path); tries++) {
    if (tries === 200) fail(`${command.join(' ')} does not serve`);
    await new Promise((done) => setTimeout(done, 25));
  }
  return child;
}
const nbdkit = async (name, file) => {
  const path = join(work, name);
  await serving(path, 'nbdkit', '-f', '-r', '-U', path, 'file', file);
  return path;
};

// The payload alone, as the raw disk gives it.
prepare(dir);
timed(bootloader(NODEGRUB, disk, dir), 'the raw disk');
const raw = parseResult(`${dir}.result`);
const payload = join(work, 'payload.img');
if (
  spawnSync('sh', [
    '-c',
    `cat '${raw.kernel}' '${raw.ramdisk}' >'${payload}'; truncate -s %4096 '${payload}'`,
  ]).status !== 0
)
  fail('cannot make the payload');
const bytes = statSync(payload).size;
const servers = { mine: await nbdkit('disk.sock', disk), convert: await nbdkit('payload.sock', payload) };

let missed = 0;
const n = (value, digits = 0) => value.toFixed(digits);
const table = [
  [
    'latency',
    'nodegrub',
    'trips',
    'requests',
    '≥ 1 MiB',
    'under way',
    'qemu-img convert',
    'its trips',
    'its requests',
    '**may take**',
    '',
  ],
];
for (const latency of LATENCIES) {
  process.stderr.write(`bench: ${latency} ms\n`);
  const paths = {};
  const proxies = {};
  for (const who of ['mine', 'convert']) {
    paths[who] = join(work, `${who}-${latency}.sock`);
    proxies[who] = await serving(
      paths[who],
      'node',
      join(here, 'nbd-proxy.mjs'),
      paths[who],
      servers[who],
      String(latency),
    );
    proxies[who].told = '';
    proxies[who].stdout.on('data', (text) => {
      proxies[who].told += text;
    });
  }
  const flat = join(dir, 'flat');
  const runs = {
    mine: bootloader(NODEGRUB, `nbd+unix:///?socket=${paths.mine}`, dir),
    convert: [
      ['qemu-img', 'convert', '-f', 'raw', '-O', 'raw', `nbd+unix:///?socket=${paths.convert}`, flat],
    ],
  };
  const times = { mine: [], convert: [] };
  for (let round = -1; round < ROUNDS; round++)
    for (const [who, commands] of Object.entries(runs)) {
      prepare(dir);
      const ms = timed(commands, `${who} at ${latency} ms`);
      // What is fast must also be right.
      if (round < 0 && who === 'mine') {
        const { kernel, ramdisk } = parseResult(`${dir}.result`);
        if (sha256(kernel) !== facts.kernel.sha256 || sha256(ramdisk) !== facts.ramdisk.sha256)
          fail('wrong bytes');
      }
      if (round < 0 && who === 'convert' && sha256(flat) !== sha256(payload)) fail('convert: wrong bytes');
      if (round >= 0) times[who].push(ms);
    }
  const counted = {};
  for (const who of ['mine', 'convert']) {
    const ended = new Promise((done) => proxies[who].on('close', done));
    proxies[who].kill('SIGTERM');
    await ended;
    counted[who] = JSON.parse(proxies[who].told.trim().split('\n').at(-1));
    rmSync(paths[who], { force: true });
  }
  const { trips, reads, long, most } = counted.mine;
  const mine = median(times.mine);
  const convert = median(times.convert);
  const allowed = 100 + trips * latency + 1.3 * convert;
  // Without latency there is nothing that the sum would allow for.
  const wanted = latency > 0;
  const good = trips <= 25 && reads <= 150 && most >= 8 && mine <= allowed;
  if (wanted && !good) missed++;
  table.push([
    `${latency} ms`,
    `${n(mine)} ms`,
    String(trips),
    String(reads),
    String(long),
    String(most),
    `${n(convert)} ms`,
    String(counted.convert.trips),
    `${counted.convert.reads} + ${counted.convert.other}`,
    `${n(allowed)} ms`,
    wanted ? (good ? 'pass' : 'MISSED') : '',
  ]);
}
const load = loadavg()[0];
const about = machine(['nbdkit', 'qemu-utils'], options.out, ROUNDS);
const report = `# Booting over NBD

\`node bench/nbd.mjs\` (as root, on Debian): the unattended boot of the Debian 12 disk (${n(bytes / 1e6)} MB of kernel and ramdisk), the whole program
from start to end, from nbdkit by a Unix socket through a proxy that makes each of the server's bytes later by the latency; and
\`qemu-img convert\` of the same ${n(bytes / 1e6)} MB, as one file behind the same server and proxy. Side by side in one run, hot cache.

*Trips* are counted by the proxy: how often the client said something while nothing was under way, the three of the handshake among them; so much it
could not know earlier. *Under way*: the most reads at a time. qemu-img's further requests ask for block status. It *may take* 0.1 s + trips × latency + 1.3 ×
convert; at most 25 trips and 150 requests, payload in requests of 1 MiB with 8 or more under way. The first row, without latency, is for comparison: it has no target.

Measured ${new Date().toISOString().slice(0, 10)}: ${about.join('; ')}; load average ${n(load, 1)} (what is above the number of cores is other work).

${markdown(table)}
`;
console.log(report);
if (options.report) writeFileSync(options.report, report);
for (const child of children) child.kill('SIGTERM');
process.exitCode = missed > 0 ? 1 : 0;
