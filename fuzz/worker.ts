/**
 * A process that runs rounds. Before each it writes the round's number into a file, so that whoever started it knows what
 * it was doing when it no longer answers.
 */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { hooks } from './hooks';
import { Random } from './random';
import type { Target } from './target';
import { fileSystemTargets, tableTargets } from './targets/filesystems';
import { formatTargets } from './targets/formats';
import { kernelTargets } from './targets/kernels';
import { nbdTargets } from './targets/nbd';
import { packedTargets } from './targets/packed';
import { policyTargets } from './targets/policy';
import { InsideTarget, ProcessTarget, programSamples } from './targets/program';
import { textTargets } from './targets/texts';
import { volumeTargets } from './targets/volumes';

/** CPU time of one execution, milliseconds; the whole program may take ten seconds (SECURITY.md). */
const LIMIT_MS = { parser: 1000, program: 10_000 };
/** Growth of what is held at once, bytes. */
const LIMIT_HELD = { parser: 64 * 1024 ** 2, program: 256 * 1024 ** 2 };

export interface Order {
  readonly target: string;
  readonly seed: string;
  readonly from: number;
  /** Run until then (milliseconds), or so many rounds. */
  readonly ms: number;
  readonly rounds: number;
  /** Where findings go. */
  readonly out: string;
}

export interface Finding {
  readonly target: string;
  readonly round: number;
  readonly kind: 'crash' | 'hang' | 'memory' | 'contract';
  readonly text: string;
  readonly file?: string;
}

export interface Report {
  readonly target: string;
  readonly from: number;
  readonly to: number;
  readonly accepted: number;
  readonly slowest: number;
  readonly slowestRound: number;
  /** Bytes: the most that one execution was seen to ask for. */
  readonly largest: number;
  readonly largestRound: number;
  readonly ms: number;
  readonly findings: readonly Finding[];
  /** SHA-256, hexadecimal, of the input's files: of a single round. */
  readonly input?: string;
}

const root = process.env.NODEGRUB_FUZZ_ROOT!;
// `main` inside this process counts its time and memory since its start: here one execution's are measured.
process.env.NODEGRUB_MAX_CPU_SECONDS = '1000000';
process.env.NODEGRUB_MAX_MEMORY = '1000G';
const targets = new Map<string, Target>();
/**
 * By kind, with the share of the time that one of them gets: a driver's round costs a millisecond and a driver has most of
 * the code; a table's costs a fiftieth, and a twentieth of the time is more than enough rounds for it.
 */
const lists: readonly (readonly [group: string, share: number, list: () => readonly Target[]])[] = [
  ['drivers', 4, () => fileSystemTargets(root)],
  ['tables', 0.2, () => tableTargets()],
  ['volumes', 1, () => volumeTargets(root)],
  ['image formats', 0.5, () => formatTargets(root)],
  ['files', 0.3, () => kernelTargets(root)],
  ['configurations', 1, () => textTargets(root)],
  ['policies and the sandbox', 0.4, () => policyTargets(root)],
  ['decompressors', 0.4, () => packedTargets(root)],
  ['NBD', 0.1, () => nbdTargets()],
  [
    'the whole program',
    1,
    () => [new InsideTarget(root, programSamples(root)), new ProcessTarget(root, programSamples(root))],
  ],
];
const known: { name: string; kind: string; group: string; weight: number }[] = [];
for (const [group, share, list] of lists)
  for (const target of list()) {
    targets.set(target.name, target);
    known.push({ name: target.name, kind: target.kind, group, weight: target.weight * share });
  }

const status = process.env.NODEGRUB_FUZZ_STATUS;
const statusFd = status === undefined ? -1 : openSync(status, 'w');
const statusBytes = Buffer.alloc(16);

/** Bytes that were asked for as buffers in this round. */
let asked = 0;
/** In a round that is run again: the most that was held at once. */
let watch: { base: number; most: number; next: number } | undefined;
const gc = (globalThis as { gc?: () => void }).gc;

function held(): number {
  gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes of the heap and of buffers outside it, with what is garbage already. */
function allocated(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function count(bytes: number): void {
  asked += bytes;
  if (watch && asked >= watch.next) {
    watch.next = asked + 4 * 1024 ** 2;
    const watched = watch;
    watched.most = Math.max(watched.most, held() - watched.base);
  }
}

const counted = Buffer as unknown as Record<string, (size: number, ...rest: unknown[]) => Buffer>;
for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) {
  const original = counted[name]!;
  counted[name] = (size, ...rest) => {
    count(size > 0 ? size : 0);
    return original.call(Buffer, size, ...rest);
  };
}

async function once(target: Target, input: unknown): Promise<{ accepted: boolean; error?: unknown }> {
  try {
    const result = target.run(input);
    return { accepted: typeof result === 'boolean' ? result : await result };
  } catch (error) {
    return { accepted: false, error };
  }
}

const textOf = (error: unknown): string => String((error as Error)?.stack ?? error);
/** Where an error came from: what makes two findings one. */
export function placeOf(error: unknown): string {
  const lines = textOf(error).split('\n');
  const message = lines[0]!.replace(/0x[0-9a-f]+|-?\d+/g, 'N').slice(0, 100);
  return `${message} ${lines.find((l) => /^\s+at /.test(l))?.trim() ?? ''}`;
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** An input that shows the same, made of fewer changes. */
async function minimised(target: Target, input: unknown, place: string): Promise<unknown> {
  let best = input;
  const until = Date.now() + 5000;
  for (let again = true; again && Date.now() < until; ) {
    again = false;
    for (const next of target.smaller(best)) {
      if (Date.now() > until) break;
      const { error } = await once(target, next);
      if (error === undefined || placeOf(error) !== place) continue;
      best = next;
      again = true;
      break;
    }
  }
  return best;
}

function save(
  order: Order,
  target: Target,
  round: number,
  kind: string,
  text: string,
  input: unknown,
): string {
  const name = `${target.name}-${kind}-${round}`;
  mkdirSync(order.out, { recursive: true });
  for (const [ending, bytes] of Object.entries(target.files(input)))
    writeFileSync(join(order.out, name + ending), bytes);
  writeFileSync(
    join(order.out, `${name}.txt`),
    `${kind}\nnpm run fuzz -- --replay ${order.seed}:${target.name}:${round}\n\n${text}\n`,
  );
  return join(order.out, name);
}

function digestOf(files: Record<string, Buffer | string>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(files).sort()) hash.update(`${name}\0`).update(files[name]!);
  return hash.digest('hex');
}

async function work(order: Order): Promise<Report> {
  const target = targets.get(order.target)!;
  if (target instanceof InsideTarget || target instanceof ProcessTarget) await target.loadAll();
  const findings: Finding[] = [];
  const seen = new Set<string>();
  let accepted = 0;
  let slowest = 0;
  let slowestRound = order.from;
  let largest = 0;
  let largestRound = order.from;
  const begun = performance.now();
  let round = order.from;
  let digest: string | undefined;
  const last = order.from + order.rounds;
  const limit = LIMIT_MS[target.kind];
  const mostHeld = LIMIT_HELD[target.kind];
  for (; round < last && performance.now() - begun < order.ms; round++) {
    // Loading the image is not the round's.
    const input = target.make(new Random(`${order.seed}:${target.name}:${round}`));
    if (statusFd >= 0) {
      statusBytes.writeDoubleLE(round, 0);
      statusBytes.writeDoubleLE(accepted, 8);
      writeSync(statusFd, statusBytes, 0, 16, 0);
    }
    if (order.rounds === 1) digest = digestOf(target.files(input));
    asked = 0;
    const had = allocated();
    const from = performance.now();
    const { accepted: good, error } = await once(target, input);
    let took = performance.now() - from;
    if (good) accepted++;
    // Arrays, maps and strings are not asked for by name: what they left, if nothing was collected meanwhile.
    const grown = Math.max(asked, allocated() - had);
    if (grown > largest) {
      largest = grown;
      largestRound = round;
    }
    if (took > slowest && took > 50) {
      // Somebody else's work may have been in between: the second time, CPU time counts.
      const start = cpu();
      await once(target, input);
      took = Math.min(took, cpu() - start);
      if (took > limit) {
        const text = `${Math.round(took)} ms of CPU, at most ${limit}`;
        findings.push({
          target: target.name,
          round,
          kind: 'hang',
          text,
          file: save(order, target, round, 'hang', text, input),
        });
      }
    }
    if (took > slowest) {
      slowest = took;
      slowestRound = round;
    }
    if (grown > mostHeld) {
      const base = held();
      watch = { base, most: 0, next: 0 };
      asked = 0;
      let steps = 0;
      hooks.step = (n) => {
        steps += n;
        if (steps < 5_000) return;
        steps = 0;
        watch!.next = 0;
        count(0);
      };
      await once(target, input);
      hooks.step = undefined;
      // Nothing was collected since the last look: what one large array took that no step and no buffer came after.
      const most = Math.max(watch.most, allocated() - base - (asked > mostHeld ? asked : 0));
      watch = undefined;
      if (most > mostHeld) {
        const text = `${Math.round(most / 1024 ** 2)} MB are held at once, at most ${mostHeld / 1024 ** 2}`;
        findings.push({
          target: target.name,
          round,
          kind: 'memory',
          text,
          file: save(order, target, round, 'memory', text, input),
        });
      }
    }
    if (error !== undefined) {
      const place = placeOf(error);
      if (!seen.has(place)) {
        seen.add(place);
        const kind = /^Error: contract/.test(textOf(error)) ? 'contract' : 'crash';
        const least = await minimised(target, input, place);
        const text = textOf(error);
        findings.push({
          target: target.name,
          round,
          kind,
          text,
          file: save(order, target, round, kind, text, least),
        });
      }
    }
  }
  return {
    target: target.name,
    from: order.from,
    to: round,
    accepted,
    slowest,
    slowestRound,
    largest,
    largestRound,
    ms: performance.now() - begun,
    findings,
    ...(digest !== undefined && { input: digest }),
  };
}

process.on('message', (order: Order | 'list' | 'end') => {
  if (order === 'end') {
    if (statusFd >= 0) closeSync(statusFd);
    process.exit(0);
  }
  if (order === 'list') {
    process.send!(known);
    return;
  }
  work(order).then(
    (report) => void process.send!(report),
    (error) => {
      console.error(error);
      process.exit(70);
    },
  );
});
process.on('disconnect', () => process.exit(0));
