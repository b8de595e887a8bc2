/** The program is killed, and its disk and outputs fail, at random moments. `MOMENTS=N` tries more, `SEED=N` others. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { generator } from '../boot/dialect';
import { ROOT, rounds } from '../support';
import { DISTURBANCES, Harness, writeDisk } from './kill';

const MOMENTS = Number(process.env.MOMENTS ?? rounds(72));
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-kill-'));
chmodSync(dir, 0o755);
t.teardown(() => rmSync(dir, { recursive: true, force: true }));

t.test(`${MOMENTS} moments`, async (t) => {
  const disk = join(dir, 'disk.img');
  writeDisk(disk);
  const random = generator(Number(process.env.SEED ?? 1));
  const harness = new Harness(dir, [join(ROOT, 'dist', 'nodegrub')], disk, random);
  await harness.measure();
  for (let i = 0; i < MOMENTS; i++) await harness.moment(DISTURBANCES[i % DISTURBANCES.length]!);
  const { whole, failed, late, problems } = harness.tally;
  t.comment(`${whole} whole, ${failed} failed, ${late} killed after the hand-over`);
  t.same(problems, []);
  t.ok(whole > 0 && failed > MOMENTS / 5, 'both ends are met');
  t.ok(late <= 1 + MOMENTS / 50, 'hardly any moment lies between the hand-over and the end');
});
