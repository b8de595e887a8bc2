/** Shared by the peer tests: the programs as a toolstack starts them, disks made by the real tools, scratch folders. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../support';

/** `NODEGRUB=PATH` tests another build, for instance an installed one. */
export const NODEGRUB = process.env.NODEGRUB ?? join(ROOT, 'dist', 'nodegrub.js');
export const PYGRUB = '/usr/lib/xen-4.17/bin/pygrub';
export const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');

/** tap puts a hook of its own into every Node child through the environment; toolstacks do not. */
export const CLEAN_ENV = {
  PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  HOME: process.env.HOME ?? '/root',
  LC_ALL: 'C',
};

interface Owner {
  teardown(fn: () => void): unknown;
}

/** A folder that everybody may enter, removed at the end of the test. */
export function scratch(t: Owner): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-peers-'));
  chmodSync(dir, 0o755);
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export interface Ran {
  readonly status: number | null;
  readonly signal: string | null;
  /** latin1 */
  readonly stdout: string;
  readonly stderr: string;
}

export function run(
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: object; input?: Buffer } = {},
): Ran {
  // `env -i`: tap's hook is put into the environment by a patched `spawn`, after what we say here
  const variables = Object.entries({ ...CLEAN_ENV, ...options.env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const r = spawnSync('env', ['-i', ...variables, file, ...args], {
    encoding: 'latin1',
    cwd: options.cwd ?? '/',
    maxBuffer: 1 << 26,
    timeout: 300_000,
    ...(options.input !== undefined && { input: options.input }),
  });
  if (r.error) throw r.error;
  return { status: r.status, signal: r.signal, stdout: r.stdout, stderr: r.stderr };
}

/** Runs a tool that must succeed. */
export function must(file: string, ...args: string[]): string {
  const r = run(file, args);
  if (r.status !== 0)
    throw new Error(`${file} ${args.join(' ')}: status ${r.status}\n${r.stdout}${r.stderr}`);
  return r.stdout;
}

export interface Booted extends Ran {
  /** sha256 of what was extracted, and its bytes. */
  readonly kernel?: Buffer;
  readonly ramdisk?: Buffer;
  readonly args?: string;
  /** What lies in the output directory afterwards. */
  readonly left: readonly string[];
}

let outs = 0;

/** Boots unattended with `simple0` in a new output directory below `dir`. */
export function boot(program: string, dir: string, args: readonly string[]): Booted {
  const out = join(dir, `boot${outs++}`);
  mkdirSync(out);
  const r = run(program, ['-q', '--output-format=simple0', `--output-directory=${out}`, ...args]);
  const items = new Map(
    r.stdout
      .split('\0')
      .filter((item) => item !== '')
      .map((item) => [item.slice(0, item.indexOf(' ')), item.slice(item.indexOf(' ') + 1)]),
  );
  const read = (name: string) => {
    const path = items.get(name);
    return r.status === 0 && path?.startsWith(out) ? readFileSync(path) : undefined;
  };
  const result = {
    ...r,
    kernel: read('kernel'),
    ramdisk: read('ramdisk'),
    args: items.get('args'),
    left: readdirSync(out),
  };
  rmSync(out, { recursive: true });
  return result;
}

/** The eight random characters, and pygrub's doubled slash before the name, made equal. */
export const masked = (text: string): string =>
  text.replace(/\/*\/boot_(kernel|ramdisk)\.[a-z0-9_]{8}/g, '/boot_$1.########');

/** Why loop devices or mounts cannot be had here, or undefined. Only what the kernel refuses may skip a test. */
export function noLoop(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: no loop devices';
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-loop-'));
  try {
    const file = join(dir, 'probe');
    writeFileSync(file, Buffer.alloc(4096));
    const r = run('losetup', ['-r', '-f', '--show', file]);
    if (r.status !== 0) return `no loop devices: ${r.stderr.trim()}`;
    run('losetup', ['-d', r.stdout.trim()]);
    return undefined;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/**
 * Waits until no loop device holds them. A copy of a mount may live for a while in the mount namespace of a sandbox that another test
 * starts (or FUSE's daemon end late), and until the last is gone the kernel has not written everything to the image.
 */
export function released(...images: readonly string[]): void {
  const wait = 'for i; do while [ -n "$(losetup -j "$i")" ]; do sleep 0.02; done; done';
  must('timeout', '60', 'bash', '-euc', wait, 'bash', ...images);
}

export function unmount(folder: string, ...images: readonly string[]): void {
  must('umount', folder);
  released(...images);
}

/** Contents by path; a link is `{ to }`. */
export type Tree = Record<string, string | Buffer | { to: string }>;

export interface Part {
  readonly fs: 'ext2' | 'ext4' | 'fat12' | 'fat16' | 'fat32' | 'none';
  readonly tree?: Tree;
  readonly uuid?: string;
  readonly label?: string;
  /** KiB, default 4,096. */
  readonly size?: number;
  /** MBR only. */
  readonly active?: boolean;
}

function plant(root: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if (typeof content === 'object' && 'to' in content) symlinkSync(content.to, target);
    else writeFileSync(target, content);
  }
}

/** Makes one filesystem image with mke2fs or mkfs.vfat. */
export function makeFs(path: string, part: Part): void {
  const kib = part.size ?? 4096;
  rmSync(path, { force: true });
  writeFileSync(path, '');
  truncateSync(path, kib * 1024);
  if (part.fs === 'none') return;
  const tree = `${path}.tree`;
  mkdirSync(tree);
  plant(tree, part.tree ?? {});
  if (part.fs.startsWith('ext')) {
    const named = [
      ...(part.uuid ? ['-U', part.uuid] : []),
      ...(part.label ? ['-L', part.label] : []),
      ...(kib < 8192 ? ['-b', '1024'] : []),
    ];
    must('mke2fs', '-q', '-F', '-t', part.fs, '-O', '^resize_inode', ...named, '-d', tree, path);
  } else {
    const bits = part.fs.slice(3);
    // mkfs.vfat takes the serial number without its dash; small FAT16 and FAT32 need one sector a cluster
    const named = [
      ...(part.uuid ? ['-i', part.uuid.replace('-', '')] : []),
      ...(part.label ? ['-n', part.label] : []),
      ...(bits === '12' ? [] : ['-s', '1']),
    ];
    must('mkfs.vfat', '-F', bits, ...named, path);
    for (const name of readdirSync(tree)) must('mcopy', '-s', '-Q', '-i', path, join(tree, name), '::/');
  }
  rmSync(tree, { recursive: true });
}

/**
 * A disk with the given parts, table by sfdisk. `logical`: the first part is primary, the others are logical (5, 6 …).
 */
export function makeDisk(
  path: string,
  table: 'none' | 'gpt' | 'mbr' | 'logical',
  parts: readonly Part[],
): void {
  const image = `${path}.fs`;
  if (table === 'none') {
    makeFs(path, parts[0]!);
    return;
  }
  const lines = [`label: ${table === 'gpt' ? 'gpt' : 'dos'}`];
  const starts: number[] = [];
  let at = 2048;
  const sectors = (part: Part) => (part.size ?? 4096) * 2;
  const type = (part: Part) =>
    table === 'gpt' ? '0FC63DAF-8483-4772-8E79-3D69D8477DE4' : part.fs.startsWith('fat') ? 'c' : '83';
  parts.forEach((part, i) => {
    if (table === 'logical' && i === 1) {
      lines.push(`start=${at}, type=5`);
    }
    if (table === 'logical' && i >= 1) at += 2048;
    starts.push(at);
    lines.push(`start=${at}, size=${sectors(part)}, type=${type(part)}${part.active ? ', bootable' : ''}`);
    at += sectors(part);
  });
  const script = `${path}.sfdisk`;
  writeFileSync(path, '');
  truncateSync(path, (at + 2048) * 512);
  writeFileSync(script, `${lines.join('\n')}\n`);
  must('sh', '-c', 'exec sfdisk -q --no-reread --no-tell-kernel "$1" <"$2"', 'sh', path, script);
  must('sfdisk', '--verify', path);
  const fd = openSync(path, 'r+');
  parts.forEach((part, i) => {
    makeFs(image, part);
    writeSync(fd, readFileSync(image), 0, undefined, starts[i]! * 512);
  });
  closeSync(fd);
  rmSync(image, { force: true });
  rmSync(script);
}
