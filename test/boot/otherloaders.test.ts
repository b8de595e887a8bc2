/**
 * The disks of fixtures/recipes/{lilo,elilo,yaboot,kboot,solaris,netware,bsd,foreign,guess}.sh through the whole program, and the
 * hostile samples of otherloaders-malformed.sh. Where an expected answer is from stands in each recipe.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dialects as first } from '../../lib/boot';
import { dialects as further } from '../../lib/boot/further';
import { Bootloader } from '../../lib/bootloader';
import { GuestError } from '../../lib/bytes/errors';
import { cpuMs, image, ROOT, source } from '../support';
import { evaluate } from './dialect';
import { bzImage } from './images';
import type { MemoryTree } from './memfs';

const NAMES = ['lilo', 'elilo', 'yaboot', 'kboot', 'solaris', 'netware', 'bsd', 'guess'];

function loader(name: string, guess = true): { loader: Bootloader; said: string[] } {
  const said: string[] = [];
  const disks = [source(`${name}.img`)];
  return { loader: new Bootloader({ disks, quiet: true, guess, say: (line) => void said.push(line) }), said };
}

const expected = (name: string) =>
  JSON.parse(readFileSync(join(ROOT, 'fixtures/images', `${name}.expected.json`), 'utf8'));

for (const name of NAMES)
  t.test(`the disk of ${name}`, async (t) => {
    const { loader: run, said } = loader(name);
    const decision = run.decide(undefined);
    t.ok(decision, run.diagnostics.map((d) => d.text).join('\n'));
    const { kernel, initrds, args } = decision!.target;
    const initrd = initrds.map(({ file }) => file.path).join(' ');
    t.same({ kernel: kernel?.path, initrd, args }, expected(name));
    const listing = loader(name).loader.list();
    t.equal(listing?.dialect.name, name);
    t.equal(listing?.entries[listing.default!]?.target.args, args, 'listed as its default');
    if (name === 'guess') {
      t.match(said.join('\n'), /no boot configuration/);
      t.same(
        listing?.entries.map(({ target }) => target.kernel?.path),
        ['6.1.0-18-cloud-amd64', '6.1.0-18-amd64', '6.1.0-9-amd64', '5.10.0-30-amd64'].map(
          (v) => `/boot/vmlinuz-${v}`,
        ),
        'as sort -rV has them',
      );
      t.equal(loader(name, false).loader.decide(undefined), undefined, '--no-guess');
    }
  });

t.test('a board', async (t) => {
  const { loader: run } = loader('foreign');
  t.equal(run.decide(undefined), undefined);
  t.match(run.diagnostics.map((d) => d.text).join('\n'), expected('foreign').problem);
});

/** Where a sample lies in a guest; what else is there. */
const PLACES: Record<string, { path: string; tree: (content: Buffer) => MemoryTree }> = {
  lilo: { path: '/etc/lilo.conf', tree: (text) => ({ vmlinuz: bzImage('x'), etc: { 'lilo.conf': text } }) },
  elilo: { path: '/elilo.conf', tree: (text) => ({ vmlinuz: bzImage('x'), 'elilo.conf': text }) },
  yaboot: { path: '/yaboot.conf', tree: (text) => ({ vmlinuz: bzImage('x'), 'yaboot.conf': text }) },
  kboot: { path: '/kboot.conf', tree: (text) => ({ vmlinuz: bzImage('x'), 'kboot.conf': text }) },
  bsd: { path: '/netbsd', tree: (netbsd) => ({ netbsd }) },
  foreign: { path: '/boot.scr', tree: (script) => ({ 'boot.scr': script }) },
  solaris: {
    path: '/platform/i86xpv/kernel/unix',
    tree: (unix) => ({ platform: { i86xpv: { kernel: { unix } }, i86pc: {} } }),
  },
  netware: { path: '/nwserver/xnloader.sys', tree: (loader) => ({ nwserver: { 'xnloader.sys': loader } }) },
};
const PROBLEMS: Record<string, RegExp> = {
  corrupt: /beyond|ELF|header/,
  unsupported: /big-endian|not run here/,
  'not-found': /not found|empty file/,
  unusable: /empty file/,
  limit: /at most 20000/,
};

t.test('hostile samples', async (t) => {
  const samples = readdirSync(join(ROOT, 'fixtures/malformed')).filter((f) => f.split('-')[0]! in PLACES);
  t.ok(samples.length > 20);
  for (const sample of samples) {
    const name = sample.replace(/\.gz$/, '');
    const [, kind, what] = /^([a-z]+)-(not-found|[a-z]+)-/.exec(name)! as unknown as [string, string, string];
    const { path, tree } = PLACES[kind]!;
    const dialect = [...first, ...further].find((d) => d.name === kind)!;
    const started = cpuMs();
    try {
      const { menu } = evaluate(dialect, path, tree(image(name, 'malformed')));
      const target = menu.entries[0]?.resolve();
      if (what === 'warned') {
        t.equal(target?.problem, null, `${name}: its first entry boots`);
        t.ok(menu.warnings.length > 0 && menu.warnings.length < 30, `${name}: a warning`);
      } else t.match(target?.problem, PROBLEMS[what]!, name);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      t.equal(error.code, what, name);
      t.match(error.message, PROBLEMS[what]!, name);
    }
    t.ok(cpuMs() - started < 3000, `${name}: in time`);
  }
});
