/** The library as its users get it: out of the npm package, by require and import, compiled against by a strict TypeScript. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { EXAMPLE, library, work } from './library';

const project = join(work, 'project');
const installed = join(project, 'node_modules', 'nodegrub');
mkdirSync(installed, { recursive: true });
const put = (name: string, text: string) => writeFileSync(join(project, name), text);
const { titles } = JSON.parse(readFileSync(EXAMPLE.replace('.img', '.expected.json'), 'utf8'));

function must(program: string, ...words: readonly string[]): string {
  const r = spawnSync(program, words, { encoding: 'utf8', cwd: project });
  if (r.status !== 0) throw new Error(`${program} ${words.join(' ')}: ${r.status}\n${r.stdout}${r.stderr}`);
  return r.stdout;
}

t.before(() => {
  const packed = must(process.execPath, join(ROOT, 'scripts/package.mjs'), 'npm', `--out=${work}`).trim();
  must('tar', '-xzf', packed, '-C', installed, '--strip-components=1');
});

t.test('require and import', async (t) => {
  put(
    'a.cjs',
    `const { openDisk } = require('nodegrub');
     const disk = openDisk(process.argv[2]);
     console.log(disk.list().entries.map(({ title }) => title).join('|'));`,
  );
  put(
    'b.mjs',
    `import { openDisk, GuestError, LIMITS, printable, version } from 'nodegrub';
     import * as all from 'nodegrub';
     import { createRequire } from 'node:module';
     const require = createRequire(import.meta.url);
     if (require('nodegrub').GuestError !== GuestError) throw new Error('two of them');
     require('nodegrub/docs/list.schema.json');
     if (require('nodegrub/package.json').version !== version) throw new Error(version);
     const disk = openDisk(process.argv[2]);
     console.log(disk.list().entries.map(({ title }) => printable(title)).join('|'));
     console.log(Object.keys(all).filter((name) => !['default', 'module.exports', '__esModule'].includes(name)).sort().join());`,
  );
  t.equal(must('node', 'a.cjs', EXAMPLE), `${titles.join('|')}\n`);
  t.equal(
    must('node', 'b.mjs', EXAMPLE),
    `${titles.join('|')}\n${Object.keys(library).sort().join()}\n`,
    'all that there is has a name for import',
  );
});

const CONSUMER = `
import { openDisk, GuestError, LIMITS, printable, version, type Volume, type Inspection, type Limits } from 'nodegrub';

export function titles(path: string): string[] {
  using disk = openDisk(path, { format: 'raw', limits: { cpuSeconds: 2 }, onWarning: (line) => void line.length });
  const { boot, reasons }: { boot: { kernel: string } | null; reasons: readonly string[] } = disk.decide({ entry: 0 });
  const volumes: readonly Volume[] = disk.volumes;
  const report: Inspection = disk.inspect();
  const limits: Readonly<Limits> = LIMITS;
  for (const chunk of volumes[0]?.filesystem()?.chunks('/etc/os-release') ?? []) chunk.byteLength.toFixed(limits.memory);
  return [boot?.kernel ?? reasons[0] ?? '', report.image, printable(version), ...disk.list().entries.map((e) => e.title)];
}

export async function copy(path: string): Promise<string | null> {
  const disk = openDisk([path, { size: 512, read: (at: number, into: Uint8Array) => void into.fill(at) }]);
  try {
    const unlocked: readonly string[] = await disk.unlock(['x', new Uint8Array(2)]);
    return (await disk.extract('/tmp', { check: 'pvh', decompress: true })).ramdisk ?? unlocked.join();
  } catch (error) {
    if (error instanceof GuestError) return error.code === 'io' ? error.describe() : error.where.join();
    throw error;
  }
}
`;

const WRONG = `
import { openDisk } from 'nodegrub';
const disk = openDisk('x', { ofset: 1 });
disk.list().entries.push();
disk.volumes[0].filesystem().stat(1);
disk.volume('hd0').name;
`;

t.test('a strict consumer compiles, and a wrong one does not', async (t) => {
  put('package.json', '{ "type": "module" }');
  put('consumer.mts', CONSUMER);
  put('consumer.cts', CONSUMER);
  put('wrong.mts', WRONG);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const strict = [
    '--strict',
    '--noEmit',
    '--noUncheckedIndexedAccess',
    '--exactOptionalPropertyTypes',
    '--typeRoots',
    'none',
  ];
  const check = (...words: readonly string[]) =>
    spawnSync(process.execPath, [tsc, ...strict, '--skipLibCheck', 'false', ...words], {
      encoding: 'utf8',
      cwd: project,
    });
  // Without Node's types: the declarations need none.
  for (const words of [
    ['--target', 'es2022', '--lib', 'es2022', '--module', 'node16', 'consumer.mts', 'consumer.cts'],
    ['--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', 'consumer.mts'],
  ]) {
    const r = check(...words);
    t.equal(r.status, 0, `${words}: ${r.stdout}`);
  }
  const wrong = check('--target', 'es2022', '--module', 'node16', '--lib', 'es2022', 'wrong.mts');
  for (const line of [3, 4, 5, 6]) t.match(wrong.stdout, new RegExp(`^wrong\\.mts\\(${line},`, 'm'));
});
