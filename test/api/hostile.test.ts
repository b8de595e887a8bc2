/** Hostile disks in the caller's process: an error or an answer, within what a call may cost, and nothing else of the process is touched. */
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { cpuMs, image, ROOT, THOROUGH } from '../support';
import {
  archive,
  EXAMPLE,
  type FileSystem,
  type GuestDisk,
  imageFile,
  library,
  program,
  work,
} from './library';

const { openDisk, GuestError } = library;

/** The longest call so far, in milliseconds. */
let longest = 0;

/** GuestErrors are answers. */
function attempt(body: () => unknown): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
}

function call(body: () => unknown): void {
  const start = cpuMs();
  attempt(body);
  longest = Math.max(longest, cpuMs() - start);
}

function walkAll(fs: FileSystem, path: string, depth: number, left: { count: number }): void {
  attempt(() => {
    for (const entry of fs.readdir(path)) {
      if (--left.count < 0) return;
      const full = `${path}/${entry.name}`;
      attempt(() => {
        const { kind } = entry.stat();
        if (kind === 'directory' && depth > 0) walkAll(fs, full, depth - 1, left);
        else if (kind === 'symlink') fs.readlink(full);
        else if (kind === 'file') {
          call(() => fs.extents(full));
          call(() => fs.readFile(full, 1 << 20));
        }
      });
    }
  });
}

function askAll(disk: GuestDisk): void {
  call(() => disk.list());
  call(() => disk.inspect());
  call(() => disk.decide());
  for (const volume of disk.volumes)
    attempt(() => {
      const fs = volume.filesystem();
      if (fs) walkAll(fs, '', 3, { count: 20 });
    });
}

t.test('malformed samples', async (t) => {
  const names = readdirSync(join(ROOT, 'fixtures/malformed'))
    .filter((name) => name.endsWith('.img.gz'))
    .filter((_, i) => THOROUGH || i % 8 === 0)
    .map((name) => name.slice(0, -3));
  t.ok(names.length > 20, `${names.length}`);
  for (const name of names) {
    const bytes = image(name, 'malformed');
    longest = 0;
    attempt(() => {
      const disk = openDisk({
        name,
        size: bytes.length,
        read: (at, into) => into.set(bytes.subarray(at, at + into.length)),
      });
      askAll(disk);
      disk.close();
    });
    // `cpuSeconds`, and what the last step before a look takes.
    if (longest > 12_000) t.fail(`${name}: a call took ${longest} ms`);
  }
});

t.test('limits are the caller’s, and each call’s', async (t) => {
  const path = archive([['boot/grub/grub.cfg', 'menuentry a { linux /none }\nwhile true; do true; done\n']]);
  t.equal(program('-l', path).status, 0, 'the program lists it');
  const endless = openDisk(path, {
    limits: { evaluationSteps: 1e12, runSteps: 1e12, cpuSeconds: 1 },
  });
  for (const _ of [1, 2]) {
    const start = cpuMs();
    let told: string[] = [];
    try {
      told = [...endless.list().warnings];
    } catch (error) {
      t.ok(error instanceof GuestError && error.code === 'limit');
      told = [(error as Error).message];
    }
    t.match(told.join(), /more than 1 s of processor time/);
    t.ok(cpuMs() - start < 5000, `${cpuMs() - start} ms`);
  }
  const long = archive([
    ['boot/grub/grub.cfg', `menuentry a { for i in ${'x '.repeat(100)}; do true; done; linux /none; }\n`],
  ]);
  t.match(openDisk(long).list().entries[0]!.problem, /not found/);
  t.match(
    openDisk(long, { limits: { entrySteps: 50 } }).list().entries[0]!.problem,
    /NODEGRUB_MAX_ENTRY_STEPS/,
  );
});

t.test('what the process did before is not the disk’s', async (t) => {
  const path = join(work, 'large.img');
  writeFileSync(path, '');
  truncateSync(path, 32 * 1024 * 1024);
  // A second of work, and more memory than the program may have.
  const held = Buffer.alloc(300 * 1024 * 1024, 1);
  for (const start = cpuMs(); cpuMs() - start < 1100; ) Math.sqrt(start);
  const disk = openDisk(path, { limits: { cpuSeconds: 1 } });
  const whole = disk.volume('hd0')!;
  // So much that processor time and memory are looked at.
  const most = whole.size;
  t.ok(most > 16 * 1024 * 1024);
  for (let n = 0; n < 4; n++) t.equal(whole.read(0, most).length, most);
  t.ok(disk.list());
  t.equal(held[0], 1);

  // What is collected meanwhile would be room: growth is what counts.
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const small = openDisk(path, { limits: { memory: 8 * 1024 * 1024 } });
  t.throws(() => small.volume('hd0')!.read(0, most), { code: 'limit', message: /MiB of memory/ });
  t.equal(small.volume('hd0')!.read(0, 512).length, 512, 'the next call has its own');
});

t.test('a long-lived disk does not run out', async (t) => {
  const disk = openDisk(EXAMPLE, { limits: { runSteps: 3000 } });
  const fs = disk.volume('hd0,1')!.filesystem()!;
  for (let n = 0; n < 5000; n++) fs.readFile('/boot/grub/grub.cfg');
  t.pass('five thousand calls of more than one step each');
});

t.test('the process is left as it is', async (t) => {
  const script = join(work, 'quiet.js');
  writeFileSync(
    script,
    `const before = () => JSON.stringify([process.listenerCount('SIGTERM'), process.listenerCount('exit'), process.umask(),
       process.env.UV_THREADPOOL_SIZE, process.getuid(), process.getgroups(), typeof globalThis.gc, process.cwd()]);
     const was = before();
     const { openDisk } = require(${JSON.stringify(join(ROOT, 'dist/index.js'))});
     (async () => {
       const disk = openDisk(process.argv[2]);
       disk.list(); disk.inspect(); disk.decide({ entry: 'none' });
       await disk.extract(process.argv[3]);
       disk.close();
       if (before() !== was) throw new Error(before());
     })();`,
  );
  for (const path of [EXAMPLE, imageFile('ext-ext4.img')]) {
    const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
    const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', script, path, work], {
      encoding: 'utf8',
    });
    // The second boots nothing: that is told by the promise alone.
    if (path === EXAMPLE) t.same([r.status, r.stdout, r.stderr], [0, '', '']);
    else t.equal(r.stdout, '');
  }
});
