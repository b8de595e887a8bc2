/**
 * What a real bootloader hands to a kernel: disks are booted in QEMU with a kernel of our own (kernel.s) that prints its
 * command line and what ramdisk it has.
 *
 *     const kernel = buildWitness(t, 'vmlinuz-6.1');   // bytes to put on the disk, under any name
 *     const seen = bootWitness(disk);                  // { kernel: 'vmlinuz-6.1', cmdline: 'root=/dev/sda ro', … }
 *
 * Needs binutils, qemu-system-x86 and seabios. Plain emulation (TCG); a boot takes one to three seconds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLEAN_ENV, must } from '../support';

export interface Witnessed {
  /** Name given to `buildWitness`. */
  readonly kernel: string;
  /** As the kernel finds it, latin1. */
  readonly cmdline: string;
  /** Bytes of all initrds together, as the bootloader put them. */
  readonly ramdisk: number;
  readonly crc32: number;
}

/** A bzImage that reports itself under `name` (no `]`, quote, backslash or control character in it). */
export function buildWitness(name: string): Buffer {
  if (!/^[^\]"\\\x00-\x1f]*$/.test(name)) throw new Error(`not a name for a witness: ${name}`);
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-witness-'));
  try {
    const at = (file: string) => join(dir, file);
    const source = readFileSync(join(__dirname, 'kernel.s'), 'latin1');
    // A full last sector: some loaders read whole ones.
    writeFileSync(
      at('kernel.s'),
      `${source}kernel_name: .asciz "${name}"\n        .balign 512\nend:\n`,
      'latin1',
    );
    must('as', '--32', '-o', at('kernel.o'), at('kernel.s'));
    must('ld', '-m', 'elf_i386', '-Ttext', '0', '-e', '0', '-o', at('kernel.elf'), at('kernel.o'));
    must('objcopy', '-O', 'binary', '-j', '.text', at('kernel.elf'), at('kernel'));
    return readFileSync(at('kernel'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export interface BootOptions {
  /** Typed on COM1 from the start. */
  readonly input?: string;
  /** Seconds until the machine is stopped, default 20. */
  readonly seconds?: number;
  /** The image is a CD-ROM. */
  readonly cdrom?: boolean;
  /** Further arguments of QEMU; without a disk, `-kernel` for instance. */
  readonly qemu?: readonly string[];
}

/** Everything that came on COM1 until the machine ended or its time was over, latin1. */
export function bootConsole(disk: string | undefined, options: BootOptions = {}): string {
  const drive =
    disk === undefined ? [] : options.cdrom ? ['-cdrom', disk] : ['-drive', `file=${disk},format=raw,if=ide`];
  const args = [
    ...[
      '-machine',
      'pc,accel=tcg',
      '-cpu',
      'max',
      '-m',
      '64',
      '-nodefaults',
      '-no-user-config',
      '-no-reboot',
    ],
    ...['-vga', 'std', '-display', 'none', '-serial', 'stdio', '-monitor', 'none'],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04', '-snapshot'],
    ...(options.cdrom ? ['-boot', 'd'] : []),
    ...drive,
    ...(options.qemu ?? []),
  ];
  // `env -i`: see run() in support.ts; SIGKILL: a machine in a loop does not listen
  const variables = Object.entries(CLEAN_ENV).map(([name, value]) => `${name}=${value}`);
  const seconds = options.seconds ?? 20;
  const r = spawnSync(
    'env',
    ['-i', ...variables, 'timeout', '-s', 'KILL', String(seconds), 'qemu-system-x86_64', ...args],
    { encoding: 'latin1', input: options.input ?? '', maxBuffer: 1 << 24 },
  );
  if (r.error) throw r.error;
  if (r.stderr !== '' && !r.stdout.includes('WITNESS') && r.status !== 137 && r.signal === null)
    throw new Error(`qemu-system-x86_64: status ${r.status}\n${r.stderr}`);
  return r.stdout;
}

/** What the kernel that this disk boots was given; undefined when none was started in time. */
export function bootWitness(disk: string | undefined, options: BootOptions = {}): Witnessed | undefined {
  const line = /WITNESS kernel=\[([^\]]*)\] cmdline=\[([\s\S]*)\] ramdisk=(\d+) crc32=([0-9a-f]{8})\r\n/.exec(
    bootConsole(disk, options),
  );
  if (!line) return undefined;
  return {
    kernel: line[1]!,
    cmdline: line[2]!,
    ramdisk: Number(line[3]),
    crc32: Number.parseInt(line[4]!, 16),
  };
}
