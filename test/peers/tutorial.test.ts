/**
 * docs/tutorial.md: its commands are taken out and run. The tree is Debian's own where its mirror serves the installer's files; else it
 * is put together from the mirror's SHA256SUMS and the files of the package debian-installer-12-netboot-amd64 (the same bytes), on a
 * server here. sha256sum judges.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { EXAMPLE, must, NODEGRUB, run, scratch } from './support';

const MIRROR = 'https://deb.debian.org/debian';
const IMAGES = '/dists/bookworm/main/installer-amd64/current/images/';
const PACKAGE = '/usr/lib/debian-installer/images/12/amd64';
/** The package's file with the bytes of the tree's file. */
const FILES: Readonly<Record<string, string>> = {
  'netboot/xen/vmlinuz': `${PACKAGE}/gtk/debian-installer/amd64/linux`,
  'netboot/xen/initrd.gz': `${PACKAGE}/gtk/debian-installer/amd64/initrd.gz`,
  'netboot/debian-installer/amd64/linux': `${PACKAGE}/text/debian-installer/amd64/linux`,
  'netboot/debian-installer/amd64/initrd.gz': `${PACKAGE}/text/debian-installer/amd64/initrd.gz`,
};

interface Block {
  readonly kind: string;
  readonly text: string;
}

const page = readFileSync(join(ROOT, 'docs', 'tutorial.md'), 'utf8');
const blocks: Block[] = [...page.matchAll(/^```sh ?(\w*)\n(.*?)^```$/gms)].map(([, kind, text]) => ({
  kind: kind!,
  text: text!,
}));

/** Undefined when the mirror does not have it, or there is no network. */
function fromMirror(path: string): Buffer | undefined {
  const r = spawnSync('curl', ['-fsSL', '-m', '60', MIRROR + path], { maxBuffer: 1 << 24 });
  return r.status === 0 ? r.stdout : undefined;
}

t.test('the page has commands of every kind, and each is valid shell', async (t) => {
  t.same([...new Set(blocks.map(({ kind }) => kind))].sort(), ['', 'installed', 'xen']);
  t.ok(blocks.length >= 8);
  for (const { text } of blocks) t.equal(spawnSync('bash', ['-n'], { input: text }).status, 0, text);
});

t.test('the commands run as printed', async (t) => {
  const sums = fromMirror(`${IMAGES}SHA256SUMS`);
  if (!sums)
    return void t.pass('skipped', {
      skip: `${MIRROR} does not serve ${IMAGES}SHA256SUMS here: nothing to compare with`,
    });
  const dir = scratch(t);
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'nodegrub'), `#!/bin/sh\nexec ${process.execPath} ${NODEGRUB} "$@"\n`);
  chmodSync(join(bin, 'nodegrub'), 0o755);

  let mirror = MIRROR;
  if (spawnSync('curl', ['-fsSIL', '-m', '60', `${MIRROR}${IMAGES}netboot/xen/vmlinuz`]).status !== 0) {
    t.comment(
      `${MIRROR} does not serve the installer's kernels here: they come from the package, with the mirror's SHA256SUMS`,
    );
    const served: string[] = [];
    const server = createServer((request, response) => {
      const path = (request.url ?? '').replace(IMAGES, '');
      served.push(path);
      const bytes = path === 'SHA256SUMS' ? sums : FILES[path] && readFileSync(FILES[path]);
      response.writeHead(bytes ? 200 : 404, { 'Content-Length': bytes?.length ?? 0 });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  // What the installer would have left.
  const installed = `cp ${EXAMPLE} debian.img\n`;
  const script = blocks
    .map(({ kind, text }) => (kind === 'xen' ? '' : (kind === 'installed' ? installed : '') + text))
    .join('\n')
    .replaceAll(MIRROR, mirror);
  t.notMatch(script, /\bxl create/);
  const child = spawn(
    'env',
    [
      '-i',
      `PATH=${bin}:${process.env.PATH}`,
      `NODE_EXTRA_CA_CERTS=${process.env.NODE_EXTRA_CA_CERTS ?? ''}`,
      'bash',
      '-euo',
      'pipefail',
      '-c',
      script,
    ],
    { cwd: dir },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  const status = await new Promise((done) => child.on('close', done));
  t.equal(status, 0, err);
  t.notMatch(err, /warning/);

  const boot = readdirSync(join(dir, 'boot')).sort();
  t.equal(boot.length, 3);
  // The tree's own list, in the hands of sha256sum, over the files that were fetched.
  const list = ['vmlinuz', 'initrd.gz'].map((name, i) => {
    const line = sums
      .toString()
      .split('\n')
      .find((text) => text.endsWith(` ./netboot/xen/${name}`))!;
    return `${line.slice(0, 64)}  boot/${boot[i]}`;
  });
  writeFileSync(join(dir, 'list'), `${list.join('\n')}\n`);
  t.match(run('sha256sum', ['-c', '--strict', 'list'], { cwd: dir }).stdout, /: OK\n.*: OK\n$/);
  t.match(must('file', join(dir, 'boot', boot[0]!)), /Linux kernel x86 boot executable bzImage/);

  t.match(out, `kernel <kernel:${mirror}${IMAGES}netboot/xen/vmlinuz>`);
  const byHand = readFileSync(join(dir, 'debian-by-hand.cfg'), 'utf8');
  t.match(byHand, new RegExp(`^kernel = "${dir}/boot/${boot[0]}"$`, 'm'));
  t.match(byHand, new RegExp(`^ramdisk = "${dir}/boot/${boot[1]}"$`, 'm'));
  t.match(byHand, /^cmdline = "console=hvc0"$/m);
  t.notMatch(byHand, /bootloader|extra/);
  const plain = readFileSync(join(dir, 'debian.cfg'), 'utf8');
  t.match(plain, /^bootloader = "nodegrub"$/m);
  t.notMatch(plain, /bootloader_args|location|on_reboot/);
});

t.test('the package as it is: a netboot folder without a list of checksums', async (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, 'o'));
  const r = run(process.execPath, [
    NODEGRUB,
    '-q',
    '--output-format=simple',
    `--output-directory=${dir}/o`,
    `--location=${PACKAGE}/text`,
  ]);
  t.equal(r.status, 0, r.stderr);
  const [kernel, ramdisk] = [...r.stdout.matchAll(/^(?:kernel|ramdisk) (.*)$/gm)].map(([, path]) => path!);
  must('cmp', kernel!, FILES['netboot/debian-installer/amd64/linux']!);
  must('cmp', ramdisk!, FILES['netboot/debian-installer/amd64/initrd.gz']!);
  t.equal(r.stderr.match(/warning: no index of the tree has a checksum/g)?.length, 2);
});

t.test('a mirror of the tree with one byte changed is refused', async (t) => {
  const sums = fromMirror(`${IMAGES}SHA256SUMS`);
  if (!sums) return void t.pass('skipped', { skip: `${MIRROR} does not serve ${IMAGES}SHA256SUMS here` });
  const dir = scratch(t);
  for (const [name, file] of Object.entries(FILES)) {
    mkdirSync(dirname(join(dir, 'images', name)), { recursive: true });
    copyFileSync(file, join(dir, 'images', name));
  }
  writeFileSync(join(dir, 'images/SHA256SUMS'), sums);
  mkdirSync(join(dir, 'o'));
  const go = () =>
    run(process.execPath, [
      NODEGRUB,
      '-q',
      '--output-format=simple',
      `--output-directory=${dir}/o`,
      `--location=${dir}/images`,
    ]);
  const sound = go();
  t.equal(sound.status, 0, sound.stderr);
  t.notMatch(sound.stderr, /warning/);
  for (const name of readdirSync(join(dir, 'o'))) must('rm', join(dir, 'o', name));
  const initrd = join(dir, 'images/netboot/xen/initrd.gz');
  const bytes = readFileSync(initrd);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(initrd, bytes);
  const r = go();
  t.equal(r.status, 1);
  t.match(r.stderr, /initrd\.gz is not what SHA256SUMS says: sha256 /);
  t.same(readdirSync(join(dir, 'o')), []);
});
