/**
 * Kernels of distributions, PVGrub, Xen itself and a kernel as a process, compared with Xen's own domain builder, with readelf and with
 * the decompressors; the program with --decompress and --check-kernel, in every sandbox, with a policy of hashes.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { kernelOnHost } from '../../lib/kernel/file';
import { inspectKernel } from '../../lib/kernel/inspect';
import { vmlinux } from '../../lib/kernel/vmlinux';
import { expectedKernels } from '../kernel/kernels';
import { context, ROOT, sample } from '../support';
import { CLEAN_ENV, must, NODEGRUB, run, scratch, sha256 } from './support';

const work = scratch(t);
const file = (path: string) => kernelOnHost(openSync(path, 'r'), 'kernel');

const load = join(work, 'xenload');
must('gcc', '-o', load, join(ROOT, 'test/peers/xenload.c'), '-lxenguest', '-lxenctrl', '-lxentoollog');

/** What Xen's domain builder takes each file for. */
function byXen(paths: readonly string[]): Map<string, { pv: boolean; pvh: boolean }> {
  const lines = must(load, ...paths)
    .trim()
    .split('\n');
  return new Map(
    lines.map((line) => {
      const [, pv, pvh, path] = /^pv=(\S+) pvh=(\S+) (.*)$/.exec(line)!;
      return [path!, { pv: pv !== '-', pvh: pvh !== '-' }];
    }),
  );
}

/** Files of /boot of a Debian package, by apt with a configuration of its own. Undefined where there is no such package here. */
function debian(meta: string, architecture: string): string[] | undefined {
  const dir = join(work, meta);
  for (const sub of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(dir, sub), { recursive: true });
  writeFileSync(join(dir, 'status'), '');
  writeFileSync(
    join(dir, 'sources.list'),
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n',
  );
  writeFileSync(
    join(dir, 'apt.conf'),
    `APT::Architecture "${architecture}"; APT::Architectures { "${architecture}"; };
Dir::State::status "${dir}/status"; Dir::State::Lists "${dir}/lists"; Dir::Cache "${dir}/cache";
Dir::Etc::sourcelist "${dir}/sources.list"; Dir::Etc::sourceparts "-"; Acquire::Languages "none"; APT::Sandbox::User "root";\n`,
  );
  const script = `set -e; cd ${dir}; export APT_CONFIG=${dir}/apt.conf; apt-get -q update >&2
    p=$(apt-cache depends ${meta} | sed -n 's/.*Depends: \\(linux-image-[0-9][^ ]*\\)$/\\1/p' | head -n 1); [ -n "$p" ] || p=${meta}
    apt-get -q download "$p" >&2; dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/*'; rm -f ./*.deb; ls -d $PWD/boot/*`;
  const r = spawnSync('bash', ['-c', script], { encoding: 'utf8', env: { ...CLEAN_ENV, ...proxies() } });
  return r.status === 0 ? r.stdout.trim().split('\n') : undefined;
}

const proxies = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => /_proxy$/i.test(name))) as Record<
    string,
    string
  >;

const KERNEL = /\/(vmlinuz-|xen-[0-9.]+-[a-z0-9]+(\.gz|\.efi)$)/;

t.test('fixtures: what Xen takes, now', async (t) => {
  const folder = join(ROOT, 'fixtures/kernels');
  const paths = Object.keys(expectedKernels).map((name) => join(folder, name));
  const seen = byXen(paths);
  for (const path of paths) {
    const { pv, pvh } = expectedKernels[path.slice(folder.length + 1)]!.xen;
    t.same(seen.get(path), { pv, pvh }, path);
  }
  // All of them, once they are unpacked: also those that Debian's Xen does not unpack, or of too old a protocol.
  for (const [name, { inner }] of Object.entries(expectedKernels)) {
    if (/Image-|none/.test(inner) || name === 'uImage') continue;
    const out = join(work, name);
    writeFileSync(out, Buffer.concat([...copies(vmlinux(file(join(folder, name)), context()).pieces())]));
    const made = byXen([out]).get(out)!;
    t.same(made, { pv: /both|pv$|old/.test(inner), pvh: /both|pvh/.test(inner) }, `${name} unpacked`);
  }
});

function* copies(pieces: Iterable<Uint8Array>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** The kernel proper, by the field's own programs: the stream that begins at the first magic number from which they unpack an ELF file. */
function extractVmlinux(path: string): Buffer | undefined {
  const bytes = readFileSync(path);
  for (const [magic, tool, ...args] of [
    [Buffer.from([0x1f, 0x8b, 8]), 'gzip', '-dcq'],
    [Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), 'xz', '-dcq', '--single-stream'],
    [Buffer.from([0x02, 0x21, 0x4c, 0x18]), 'lz4', '-dcq'],
    [Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 'zstd', '-dcq'],
  ] as const) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const r = spawnSync(tool, args, { input: bytes.subarray(at), maxBuffer: 1 << 28 });
      if (r.stdout?.subarray(0, 4).toString('latin1') === '\x7fELF') return r.stdout;
    }
  }
  return undefined;
}

t.test('kernels of Debian, PVGrub, Xen, user-mode Linux', async (t) => {
  const paths: string[] = [];
  for (const [meta, architecture] of sample(
    [
      ['linux-image-amd64', 'amd64'],
      ['linux-image-cloud-amd64', 'amd64'],
      ['xen-hypervisor-4.17-amd64', 'amd64'],
      ['linux-image-arm64', 'arm64'],
    ] as const,
    2,
  )) {
    const found = debian(meta, architecture)?.filter((path) => KERNEL.test(path));
    if (found) paths.push(...found);
    else t.pass(meta, { skip: 'apt has no such package here' });
  }
  for (const target of ['i386-xen', 'i386-xen_pvh', 'x86_64-xen']) {
    if (!existsSync(`/usr/lib/grub/${target}`)) continue;
    const out = join(work, `pvgrub-${target}`);
    must('grub-mkimage', '-O', target, '-o', out, '-p', '/boot/grub', 'normal');
    paths.push(out);
  }
  if (existsSync('/usr/bin/linux.uml')) paths.push('/usr/bin/linux.uml');
  t.ok(paths.length >= 3);
  const xen = byXen(paths);
  for (const path of paths) {
    const k = inspectKernel(file(path), context());
    t.comment(`${path}: ${JSON.stringify(k)}`);
    t.same({ pv: k.pv !== undefined, pvh: k.pvh !== undefined }, xen.get(path), path);
    t.equal(k.hypervisor, /\/xen-/.test(path), path);
    if (!/vmlinuz/.test(path)) continue;
    t.ok(path.endsWith(k.version!.split(' ')[0]!), `${k.version} is of ${path}`);
    const inside = vmlinux(file(path), context());
    const ours = Buffer.concat([...copies(inside.pieces())]);
    const theirs = inside.kind === 'ELF' ? extractVmlinux(path) : readFileSync(path);
    t.ok(theirs && ours.length > 10_000_000);
    // What follows the stream is the size; lz4's format has no end, and its program complains of it.
    t.equal(sha256(ours), theirs && sha256(theirs.subarray(0, ours.length)), path);
    t.ok(theirs!.length - ours.length < 8, `${theirs!.length}, ${ours.length}`);
    if (inside.kind === 'ELF') {
      const out = join(work, 'vmlinux');
      writeFileSync(out, ours);
      t.same(byXen([out]).get(out), xen.get(path), 'unpacked, Xen takes it as before');
      notes(t, out, k.pvh?.entry);
    }
  }
});

/** readelf's notes, in its own words. */
function notes(t: Test, path: string, pvh: string | undefined): void {
  const text = must('readelf', '-nW', path);
  const data = /Xen\s+\S+\s+Unknown note type: \(0x00000012\)\s+description data: ((?:[0-9a-f]{2} ?)+)/.exec(
    text,
  )?.[1];
  const bytes = Buffer.from(data?.replaceAll(' ', '') ?? '', 'hex');
  t.equal(bytes.length >= 4 ? `0x${bytes.readUInt32LE(0).toString(16)}` : undefined, pvh);
}

t.test('the program: --decompress in every sandbox, with a policy', async (t) => {
  const tree = join(work, 'tree');
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  const fixtures = join(ROOT, 'fixtures/kernels');
  const names = readdirSync(fixtures).filter((name) => /^bzImage-(xz|zstd|none)$/.test(name));
  for (const name of names) copyFileSync(join(fixtures, name), join(tree, 'boot', name));
  writeFileSync(
    join(tree, 'boot/grub/grub.cfg'),
    names.map((name) => `menuentry ${name} { linux /boot/${name} root=/dev/xvda1 }\n`).join(''),
  );
  const disk = join(work, 'disk.img');
  must('truncate', '-s', '16M', disk);
  must('mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, disk);
  const policy = join(work, 'policy.json');
  writeFileSync(
    policy,
    JSON.stringify({ kernel: { sha256: [sha256(readFileSync(join(fixtures, 'bzImage-xz')))] } }),
  );
  const out = join(work, 'out');
  mkdirSync(out);
  const start = (entry: string, ...args: string[]) =>
    run(NODEGRUB, [
      '-q',
      '--output-format=simple',
      `--output-directory=${out}`,
      `--entry=${entry}`,
      ...args,
      disk,
    ]);
  const good = readFileSync(join(fixtures, 'vmlinux'));
  for (const sandbox of ['off', 'basic', 'strict'])
    for (const more of [[], [`--policy=${policy}`]]) {
      const r = start('bzImage-xz', '--decompress', `--sandbox=${sandbox}`, ...more);
      t.equal(r.status, 0, `${sandbox} ${more}\n${r.stderr}`);
      const path = /^kernel (.*)$/m.exec(r.stdout)?.[1];
      t.ok(path && readFileSync(path).equals(good), sandbox);
    }
  // The rule is about the guest's file: the hash of what comes out is none of its.
  writeFileSync(policy, JSON.stringify({ kernel: { sha256: [sha256(good)] } }));
  const refused = start('bzImage-xz', '--decompress', `--policy=${policy}`);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /kernel\.sha256/);

  const check = start('bzImage-none', '--check-kernel=any');
  t.equal(check.status, 1);
  t.match(check.stderr, /RuntimeError: .*no PVH entry point.*\(--check-kernel=any\)\r?\n$/);
  const dry = start('bzImage-none', '-n', '--check-kernel=pv');
  t.equal(dry.status, 1);
  t.equal(dry.stdout, '');
  t.equal(start('bzImage-none', '-n').status, 0);
  t.equal(start('bzImage-zstd', '--check-kernel=pvh').status, 0);
  t.equal(start('bzImage-zstd', '--check-kernel=no').status, 1);
  t.equal(start('bzImage-xz').status, 0);
});
