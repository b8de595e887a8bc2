/** The whole program: `main()` over a disk in memory, and the built one as a process of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { main } from '../../lib/cli/main';
import { Disk, type Image, loadImage } from '../disk';
import { host } from '../fakes/state';
import { type Mutation, Mutator } from '../mutate';
import type { Random } from '../random';
import { Recorder, type Survey } from '../survey';
import type { Target } from '../target';

interface ProgramCase {
  readonly sample: number;
  readonly mutation: Mutation;
  readonly options: readonly string[];
}

const DIRECTORY = '/nodegrub-fuzz';
const OPTIONS: readonly (readonly string[])[] = [
  ['-q', '--output-format=simple'],
  ['-q', '--output-format=simple0'],
  ['-q'],
  ['-l'],
  ['-l', '--output-format=json'],
  ['-q', '-n'],
  ['-q', '--entry=1'],
  ['-q', '--args=console=hvc0', '--output-format=simple'],
  ['-q', '--kernel=/vmlinuz', '--ramdisk=/initrd.img'],
  ['-q', '--no-guess', '--output-format=simple'],
];

/** What CONTRACT.md owes the toolstack. @throws Error, the finding */
export function checkContract(
  status: number | null,
  stdout: Buffer,
  stderr: Buffer,
  options: readonly string[],
): void {
  const said = stderr.toString('latin1');
  const wrong = (what: string): never => {
    throw new Error(`contract: ${what}; status ${status}, stderr ${JSON.stringify(said.slice(-600))}`);
  };
  if (status !== 0 && status !== 1) wrong('a status that is neither 0 nor 1');
  if (said.includes('an error of its own')) wrong('an error of its own');
  // In UTF-8 the byte 0x9b may be a letter's second one.
  const text = stderr.toString();
  if (/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(text) || !Buffer.from(text).equals(stderr))
    wrong('control characters in stderr');
  const errors = said.split('RuntimeError: ').length - 1;
  const lines = said.split('\n').filter((line) => line !== '');
  if (status === 0) {
    if (errors !== 0) wrong('RuntimeError after success');
    // A configuration without entries has an empty list, which is no failure.
    if (stdout.length === 0 && !options.includes('-l')) wrong('status 0 and nothing on stdout');
    if (!options.includes('-l') && !options.includes('-n')) {
      const text = stdout.toString('latin1');
      if (!/^(kernel \/|linux \(kernel '\/|linux \(kernel "\/)/.test(text))
        wrong(`an odd result ${JSON.stringify(text.slice(0, 200))}`);
    }
  } else {
    if (errors !== 1 || !lines[lines.length - 1]!.startsWith('RuntimeError: '))
      wrong('not one RuntimeError in the last line');
    if (stdout.length > 0 && !options.includes('--output-format=json')) wrong('output after a failure');
  }
  if (options.includes('--output-format=json') && stdout.length > 0) JSON.parse(stdout.toString('utf8'));
}

abstract class ProgramBase implements Target<ProgramCase> {
  readonly kind = 'program';
  readonly weight: number = 3;
  readonly #loaded = new Map<number, { disk: Disk; survey: Survey }>();
  abstract readonly name: string;

  constructor(
    readonly root: string,
    readonly samples: readonly string[],
  ) {
    if (host.files.length === 0) {
      const place = join('/dev/shm', `nodegrub-fuzz-${process.pid}`);
      for (const n of [0, 1]) {
        const path = `${place}-${n}`;
        const fd = openSync(path, 'w+');
        // Nothing is left however this process ends.
        rmSync(path);
        host.files.push({ path: `${DIRECTORY}/boot_${n === 0 ? 'kernel' : 'ramdisk'}.aaaaaaaa`, fd });
      }
    }
  }

  make(random: Random): ProgramCase {
    const sample = random.below(this.samples.length);
    const loaded = this.#loaded.get(sample);
    if (!loaded) throw new Error('not loaded');
    const made = new Mutator(random, loaded.survey, loaded.disk, 0.3).make();
    return { sample, mutation: { ...made, unpacked: [], sums: false }, options: random.pick(OPTIONS) };
  }

  /** All images, before the first round: `main` cannot be surveyed synchronously. */
  async loadAll(): Promise<void> {
    for (let i = 0; i < this.samples.length; i++) await this.load(i);
  }

  async load(sample: number): Promise<{ disk: Disk; survey: Survey }> {
    const known = this.#loaded.get(sample);
    if (known) return known;
    const image: Image = loadImage(this.root, this.samples[sample]!);
    const disk = new Disk(image, 'disk');
    const recorder = new Recorder();
    recorder.start();
    disk.onRead = recorder.read;
    try {
      await inside(disk, ['-l', '--output-format=json']);
      recorder.path = 0;
      await inside(disk, ['-q', '--output-format=simple']);
    } finally {
      recorder.stop();
      disk.onRead = undefined;
    }
    const loaded = { disk, survey: recorder.result([]) };
    this.#loaded.set(sample, loaded);
    return loaded;
  }

  disk(sample: number): Disk {
    return this.#loaded.get(sample)!.disk;
  }

  abstract run(input: ProgramCase): boolean | Promise<boolean>;

  *smaller({ sample, mutation, options }: ProgramCase): Generator<ProgramCase> {
    const { writes } = mutation;
    for (let i = 0; i < writes.length; i++)
      yield { sample, options, mutation: { ...mutation, writes: writes.filter((_, n) => n !== i) } };
    for (const [i, { at, bytes }] of writes.entries()) {
      if (bytes.length < 2) continue;
      const half = bytes.length >> 1;
      for (const part of [
        { at, bytes: bytes.subarray(0, half) },
        { at: at + half, bytes: bytes.subarray(half) },
      ])
        yield {
          sample,
          options,
          mutation: { ...mutation, writes: writes.map((w, n) => (n === i ? part : w)) },
        };
    }
  }

  files({ sample, mutation, options }: ProgramCase): Record<string, Buffer | string> {
    const disk = this.disk(sample);
    disk.apply(mutation);
    const gz = gzipSync(disk.whole(), { level: 9 });
    disk.reset();
    const changes = mutation.writes.map((w) => [w.at, w.bytes.toString('hex')]);
    return {
      '.img.gz': gz,
      '.json': `${JSON.stringify({ image: this.samples[sample], options, size: mutation.size, insert: mutation.insert, changes }, null, 2)}\n`,
    };
  }
}

/** Runs `main` over the disk. */
async function inside(disk: Disk, options: readonly string[]): Promise<number> {
  host.disk = disk;
  host.stdout = [];
  host.stderr = [];
  host.kept = undefined;
  const place = options.includes('-l') || options.includes('-n') ? [] : [`--output-directory=${DIRECTORY}`];
  return main([...options, ...place, '/disk'], 'nodegrub');
}

export class InsideTarget extends ProgramBase {
  readonly name = 'program';

  async run({ sample, mutation, options }: ProgramCase): Promise<boolean> {
    const disk = this.disk(sample);
    disk.apply(mutation);
    try {
      const status = await inside(disk, options);
      checkContract(status, Buffer.concat(host.stdout), Buffer.concat(host.stderr), options);
      const boots = host.kept !== undefined;
      if (boots && (status === 0) !== (host.kept !== 'nothing'))
        throw new Error(`contract: status ${status} and ${host.kept} of the files is kept`);
      return status === 0;
    } finally {
      disk.reset();
    }
  }
}

export class ProcessTarget extends ProgramBase {
  readonly name = 'process';
  override readonly weight = 8;
  #folder: string | undefined;

  run({ sample, mutation, options }: ProgramCase): boolean {
    const disk = this.disk(sample);
    if (!this.#folder) {
      const folder = join('/dev/shm', `nodegrub-fuzz-${process.pid}`);
      this.#folder = folder;
      mkdirSync(join(folder, 'out'), { recursive: true });
      process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    }
    const out = join(this.#folder, 'out');
    const image = join(this.#folder, 'disk.img');
    disk.apply(mutation);
    try {
      writeFileSync(image, disk.whole());
    } finally {
      disk.reset();
    }
    const boots = !options.includes('-l') && !options.includes('-n');
    const args = [...options, ...(boots ? [`--output-directory=${out}`] : []), image];
    const child = spawnSync(process.execPath, [join(this.root, 'dist/nodegrub.js'), ...args], {
      timeout: 60_000,
      env: {},
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 26,
    });
    let left = readdirSync(out);
    try {
      if (child.error) throw new Error(`contract: the process did not end: ${child.error.message}`);
      checkContract(child.status, child.stdout, child.stderr, options);
      // The janitor goes a moment after a success with both files; what is named must be there, and nothing else.
      const named =
        boots && child.status === 0
          ? (child.stdout.toString('latin1').match(/boot_(kernel|ramdisk)\.\w{8}/g) ?? [])
          : [];
      for (let wait = 0; wait < 50 && left.length !== named.length; wait++) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
        left = readdirSync(out);
      }
      if (left.sort().join() !== [...named].sort().join())
        throw new Error(`contract: files ${left.join(' ')} are left, ${named.join(' ')} are named`);
    } finally {
      for (const name of readdirSync(out)) rmSync(join(out, name));
    }
    return child.status === 0;
  }
}

/** Disks that the whole program boots, the dialects' first. */
export function programSamples(root: string): string[] {
  return readdirSync(join(root, 'fixtures/images'))
    .filter((n) =>
      /^(bls|bsd|elilo|example|foreign|guess|kboot|lilo|netware|solaris|yaboot|syslinux|grublegacy|sdboot|grub2-commands|iso9660-hybrid-gpt|ext-ext4|fat-12|squashfs-gzip|erofs-lz4|udf-vat20|romfs-plain)\.img(\.gz)?$/.test(
        n,
      ),
    )
    .map((n) => `fixtures/images/${n}`);
}
