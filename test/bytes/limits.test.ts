/** Each row of lib/bytes/limits.ts is met by a test, and what is said names it; the environment changes those that may change. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { drivers } from '../../fsdrivers';
import { grub2 } from '../../lib/boot/grub2/dialect';
import { Budget, type Context, type Kind } from '../../lib/bytes/budget';
import { GuestError } from '../../lib/bytes/errors';
import { LIMITS, type LimitName, type Limits } from '../../lib/bytes/limits';
import { variable } from '../../lib/bytes/over';
import { FIXED, limitsFrom } from '../../lib/cli/environment';
import { UsageError } from '../../lib/cli/getopt';
import { ChunkWriter, copyFile } from '../../lib/extract/copy';
import { walk } from '../../lib/fs/walk';
import { FileSource, openDisk } from '../../lib/source/file';
import { openReferences } from '../../lib/source/references';
import { readTable } from '../../lib/volume';
import { openVolume } from '../../lib/volume/luks/luks';
import { link, MemoryFs, type MemoryTree, memoryGuest } from '../boot/memfs';
import { formatted } from '../output/formatted';
import { ROOT, source, type TestContext } from '../support';
import { fixtureSets, guestOf, membersOf } from '../volume/sets';
import { layouts, SparseSource } from '../volume/sparse';

interface Noted extends Context {
  readonly said: string[];
}

function context(changed: Partial<Limits>): Noted {
  const said: string[] = [];
  return { budget: new Budget({ ...LIMITS, ...changed }, 'the test'), said, warn: (m) => void said.push(m) };
}

/** What a GRUB configuration with these limits says, its entries resolved. */
function grub(config: string, changed: Partial<Limits>, files: MemoryTree = {}): string {
  const ctx = context(changed);
  const fs = new MemoryFs({ boot: { grub: { 'grub.cfg': config, ...files } } });
  const guest = memoryGuest(ctx, [fs]);
  const at = {
    volume: guest.device('hd0')!,
    path: '/boot/grub/grub.cfg',
    fs,
    node: walk(fs, '/boot/grub/grub.cfg'),
  };
  try {
    const menu = grub2.evaluate(at, { ...ctx, guest, quiet: true });
    const problems = menu.entries.map((entry) => entry.resolve().problem ?? '');
    return [...ctx.said, ...menu.warnings, menu.console, ...problems].join('\n');
  } catch (error) {
    return `${ctx.said.join('\n')}\n${(error as Error).message}`;
  }
}

/** What `act` says: the error's text and all warnings. */
async function said(changed: Partial<Limits>, act: (ctx: Noted) => unknown): Promise<string> {
  const ctx = context(changed);
  try {
    await act(ctx);
    return ctx.said.join('\n');
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return `${ctx.said.join('\n')}\n${error.code === 'limit' ? '' : `${error.code}: `}${error.describe()}`;
  }
}

/** The first table of somebody else's with at least so many partitions. */
const table = (scheme: string, least: number) => (ctx: Context) => {
  for (const layout of layouts().values()) {
    const { expected } = layout;
    if (!expected || expected === 'corrupt' || expected.scheme !== scheme) continue;
    if (expected.partitions.some((partition) => partition.number >= least))
      return readTable(SparseSource.from(layout), ctx);
  }
  throw new Error('no such table');
};
const spend = (kind: Kind, act: (budget: Budget) => void) => (ctx: Context) =>
  act(kind === 'run' ? ctx.budget : ctx.budget.child(kind, 'a part'));
const forever = (ctx: Context) => {
  for (;;) ctx.budget.step();
};

/** What opening the files says that a VMDK with these lines names; `image` is a further one. */
function referring(changed: Partial<Limits>, lines: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'nodegrub-limits-'));
  const path = (name: string) => join(folder, name);
  for (const name of ['one', 'two']) writeFileSync(path(name), Buffer.alloc(512));
  const write = (name: string, by: string[]) =>
    writeFileSync(path(name), ['# Disk DescriptorFile', 'CID=1', ...by, ''].join('\n'));
  write('top', lines);
  write('image', ['parentCID=2', 'parentFileNameHint="one"']);
  const top = openDisk(path('top'));
  return said(changed, () =>
    openReferences(path('top'), top, 'vmdk', FileSource, { ...LIMITS, ...changed }),
  ).finally(() => {
    top.close();
    rmSync(folder, { recursive: true });
  });
}

/** Row → what is said when it is met. */
const MET: Partial<Record<LimitName, () => string | Promise<string>>> = {
  cpuSeconds: () => said({ cpuSeconds: 0.001 }, forever),
  memory: () => said({ memory: 1024 * 1024 }, forever),
  silentSeconds: () =>
    said({ silentSeconds: 0.01 }, async ({ budget }) => {
      budget.progress(false);
      // A process of less than a second is not looked at.
      await new Promise((done) => setTimeout(done, Math.max(30, 1100 - process.uptime() * 1000)));
      budget.progress(false);
    }),
  keyMemory: () =>
    said({ keyMemory: 1024 }, (ctx) => openVolume(source('luks-2.img'), [Buffer.from('passphrase')], ctx)),
  keyWork: () =>
    said({ keyWork: 1000 }, (ctx) => openVolume(source('luks-1.img'), [Buffer.from('passphrase')], ctx)),
  runSteps: () =>
    said(
      { runSteps: 10 },
      spend('run', (b) => b.step(11)),
    ),
  runBytesRead: () =>
    said(
      { runBytesRead: 10 },
      spend('run', (b) => b.read(11)),
    ),
  runBytesAllocated: () =>
    said(
      { runBytesAllocated: 10 },
      spend('run', (b) => b.allocate(11)),
    ),
  evaluationSteps: () => grub('while true; do true; done', { evaluationSteps: 1000 }),
  evaluationBytesRead: () =>
    said(
      { evaluationBytesRead: 10 },
      spend('evaluation', (b) => b.read(11)),
    ),
  evaluationBytesAllocated: () =>
    grub('set a=aaaaaaaa\nwhile true; do set a=$a$a; done', { evaluationBytesAllocated: 10_000 }),
  entrySteps: () => grub('menuentry a { while true; do true; done }', { entrySteps: 1000 }),
  entryBytesRead: () =>
    said(
      { entryBytesRead: 10 },
      spend('entry', (b) => b.read(11)),
    ),
  entryBytesAllocated: () =>
    grub('menuentry a { set a=aaaaaaaa; while true; do set a=$a$a; done }', { entryBytesAllocated: 10_000 }),
  includeDepth: () => grub('source /boot/grub/grub.cfg', { includeDepth: 3 }),
  configBytes: () => grub('source /boot/grub/more', { configBytes: 40 }, { more: ' '.repeat(50) }),
  smallFileBytes: () => grub('load_env -f /boot/grub/env', { smallFileBytes: 40 }, { env: '#'.repeat(50) }),
  payloadBytes: () =>
    said({ payloadBytes: 40 }, (ctx) => {
      const fs = new MemoryFs({ vmlinuz: 'k'.repeat(50) });
      return copyFile(fs, walk(fs, '/vmlinuz'), new ChunkWriter(openSync('/dev/null', 'w'), 'nothing'), ctx);
    }),
  partitions: () => said({ partitions: 1 }, table('gpt', 2)),
  logicalVolumes: () =>
    said({ logicalVolumes: 1 }, (ctx) => {
      const set = fixtureSets('lvm').sets.find((s) => s.name === 'lvm-older')!;
      guestOf(membersOf(set), ctx as unknown as TestContext).assemble();
    }),
  logicalPartitions: () => said({ logicalPartitions: 1 }, table('msdos', 6)),
  menuEntries: () => grub('menuentry a { true }\nmenuentry b { true }', { menuEntries: 1 }),
  directoryEntries: () =>
    said({ directoryEntries: 1 }, (ctx) => {
      const driver = [...drivers()].find((d) => d.name === 'ext')!;
      const fs = driver.load().open([source('ext-bigalloc.img')], ctx, { others: () => [] });
      return [...fs.readdir(fs.root)];
    }),
  imageDepth: () => referring({ imageDepth: 1 }, ['parentCID=2', 'parentFileNameHint="image"']),
  imageFiles: () => referring({ imageFiles: 1 }, ['RW 1 FLAT "one"', 'RW 1 FLAT "two"']),
};

/** Through env(1): tap would put hooks of its own into a child of Node's. */
const program = (env: Record<string, string>, ...args: string[]) => {
  const own = [`PATH=${process.env.PATH}`, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const files = [join(ROOT, 'dist/nodegrub.js'), ...args, join(ROOT, 'fixtures/images/example.img')];
  const run = spawnSync('env', ['-i', ...own, 'node', ...files], { encoding: 'utf8' });
  return { status: run.status, said: run.stderr, result: run.stdout };
};

/** Facts of Linux and libxl, which nothing changes. */
const FACTS: Record<string, [() => string | Promise<string>, RegExp]> = {
  symlinks: [
    () =>
      said({}, () => {
        const fs = new MemoryFs({ a: link('b'), b: link('a') });
        return walk(fs, '/a');
      }),
    /more than 40 symbolic links/,
  ],
  pathBytes: [
    () => said({}, () => walk(new MemoryFs({}), `/${'a/'.repeat(2100)}`)),
    /path of 4201 bytes, maximum 4096/,
  ],
  outputItem: [
    () =>
      said({}, () =>
        formatted({ kernel: '/k', ramdisk: undefined, args: 'a'.repeat(8192), entry: '' }, 'simple0'),
      ),
    /8191/,
  ],
  guestCommandLine: [() => program({}, '-q', '-n', `--args=${'a'.repeat(1100)}`).said, /are cut after 1023/],
};

t.test('every limit that may be changed is met, and names its variable', async (t) => {
  t.same([...Object.keys(MET), ...FIXED].sort(), Object.keys(LIMITS).sort(), 'all rows of the table');
  for (const [name, act] of Object.entries(MET)) {
    const text = await act();
    t.ok(text.includes(variable(name as LimitName)), `${name}: ${text.slice(0, 300)}`);
  }
});

t.test('those that are facts are met', async (t) => {
  for (const [name, [act, expected]] of Object.entries(FACTS)) t.match(await act(), expected, name);
});

t.test('none of them is met by what is sound', async (t) => {
  t.equal(grub('set a=b\nmenuentry a { linux /boot/grub/grub.cfg }', {}).includes('NODEGRUB_MAX'), false);
  t.match(program({}, '-q', '-n', '--output-format=simple'), { status: 0, said: '' });
});

t.test('the environment', async (t) => {
  t.equal(limitsFrom({ NODEGRUB_MAX_MENU_ENTRIES: '3' }).menuEntries, 3);
  t.equal(limitsFrom({ NODEGRUB_MAX_MEMORY: '2G' }).memory, 2 * 1024 ** 3);
  t.equal(limitsFrom({ PYGRUB_MAX_FILE_SIZE_MB: '5' }).payloadBytes, 5 * 1024 ** 2);
  t.equal(limitsFrom({ PYGRUB_MAX_RAM_USAGE_MB: '512' }).memory, 512 * 1024 ** 2);
  t.same(limitsFrom({ PYGRUB_MAX_FILE_SIZE_MB: '', HOME: '/' }), LIMITS, 'set to nothing is not set');
  for (const bad of ['', '0', '-1', '1.5', 'many', '1e3', '99999999999999999999', '2T'])
    t.throws(() => limitsFrom({ NODEGRUB_MAX_MENU_ENTRIES: bad }), UsageError, bad);
  for (const name of ['NODEGRUB_MAX_MENU_ENTRY', ...FIXED.map(variable)])
    t.throws(() => limitsFrom({ [name]: '1' }), UsageError, name);
  t.throws(() => limitsFrom({ NODEGRUB_MAX_INCLUDE_DEPTH: '101' }), UsageError, 'V8 has only so much stack');
});

t.test('the program takes them', async (t) => {
  const small = program({ NODEGRUB_MAX_MENU_ENTRIES: '1' }, '-l', '--output-format=json');
  t.equal(small.status, 0);
  t.match(small.said, /NODEGRUB_MAX_MENU_ENTRIES/);
  t.equal(JSON.parse(small.result).entries.length, 1);
  const tiny = program({ NODEGRUB_MAX_CONFIG_BYTES: '10' }, '-q', '-n', '--no-guess');
  t.equal(tiny.status, 1);
  t.match(tiny.said, /RuntimeError: .*at most 10 \(NODEGRUB_MAX_CONFIG_BYTES\)/);
  const wrong = program({ NODEGRUB_MAX_CONFIG_BYTES: 'ten' }, '-q', '-n');
  t.equal(wrong.status, 1);
  t.equal(wrong.result, '');
  t.match(wrong.said, /NODEGRUB_MAX_CONFIG_BYTES=ten: a whole number/);
});

t.test('memory that is given back does not count', async (t) => {
  const { budget } = context({ memory: process.memoryUsage.rss() + 100 * 1024 ** 2 });
  for (let i = 0; i < 400; i++) {
    budget.allocate(4 * 1024 ** 2);
    Buffer.alloc(4 * 1024 ** 2);
  }
  t.pass('1.6 GB one after the other');
});

t.test('the manual names each with its value', async (t) => {
  const manual = readFileSync(join(ROOT, 'docs/nodegrub.8'), 'utf8');
  const told = [...manual.matchAll(/^\.BR (NODEGRUB_MAX_\w+) " \(" (\d+) \)$/gm)].map(([, name, value]) => [
    name,
    Number(value),
  ]);
  const changeable = (Object.keys(LIMITS) as LimitName[]).filter((name) => !FIXED.includes(name));
  t.same(
    told,
    changeable.map((name) => [variable(name), LIMITS[name]]),
  );
});
