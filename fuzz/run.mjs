/**
 * The fuzzing harness: builds a copy of the parsers with hooks, runs it in processes that may die, counts and reports.
 * What it does and how to read it: README.md in this folder.
 */
import { fork } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { DEFECTS } from './defects.mjs';
import { BANNER, transforms } from './transforms.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    jobs: { type: 'string', default: String(Math.max(1, availableParallelism())) },
    rounds: { type: 'string' },
    'at-least': { type: 'string' },
    report: { type: 'string' },
    out: { type: 'string', default: '/tmp/nodegrub-fuzz' },
    replay: { type: 'string', multiple: true },
    profile: { type: 'string' },
    prove: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

/** Milliseconds of one order: short enough that all targets get their turn, long enough that images are loaded seldom. */
const SLICE = 2000;
/** CPU time after which a round that does not end is ended, milliseconds. */
const KILL = { parser: 6000, program: 90_000 };

const scratch = mkdtempSync(join(tmpdir(), 'nodegrub-fuzz-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** @returns path of the bundle */
async function bundle(name, defects = []) {
  const fakes = {
    name: 'fuzz-fakes',
    setup(b) {
      const fake = {
        'lib/source/file.ts': 'source-file',
        'lib/output/write.ts': 'output-write',
        'lib/sandbox/drop.ts': 'sandbox-drop',
        'lib/sandbox/janitor.ts': 'sandbox-janitor',
        'lib/sandbox/outputs.ts': 'sandbox-outputs',
      };
      for (const [file, to] of Object.entries(fake)) {
        if (!existsSync(join(root, file))) throw new Error(`fuzz: ${file} is gone`);
        b.onLoad({ filter: new RegExp(`/${file.replaceAll('.', '\\.')}$`) }, () => ({
          contents: `export * from ${JSON.stringify(join(root, 'fuzz/fakes', to))};`,
          loader: 'ts',
          resolveDir: root,
        }));
      }
    },
  };
  const outfile = join(scratch, `${name}.cjs`);
  await build({
    absWorkingDir: root,
    entryPoints: ['fuzz/worker.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: true,
    logLevel: 'error',
    banner: { js: BANNER },
    define: { __dirname: JSON.stringify(join(root, 'test')) },
    plugins: [fakes, transforms(root, defects)],
  });
  return outfile;
}

/** CPU time of a process, milliseconds. */
function cpuOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

/** A worker that is started again when it dies. */
class Job {
  constructor(file, number) {
    this.file = file;
    this.status = join(scratch, `status-${number}-${Math.random().toString(36).slice(2)}`);
  }

  start() {
    writeFileSync(this.status, Buffer.alloc(16));
    this.child = fork(this.file, [], {
      execArgv: [
        ...[
          '--expose-gc',
          '--enable-source-maps',
          '--max-old-space-size=3000',
          '--max-semi-space-size=32',
          '--stack-size=984',
        ],
        ...(options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]),
      ],
      env: {
        ...process.env,
        NODEGRUB_FUZZ_ROOT: root,
        NODEGRUB_FUZZ_STATUS: this.status,
        NODE_EXTRA_CA_CERTS: '',
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  ask(message) {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) this.start();
    const { child } = this;
    return new Promise((done, failed) => {
      const end = () => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        clearInterval(this.timer);
      };
      const onMessage = (answer) => {
        end();
        done(answer);
      };
      const onExit = (code, signal) => {
        end();
        failed(new Error(`the process ended with ${signal ?? code}`));
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(message);
    });
  }

  /** Round and accepted inputs so far of the order that runs. */
  at() {
    const bytes = Buffer.alloc(16);
    readSync(openOnce(this.status), bytes, 0, 16, 0);
    return { round: bytes.readDoubleLE(0), accepted: bytes.readDoubleLE(8) };
  }

  /** Runs an order; a round that kills or hangs the process is a finding, and the order ends there. */
  async run(order, kind) {
    let hung = false;
    let last = -1;
    let since = 0;
    writeFileSync(this.status, Buffer.alloc(16));
    const asked = this.ask(order);
    this.timer = setInterval(() => {
      const { round } = this.at();
      const cpu = cpuOf(this.child.pid);
      if (round !== last) {
        last = round;
        since = cpu;
      } else if (cpu - since > KILL[kind]) {
        hung = true;
        this.child.kill('SIGKILL');
      }
    }, 500);
    try {
      return await asked;
    } catch (error) {
      const { round, accepted } = this.at();
      const text = hung ? `no end after ${KILL[kind]} ms of CPU` : String(error.message);
      mkdirSync(order.out, { recursive: true });
      const name = join(order.out, `${order.target}-${hung ? 'hang' : 'died'}-${round}`);
      writeFileSync(
        `${name}.txt`,
        `${text}\nnpm run fuzz -- --replay ${order.seed}:${order.target}:${round}\n`,
      );
      return {
        target: order.target,
        from: order.from,
        to: Math.max(order.from, round) + 1,
        accepted,
        slowest: hung ? KILL[kind] : 0,
        slowestRound: round,
        largest: 0,
        largestRound: round,
        ms: SLICE,
        findings: [{ target: order.target, round, kind: hung ? 'hang' : 'died', text, file: name }],
      };
    }
  }

  end() {
    if (this.child?.connected) this.child.send('end');
  }
}

const opened = new Map();
function openOnce(path) {
  if (!opened.has(path)) opened.set(path, openSync(path, 'r'));
  return opened.get(path);
}

/**
 * @param {string} file the bundle
 * @param {{ ms: number, wanted?: string[], rounds?: number, atLeast?: number[], until?: (f: object) => boolean, seed: string, jobs: number, out: string }} how
 */
async function campaign(file, how) {
  const jobs = Array.from({ length: how.jobs }, (_, n) => new Job(file, n));
  const list = (await jobs[0].ask('list')).filter((t) => !how.wanted || how.wanted.includes(t.name));
  if (how.wanted && list.length < how.wanted.length)
    throw new Error(`unknown target; there are: ${(await jobs[0].ask('list')).map((t) => t.name).join(' ')}`);
  const totals = new Map(
    list.map((t) => [
      t.name,
      {
        ...t,
        next: 0,
        running: 0,
        spent: 0,
        executions: 0,
        accepted: 0,
        slowest: 0,
        largest: 0,
        findings: [],
      },
    ]),
  );
  const begun = Date.now();
  const places = new Set();
  let stop = false;
  const counts = () => {
    const of = (kind) =>
      [...totals.values()].filter((t) => t.kind === kind).reduce((n, t) => n + t.executions, 0);
    return [of('parser'), of('program')];
  };
  const enough = () => {
    if (stop) return true;
    if (how.rounds) return [...totals.values()].every((t) => t.next >= how.rounds);
    if (Date.now() - begun < how.ms) return false;
    const [parsers, programs] = counts();
    return !how.atLeast || (parsers >= how.atLeast[0] && programs >= how.atLeast[1]);
  };
  /** The target that has had the least of its share; rounds are handed out in blocks that never overlap. */
  const pick = () => {
    let best;
    const late = Date.now() - begun >= how.ms;
    const [parsers, programs] = counts();
    for (const t of totals.values()) {
      if (how.rounds && t.next >= how.rounds) continue;
      if (
        late &&
        how.atLeast &&
        (t.kind === 'parser' ? parsers >= how.atLeast[0] : programs >= how.atLeast[1])
      )
        continue;
      const share = (t.spent + t.running * SLICE) / t.weight;
      if (!best || share < best.share) best = { t, share };
    }
    return best?.t;
  };
  const BLOCK = 1_000_000;
  async function loop(job, number) {
    while (!enough()) {
      const t = pick();
      if (!t) return;
      // Jobs take rounds from ranges of their own, so that a seed and a number always mean the same input.
      const key = how.rounds ? 'next' : `next${number}`;
      t[key] ??= number * BLOCK * 100;
      const from = t[key];
      const rounds = how.rounds ? Math.min(how.rounds - from, how.rounds) : BLOCK;
      if (how.rounds) t.next = from + rounds;
      t.running++;
      const ms = how.rounds ? Number.MAX_SAFE_INTEGER : SLICE;
      const report = await job.run(
        { target: t.name, seed: how.seed, from, ms, rounds, out: how.out },
        t.kind,
      );
      t.running--;
      if (how.rounds) t.next = report.to < from + rounds ? report.to : t.next;
      else t[key] = report.to;
      t.spent += report.ms;
      t.executions += report.to - report.from;
      t.accepted += report.accepted;
      if (report.slowest > t.slowest) [t.slowest, t.slowestRound] = [report.slowest, report.slowestRound];
      if (report.largest > t.largest) [t.largest, t.largestRound] = [report.largest, report.largestRound];
      for (const finding of report.findings) {
        const place = `${finding.target} ${finding.kind} ${finding.kind === 'crash' || finding.kind === 'contract' ? finding.text.replace(/\d+/g, 'N').slice(0, 300) : ''}`;
        if (places.has(place)) continue;
        places.add(place);
        t.findings.push(finding);
        if (!options.quiet)
          console.log(
            `FINDING ${finding.kind} ${how.seed}:${finding.target}:${finding.round}: ${finding.text.split('\n').slice(0, 3).join(' | ')}`,
          );
        if (how.until?.(finding)) stop = true;
      }
    }
  }
  const ticker = options.quiet
    ? undefined
    : setInterval(() => {
        const [parsers, programs] = counts();
        const seconds = (Date.now() - begun) / 1000;
        console.log(
          `${Math.round(seconds)} s: ${parsers} of parsers (${Math.round(parsers / seconds)}/s), ${programs} of the program`,
        );
      }, 30_000);
  await Promise.all(jobs.map(loop));
  clearInterval(ticker);
  for (const job of jobs) job.end();
  return { totals: [...totals.values()], seconds: (Date.now() - begun) / 1000, counts: counts() };
}

const MB = (n) => (n / 1024 ** 2).toFixed(1);

function table(result, seed, command) {
  const rows = result.totals.map(
    (t) =>
      `| ${t.name} | ${t.executions} | ${t.executions ? ((100 * t.accepted) / t.executions).toFixed(0) : '-'} % | ${t.spent ? Math.round((1000 * t.executions) / t.spent) : '-'} | ${t.slowest.toFixed(0)} | ${MB(t.largest)} | ${t.findings.length} |`,
  );
  const [parsers, programs] = result.counts;
  const findings = result.totals.flatMap((t) => t.findings);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [
    '# The documented fuzzing run',
    '',
    `\`${command}\` on ${new Date().toISOString().slice(0, 10)}: nodegrub ${version}, Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${options.jobs} jobs, ${Math.round(totalmem() / 1024 ** 3)} GiB.`,
    `${Math.round(result.seconds)} s, seed ${seed}: **${parsers}** executions of parsers (${Math.round(parsers / result.seconds)} a second), **${programs}** of the whole program; **${findings.length}** findings.`,
    '',
    ...[...new Set(result.totals.map((t) => t.group))].map((group) => {
      const of = result.totals.filter((t) => t.group === group);
      const n = of.reduce((sum, t) => sum + t.executions, 0);
      return `- ${group} (${of.length}): ${n}, at least ${Math.min(...of.map((t) => t.executions))} each`;
    }),
    '',
    'Past: share of the inputs that get past the superblock check (opened; for a dialect: something in the menu; for a decompressor: bytes came out; for the program: it boots or lists).',
    'Asked for: the most memory that one execution asked for as buffers, in total; where that is over the limit it is run again and what is held at once is measured. What a round does and what counts as a finding: [fuzz/README.md](../fuzz/README.md).',
    '',
    '| target | executions | past | a second and job | slowest, ms | asked for, MB | findings |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    ...(findings.length > 0
      ? [
          'Findings:',
          '',
          ...findings.map(
            (f) =>
              `- ${f.kind} \`--replay ${seed}:${f.target}:${f.round}\`: ${f.text.split('\n')[0].slice(0, 200)}`,
          ),
          '',
        ]
      : []),
  ].join('\n');
}

if (options.prove) {
  let bad = 0;
  for (const defect of DEFECTS) {
    const file = await bundle(`defect-${defect.name}`, defect.changes);
    const start = Date.now();
    let found;
    await campaign(file, {
      ms: 5 * 60_000,
      wanted: defect.targets,
      seed: options.seed,
      jobs: Number(options.jobs),
      out: join(options.out, defect.name),
      until: (finding) => {
        found ??= finding;
        return true;
      },
    });
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    const right = found && defect.kinds.includes(found.kind);
    if (!right) bad++;
    console.log(
      found
        ? `${defect.what}: found in ${seconds} s as ${found.kind} (${options.seed}:${found.target}:${found.round}): ${found.text.split('\n')[0]}`
        : `${defect.what}: NOT FOUND in ${seconds} s`,
    );
  }
  process.exitCode = bad === 0 ? 0 : 1;
} else if (options.replay) {
  const job = new Job(await bundle('worker'), 0);
  const targets = await job.ask('list');
  let bad = 0;
  for (const name of options.replay) {
    const [, seed, target, round] = /^(.*):([^:]+):(\d+)$/.exec(name) ?? [];
    if (round === undefined) throw new Error('--replay SEED:TARGET:ROUND');
    const known = targets.find((t) => t.name === target);
    if (!known) throw new Error(`no target ${target}`);
    const out = join(options.out, 'replay');
    const report = await job.run({ target, seed, from: Number(round), ms: 1e9, rounds: 1, out }, known.kind);
    for (const f of report.findings) console.log(`${f.kind}: ${f.text}\n${f.file ?? ''}`);
    bad += report.findings.length;
    if (report.findings.length === 0)
      console.log(
        `nothing: ${report.accepted ? 'accepted' : 'refused'}, ${report.slowest.toFixed(1)} ms, ${MB(report.largest)} MB asked for, input ${report.input}`,
      );
  }
  job.end();
  process.exitCode = bad > 0 ? 1 : 0;
} else {
  const file = await bundle('worker');
  const result = await campaign(file, {
    ms: Number(options.minutes) * 60_000,
    wanted: options.target?.split(','),
    rounds: options.rounds === undefined ? undefined : Number(options.rounds),
    atLeast: options['at-least']?.split(',').map(Number),
    seed: options.seed,
    jobs: Number(options.jobs),
    out: options.out,
  });
  const command = `npm run fuzz -- ${process.argv.slice(2).join(' ')}`;
  const text = table(result, options.seed, command);
  if (options.report) writeFileSync(resolve(root, options.report), `${text.trimEnd()}\n`);
  if (!options.quiet || result.totals.some((t) => t.findings.length > 0)) console.log(text);
  process.exitCode = result.totals.some((t) => t.findings.length > 0) ? 1 : 0;
}
