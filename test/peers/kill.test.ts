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

const FULL: Disturbance = {
  name: 'a full filesystem',
  prepare({ out }, random) {
    must('mount', '-t', 'tmpfs', '-o', `size=${4096 + random(SIZE * 1.2)}`, 'nodegrub-full', out);
    return { undo: () => void must('umount', out) };
  },
};

/**
 * A loop device reads past its file's end with EIO (drivers/block/loop.c), as a device does that has gone. Where the file ends inside
 * a block, it gives zeros for the rest of a read and says nothing: no reader could tell. So it ends at a page's end.
 */
const place = (random: (n: number) => number) => Math.floor(random(SIZE) / 4096) * 4096;
const GONE: Disturbance = {
  name: 'a device that fails',
  prepare({ out, disk }, random) {
    const file = `${out}.img`;
    must('cp', disk, file);
    const device = must('losetup', '-r', '-f', '--show', file).trim();
    // Half of them fail from the start on, for what comes behind some place.
    if (random(2) === 0) truncateSync(file, place(random));
    must('blockdev', '--flushbufs', device);
    return {
      disk: device,
      undo() {
        must('losetup', '-d', device);
        rmSync(file);
      },
    };
  },
  act: (_, device, random) =>
    truncateSync(must('losetup', '-n', '-O', 'BACK-FILE', device).trim(), place(random)),
};

const isRoot = process.getuid?.() === 0;
const loops = noLoop();
const further = [...(isRoot ? [FULL] : []), ...(loops === undefined ? [GONE] : [])];

t.test('what the further disturbances need', { skip: loops ?? false }, async (t) => {
  t.equal(further.length, 2);
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

for (const [i, [mode, program, options]] of modes.entries()) {
  const moments = Math.ceil(MOMENTS / modes.length);
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
    const all = [
      ...DISTURBANCES,
      ...further,
      ...(options === strict || mode === 'strict' ? [parserKilled] : []),
    ];
    for (let n = 0; n < moments; n++) await harness.moment(all[n % all.length]!);
    const { whole, failed, late, problems } = harness.tally;
    t.comment(`${whole} whole, ${failed} failed, ${late} killed after the hand-over`);
    t.same(problems, []);
    t.ok(whole > 0 && failed > moments / 5, 'both ends are met');
    t.ok(late <= 1 + moments / 50, 'hardly any moment lies between the hand-over and the end');
  });
}
