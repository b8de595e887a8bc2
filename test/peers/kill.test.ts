/**
 * Issue 6's line: killed at 200 random moments, in every mode that this program has, a full disk and failing devices among what
 * happens. `MOMENTS=N` tries more, `SEED=N` others.
 */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generator } from '../boot/dialect';
import {
  DISTURBANCES,
  type Disturbance,
  Harness,
  KERNEL,
  MODES,
  parserKilled,
  RAMDISK,
  writeDisk,
} from '../hostile/kill';
import { ROOT } from '../support';
import { must, noLoop, run, scratch } from './support';

const MOMENTS = Number(process.env.MOMENTS ?? 200);
const PROGRAM = process.env.NODEGRUB ?? join(ROOT, 'dist', 'nodegrub');
const SIZE = KERNEL.length + RAMDISK.length;
const dir = scratch(t);
const disk = join(dir, 'disk.img');
writeDisk(disk);

/** A filesystem that has room for less than the kernel, or for the kernel and less than the ramdisk: always too little. */
const full = (what: string, from: number, to: number): Disturbance => ({
  name: `a filesystem that is full ${what}`,
  fatal: true,
  prepare({ out }, random) {
    const size = from + random(to - from);
    must('mount', '-t', 'tmpfs', '-o', `size=${size},nr_inodes=16`, 'nodegrub-full', out);
    return { undo: () => void must('umount', out) };
  },
});
const FULL = [
  full('before the kernel is whole', 4096, KERNEL.length - 8192),
  full('before the ramdisk is whole', KERNEL.length + 8192, SIZE - 16384),
];

/**
 * A loop device reads past its file's end with EIO (drivers/block/loop.c), as a device does that has gone. Where the file ends inside
 * a block, it gives zeros for the rest of a read and says nothing: no reader could tell. So it ends at a page's end.
 */
const place = (random: (n: number) => number) => Math.floor(random(SIZE) / 4096) * 4096;
const gone = (earlier: boolean): Disturbance => ({
  name: earlier ? 'a device that has gone from some place on' : 'a device that goes meanwhile',
  fatal: earlier,
  prepare({ out, disk }, random) {
    const file = `${out}.img`;
    must('cp', disk, file);
    const device = must('losetup', '-r', '-f', '--show', file).trim();
    if (earlier) truncateSync(file, place(random));
    must('blockdev', '--flushbufs', device);
    return {
      disk: device,
      undo() {
        must('losetup', '-d', device);
        rmSync(file);
      },
    };
  },
  ...(earlier
    ? {}
    : {
        act: (_: unknown, device: string, random: (n: number) => number) =>
          truncateSync(must('losetup', '-n', '-O', 'BACK-FILE', device).trim(), place(random)),
      }),
});
const GONE = [gone(true), gone(false)];

const isRoot = process.getuid?.() === 0;
const loops = noLoop();
const further = [...(isRoot ? FULL : []), ...(loops === undefined ? GONE : [])];

t.test('what the further disturbances need', { skip: loops ?? false }, async (t) => {
  t.equal(further.length, 4);
});

/**
 * The ways to the strict mode, by what the machine lacks: a script that starts the program where bwrap, or user namespaces, are not to
 * be seen. It becomes the program (`exec`), which keeps its process id.
 */
function lacking(name: string, hide: string): string {
  const script = join(dir, name);
  const inner = `${hide}; program=$1; shift; exec "$program" "$@"`;
  writeFileSync(
    script,
    `#!/bin/sh\nexec unshare -m --propagation private sh -c '${inner}' sh '${PROGRAM}' "$@"\n`,
    { mode: 0o755 },
  );
  return script;
}
writeFileSync(join(dir, 'zero'), '0\n');
const strict = ['--sandbox=strict', '--runas=65534'];
const WAYS: readonly (readonly [string, string, readonly string[]])[] = isRoot
  ? [
      [
        'bwrap without user namespaces',
        lacking('root', `mount --bind ${dir}/zero /proc/sys/user/max_user_namespaces`),
        strict,
      ],
      ['unshare', lacking('tools', 'mount --bind /dev/null "$(command -v bwrap)"'), strict],
    ]
  : [];
const runs = [...MODES.map(([mode, options]) => [mode, PROGRAM, options] as const), ...WAYS];

const modes = runs.filter(([mode, program, options]) => {
  const made = mode === 'off' || mode === 'basic' || run(program, ['-qn', ...options, disk]).status === 0;
  if (!made) t.test(mode, { skip: 'this machine has no way to this sandbox' }, async () => {});
  return made;
});

/** Each happens so often in each mode. */
const EACH = 3;

for (const [i, [mode, program, options]] of modes.entries()) {
  const all = [
    ...DISTURBANCES,
    ...further,
    ...(options === strict || mode === 'strict' ? [parserKilled] : []),
  ];
  const moments = Math.max(Math.ceil(MOMENTS / modes.length), EACH * all.length);
  t.test(`${mode}: ${moments} moments`, async (t) => {
    const folder = join(dir, mode);
    mkdirSync(folder);
    const harness = new Harness(
      folder,
      [program, ...options],
      disk,
      generator(Number(process.env.SEED ?? 1) + i),
    );
    await harness.measure();
    for (let n = 0; n < moments; n++) await harness.moment(all[n % all.length]!);
    const { whole, failed, late, problems } = harness.tally;
    t.comment(`${mode}: ${whole} whole, ${failed} failed, ${late} killed after the hand-over`);
    for (const { name, fatal, harmless } of all) {
      const ends = harness.ends.get(name);
      t.comment(
        `  ${name}: ${ends?.whole} whole, ${ends?.failed} failed, ${ends?.late} late, ${ends?.wrong} wrong`,
      );
      const times = ends ? ends.whole + ends.failed + ends.late + ends.wrong : 0;
      t.ok(times >= EACH, `${name}: ${times} times`);
      if (fatal) t.equal(ends?.failed, times, `${name}: a status that is not zero, each time`);
      if (harmless) t.equal(ends?.whole, times, `${name}: whole, each time`);
    }
    t.same(problems, []);
    t.ok(whole > 0 && failed > moments / 5, 'both ends are met');
    t.ok(late <= 1 + moments / 50, 'hardly any moment lies between the hand-over and the end');
  });
}
