/**
 * Guests under a real Xen and xl, in emulation. Started by run.sh, which says with variables what is wanted; not a part of
 * `npm test`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Job, outcome, run } from './machine';
import { inWords, report } from './report';
import { LOADERS, type Outcome, type Scenario, scenarios } from './scenarios';

const { env } = process;
const cache = env.NODEGRUB_XEN_CACHE!;
const only = new RegExp(env.NODEGRUB_XEN_ONLY || '.');
const seconds = Number(env.NODEGRUB_XEN_LIMIT);

// nodegrub's first: a machine whose time is over has then done what is asserted
const jobs: Job[] = LOADERS.flatMap((loader) =>
  scenarios
    .filter((scenario) => (scenario.loaders ?? LOADERS).includes(loader))
    .map((scenario) => ({ scenario, loader, name: `${scenario.name}-${loader}` })),
);
const chosen = jobs
  .filter((job) => only.test(job.name))
  .map((job, i) => ({ ...job, name: `${String(i).padStart(2, '0')}-${job.name}` }));

/** What is asserted of nodegrub. */
/** What an xl that is killed leaves: its domain, and the folder and the file that libxl made for its bootloader. */
const OF_XL = /^(domain \S+|file \S+\/bootloader\.\d+\.(d|out))$/;

function judge(t: Test, { want, type, disk, steps = [] }: Scenario, o: Outcome): void {
  const shown = { outcome: JSON.stringify({ ...o, log: o.log.slice(-2000), xl: o.xl.slice(-2000) }) };
  if ('boots' in want) {
    t.equal(o.state, 'up', 'the guest comes up', shown);
    t.match(o.args, want.boots, 'with its arguments', shown);
    t.equal(o.type, type.toUpperCase(), 'as its type');
    t.equal(o.disk, 'disk-of-the-guest', 'with its disk');
    t.equal(o.status, 0, 'xl says yes');
    if (want.log) t.match(o.log, want.log, "what the bootloader's log says");
    if (want.xl) t.match(o.xl, want.xl, 'what xl passed');
  } else if ('fails' in want) {
    t.equal(o.state, 'failed', 'xl says no', shown);
    t.ok(o.readyMs < 60_000, `in ${o.readyMs} ms`);
    t.match(o.log, want.fails, 'with the reason', shown);
    t.equal(o.log.split('RuntimeError: ').length, 2, 'which stands there once');
  } else {
    t.not(o.state, 'up', 'no guest comes up', shown);
    t.not(o.state, 'hung', 'nothing waits', shown);
  }
  t.equal(o.steps, steps.length, 'every step was done', shown);
  const left = o.left.split('\n').filter((line) => !('domain' in want && OF_XL.test(line)));
  t.equal(left.join('\n'), '', `nothing is left of it (disk: ${disk ?? 'guest'})`, shown);
}

t.test('under a real Xen', async (t) => {
  const work = mkdtempSync(join(env.NODEGRUB_XEN_WORK!, 'run-'));
  t.teardown(() => {
    if (env.NODEGRUB_XEN_KEEP) t.comment(`kept: ${work}`);
    else rmSync(work, { recursive: true, force: true });
  });
  const results = await run(cache, work, chosen, seconds, (line) => console.error(line));
  const found = new Map<string, Outcome | undefined>();
  for (const { name, scenario, loader } of chosen) {
    const guests = scenario.copies
      ? Array.from({ length: scenario.copies }, (_, i) => `${name}.${i + 1}`)
      : [name];
    for (const guest of guests) {
      const o = outcome(join(results, guest));
      // of several guests the worst one is reported
      const worst = found.get(name);
      if (
        !found.has(name) ||
        !o ||
        (worst && worst.state === 'up' && (o.state !== 'up' || o.readyMs > worst.readyMs))
      )
        found.set(name, o);
      const title = `${guest.slice(3)}: ${scenario.what}`;
      if (loader === 'nodegrub') {
        await t.test(title, async (t) => {
          t.comment(
            `wanted: ${JSON.stringify(scenario.want, (_, v) => (v instanceof RegExp ? String(v) : v))}`,
          );
          t.comment(`came: ${inWords(o)}`);
          t.ok(o, 'the machine came so far');
          if (o) judge(t, scenario, o);
        });
      } else if (loader === 'pvgrub' && 'fails' in scenario.want) {
        await t.test(title, async (t) => {
          t.comment(`claimed: xl says yes, and the domain stays at grub>; came: ${inWords(o)}`);
          t.match({ state: o?.state, status: o?.status }, { state: 'hung', status: 0 });
        });
      } else t.comment(`${title}: ${inWords(o)}`);
    }
  }
  if (env.NODEGRUB_XEN_REPORT) {
    const rows = scenarios.map((scenario) => ({
      scenario,
      outcomes: new Map(
        chosen
          .filter((job) => job.scenario === scenario)
          .map((job) => [job.loader, found.get(job.name)] as const),
      ),
    }));
    const facts = {
      date: new Date().toISOString().slice(0, 10),
      nodegrub: readFileSync(join(results, 'nodegrub-version'), 'utf8').trim(),
      versions: readFileSync(join(cache, 'versions'), 'utf8'),
    };
    writeFileSync(env.NODEGRUB_XEN_REPORT, report(facts, rows));
  }
});
