/**
 * dist/make-cache.js: makes the code cache (launcher.ts) for the Node that runs it. To be run once, by the build and after
 * an installation, by whoever may write in its folder. A child boots the small disks beside it (a FAT first, as most
 * guests have an EFI system partition), so that the functions that a boot needs are compiled; what V8 then has is
 * written. Of the chunks that no boot of these disks needs, what runs when they are loaded.
 */
import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

type Launcher = typeof import('./launcher');

/** In the child: boots, then sends `NAME\nLENGTH\n` and the data of each script through descriptor 3. */
async function warm(directory: string, disks: readonly string[]): Promise<void> {
  const { load, loaded } = require('./nodegrub.js') as Launcher;
  const core = load('core.js') as { main(argv: readonly string[], program: string): Promise<number> };
  const status = await core.main(
    ['-q', '--output=/dev/null', '--output-format=simple0', `--output-directory=${directory}`, ...disks],
    'nodegrub',
  );
  if (status !== 0) throw new Error(`the boot of ${disks} ended with status ${status}`);
  for (const name of readdirSync(__dirname))
    if (/-.*\.js$/.test(name) && !name.startsWith('make-')) load(name);
  for (const [name, { script }] of loaded) {
    const data = script!.createCachedData();
    const head = Buffer.from(`${name}\n${data.length}\n`);
    const all = Buffer.concat([head, data]);
    for (let done = 0; done < all.length; ) done += writeSync(3, all, done);
  }
}

function make(): void {
  const work = mkdtempSync(join(tmpdir(), 'nodegrub-cache-'));
  try {
    const disks: string[] = [];
    for (const name of readdirSync(__dirname).sort()) {
      if (name.endsWith('.cache')) rmSync(join(__dirname, name));
      if (!name.startsWith('warm-')) continue;
      disks.push(join(work, name));
      writeFileSync(join(work, name), gunzipSync(readFileSync(join(__dirname, name))));
    }
    const child = spawnSync(process.execPath, [...process.execArgv, __filename, '--child', work, ...disks], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: {},
      maxBuffer: 64 * 1024 * 1024,
    });
    const sent = child.output?.[3] as unknown as Buffer | undefined;
    if (child.status !== 0 || !sent) throw new Error(`the child failed: ${child.stderr}`);
    for (let at = 0; at < sent.length; ) {
      const nameEnd = sent.indexOf(10, at);
      const sizeEnd = sent.indexOf(10, nameEnd + 1);
      const path = join(__dirname, `${sent.toString('utf8', at, nameEnd)}.cache`);
      const end = sizeEnd + 1 + Number(sent.toString('utf8', nameEnd + 1, sizeEnd));
      // Whole or not at all: a boot may start in between.
      writeFileSync(`${path}.new`, sent.subarray(sizeEnd + 1, end), { mode: 0o644 });
      renameSync(`${path}.new`, path);
      at = end;
    }
  } finally {
    rmSync(work, { recursive: true });
  }
}

if (process.argv[2] === '--child') {
  warm(process.argv[3] ?? '', process.argv.slice(4)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
} else make();
