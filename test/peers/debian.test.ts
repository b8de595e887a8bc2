/** A real Debian 12 disk (bench/disks/debian12.sh): the same kernel, ramdisk and arguments as real pygrub. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { boot, CLEAN_ENV, masked, must, NODEGRUB, noLoop, PYGRUB, run, scratch, sha256 } from './support';

const built = spawnSync('bash', [join(ROOT, 'bench/disks/debian12.sh')], {
  encoding: 'utf8',
  env: { ...process.env, NODE_OPTIONS: '' },
});
if (built.status === 77) t.plan(0, built.stderr.trim());
else tests(built.stdout.trim());

function tests(disk: string) {
  t.equal(built.status, 0, `debian12.sh: ${built.stderr}`);
  const files = JSON.parse(readFileSync(join(dirname(disk), 'disk.json'), 'utf8'));
  const dir = scratch(t);
  const root = `root=UUID=${files.uuid}`;
  const both = (...args: string[]) =>
    [boot(NODEGRUB, dir, [...args, disk]), boot(PYGRUB, dir, [...args, disk])] as const;

  t.test('unattended: what the installer put there, and what pygrub gives', async (t) => {
    const [ours, theirs] = both();
    t.equal(ours.status, 0, ours.stderr);
    t.equal(theirs.status, 0, theirs.stderr);
    t.equal(sha256(ours.kernel!), files.kernel.sha256, 'the kernel that lies in /boot');
    t.equal(sha256(ours.ramdisk!), files.ramdisk.sha256, 'the initrd that lies in /boot');
    t.equal(sha256(theirs.kernel!), files.kernel.sha256, 'pygrub finds the same kernel');
    t.equal(sha256(theirs.ramdisk!), files.ramdisk.sha256, 'pygrub finds the same initrd');
    t.equal(ours.args, `${root} ro console=hvc0 quiet`);
    t.equal(ours.args, theirs.args);
    t.equal(ours.left.length, 2, 'two files and nothing else');
  });

  t.test('what it costs, by count: a driver more or less changes nothing', async (t) => {
    const trace = join(dir, 'trace');
    const args = ['-q', '--output=/dev/null', `--output-directory=${join(dir, 'counted')}`, disk];
    mkdirSync(join(dir, 'counted'));
    must(
      'strace',
      '-f',
      '-y',
      '-e',
      'trace=open,openat,read,pread64,preadv,readv',
      '-o',
      trace,
      NODEGRUB,
      ...args,
    );
    const lines = readFileSync(trace, 'latin1').split('\n');
    const loaded = lines.flatMap((line) => /open.*\/dist\/([a-z0-9.-]+\.js)",.*= \d/.exec(line)?.[1] ?? []);
    t.same([...new Set(loaded)].sort(), ['core.js', 'fsdrivers-ext.js', 'fsdrivers-fat.js', 'nodegrub.js']);
    const reads = lines.flatMap((line) => /p?readv?(?:64)?\(.*\/disk\.img>.* = (\d+)$/.exec(line)?.[1] ?? []);
    const bytes = reads.reduce((sum, n) => sum + Number(n), 0);
    const payload = files.kernel.size + files.ramdisk.size;
    t.ok(reads.length > 30 && reads.length <= 64, `${reads.length} reads`);
    t.ok(bytes > payload && bytes <= payload + 400_000, `${bytes - payload} bytes more than the payload`);
  });

  for (const entry of [
    '0',
    '1',
    '2',
    'Debian GNU/Linux',
    `Debian GNU/Linux, with Linux ${files.kernel.path.slice('/boot/vmlinuz-'.length)} (recovery mode)`,
  ]) {
    t.test(`--entry=${entry}`, async (t) => {
      const [ours, theirs] = both(`--entry=${entry}`);
      t.equal(ours.status, 0, ours.stderr);
      t.equal(ours.args, theirs.args);
      t.match(
        ours.args,
        entry === '2' || entry.includes('recovery')
          ? `${root} ro single console=hvc0`
          : `${root} ro console=hvc0 quiet`,
      );
      t.ok(ours.kernel?.equals(theirs.kernel!), 'same kernel');
      t.ok(ours.ramdisk?.equals(theirs.ramdisk!), 'same ramdisk');
    });
  }

  t.test('paths and arguments from outside', async (t) => {
    for (const args of [
      ['--args=xencons=tty console=ttyS0'],
      [`--kernel=${files.kernel.path}`, '--args=only these'],
      [`--kernel=${files.kernel.path}`, `--ramdisk=${files.ramdisk.path}`],
      ['--kernel=/vmlinuz', '--ramdisk=/initrd.img', '--args=links in the root'],
      ['--offset=69206016'],
    ]) {
      // pygrub takes a given path from the first filesystem that opens, here the ESP: it is shown the root
      const ours = boot(NODEGRUB, dir, [...args, disk]);
      const theirs = boot(PYGRUB, dir, [...args, '--offset=69206016', disk]);
      t.equal(theirs.status, 0, `pygrub: ${theirs.stderr}`);
      t.equal(ours.status, 0, `${args}: ${ours.stderr}`);
      t.equal(ours.args, theirs.args, `${args}: args`);
      t.equal(ours.kernel && sha256(ours.kernel), theirs.kernel && sha256(theirs.kernel), `${args}: kernel`);
      t.equal(
        ours.ramdisk && sha256(ours.ramdisk),
        theirs.ramdisk && sha256(theirs.ramdisk),
        `${args}: ramdisk`,
      );
    }
  });

  t.test('all output formats, byte for byte', async (t) => {
    for (const format of ['sxp', 'simple', 'simple0']) {
      const texts = [NODEGRUB, PYGRUB].map((program, i) => {
        const out = join(dir, `${format}${i}`);
        const result = join(dir, `${format}${i}.result`);
        mkdirSync(out);
        writeFileSync(result, '');
        const r = run(program, [
          '-q',
          `--output-format=${format}`,
          `--output-directory=${out}`,
          `--output=${result}`,
          disk,
        ]);
        t.equal(r.status, 0, r.stderr);
        t.equal(r.stdout, '', 'nothing on stdout');
        const text = readFileSync(result, 'latin1');
        for (const name of readdirSync(out)) t.ok(text.includes(name), `${name} is named`);
        return masked(text.replaceAll(out, '/out'));
      });
      t.equal(texts[0], texts[1], format);
    }
  });

  t.test('-l: the same titles, kernels, arguments and initrds; the root as GRUB names it', async (t) => {
    const lists = [NODEGRUB, PYGRUB].map((program) => {
      const r = run(program, ['-l', `--output-directory=${dir}`, disk]);
      t.equal(r.status, 0, r.stderr);
      return r.stdout;
    });
    const withoutRoot = (text: string) => text.replace(/^ {2}root: .*\n/gm, '');
    t.equal(withoutRoot(lists[0]!), withoutRoot(lists[1]!));
    t.equal(lists[0]!.match(/^title: /gm)?.length, 3);
    for (const line of lists[0]!.match(/^ {2}root: .*$/gm) ?? []) t.equal(line, '  root: (hd0,gpt3)');
  });

  t.test('-n: paths in place of files', async (t) => {
    const [ours] = both('-n');
    t.equal(ours.status, 0, ours.stderr);
    t.equal(
      ours.stdout,
      `kernel <kernel:${files.kernel.path}>\0ramdisk <ramdisk:${files.ramdisk.path}>\0args ${root} ro console=hvc0 quiet\0\0`,
    );
    t.same(ours.left, []);
  });

  t.test('the same from a block device', { skip: noLoop() }, async (t) => {
    const device = must('losetup', '-r', '-f', '--show', disk).trim();
    t.teardown(() => run('losetup', ['-d', device]));
    const ours = boot(NODEGRUB, dir, [device]);
    t.equal(ours.status, 0, ours.stderr);
    t.equal(sha256(ours.kernel!), files.kernel.sha256);
    t.equal(sha256(ours.ramdisk!), files.ramdisk.sha256);
    t.equal(ours.args, `${root} ro console=hvc0 quiet`);
  });

  t.test('grub-fstest reads the same bytes', async (t) => {
    for (const file of [files.kernel, files.ramdisk]) {
      const to = join(dir, 'fstest');
      const r = spawnSync('grub-fstest', [disk, 'cp', `(loop0,${files.volume})${file.path}`, to], {
        env: CLEAN_ENV,
      });
      t.equal(r.status, 0, String(r.stderr));
      t.equal(sha256(readFileSync(to)), file.sha256);
    }
  });
}
