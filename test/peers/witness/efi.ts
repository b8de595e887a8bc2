/**
 * The witness for UEFI (efi.c), and systemd-boot booting it: OVMF in QEMU, plain emulation. A boot takes some ten seconds.
 * Needs gcc, binutils, ovmf, qemu-system-x86, systemd-boot.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../support';
import { bootWitness, type Witnessed } from './index';

const PAGE = 4096;

/** An EFI image, version 1 (systemd-stub then starts it as a PE image), that reports itself under `name`. */
export function buildEfiWitness(name: string): Buffer {
  if (!/^[\w.-]*$/.test(name)) throw new Error(`not a name for a witness: ${name}`);
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-witness-'));
  try {
    const at = (file: string) => join(dir, file);
    writeFileSync(at('name.c'), `const char kernel_name[] = "${name}";\n`);
    writeFileSync(
      at('flat.ld'),
      'SECTIONS { . = 0x1000; all : { *(.text.start) *(.text*) *(.rodata*) *(.data*) *(.bss*) } /DISCARD/ : { *(*) } }\n',
    );
    must(
      ...[
        'gcc',
        '-Os',
        '-ffreestanding',
        '-fpie',
        '-fvisibility=hidden',
        '-mno-red-zone',
        '-mgeneral-regs-only',
      ],
      ...[
        '-fno-stack-protector',
        '-fcf-protection=none',
        '-fno-asynchronous-unwind-tables',
        '-nostdlib',
        '-static',
      ],
      ...['-Wl,--build-id=none', '-Wl,-z,norelro', '-T', at('flat.ld'), '-o', at('flat.elf')],
      ...[join(__dirname, 'efi.c'), at('name.c')],
    );
    must('objcopy', '-O', 'binary', at('flat.elf'), at('flat'));
    return peImage(readFileSync(at('flat')));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** One section at 0x1000 that starts with its entry point, and an empty table of relocations. */
function peImage(code: Buffer): Buffer {
  const up = (n: number) => Math.ceil(n / PAGE) * PAGE;
  const relocations = PAGE + up(code.length);
  const image = Buffer.alloc(relocations + PAGE);
  const [nt, optional] = [0x40, 0x58];
  image.write('MZ');
  image.writeUInt32LE(nt, 0x3c);
  image.write('PE\0\0', nt, 'latin1');
  image.writeUInt16LE(0x8664, nt + 4);
  image.writeUInt16LE(2, nt + 6);
  image.writeUInt16LE(0xa0, nt + 20);
  image.writeUInt16LE(0x0206, nt + 22);
  image.writeUInt16LE(0x20b, optional);
  image.writeUInt32LE(up(code.length), optional + 4);
  image.writeUInt32LE(PAGE, optional + 16);
  image.writeUInt32LE(PAGE, optional + 20);
  image.writeUInt32LE(PAGE, optional + 32);
  image.writeUInt32LE(PAGE, optional + 36);
  image.writeUInt16LE(1, optional + 44);
  image.writeUInt32LE(image.length, optional + 56);
  image.writeUInt32LE(PAGE, optional + 60);
  image.writeUInt16LE(10, optional + 68);
  image.writeUInt32LE(6, optional + 108);
  image.writeUInt32LE(relocations, optional + 112 + 5 * 8);
  image.writeUInt32LE(8, optional + 112 + 5 * 8 + 4);
  const section = (row: number, name: string, at: number, size: number, flags: number) => {
    const header = optional + 0xa0 + 40 * row;
    image.write(name, header);
    image.writeUInt32LE(size, header + 8);
    image.writeUInt32LE(at, header + 12);
    image.writeUInt32LE(up(size), header + 16);
    image.writeUInt32LE(at, header + 20);
    image.writeUInt32LE(flags, header + 36);
  };
  section(0, '.text', PAGE, up(code.length), 0xe0000020);
  section(1, '.reloc', relocations, 8, 0x42000040);
  code.copy(image, PAGE);
  image.writeUInt32LE(8, relocations + 4);
  return image;
}

/** Boots a disk whose ESP has systemd-boot as its default loader. */
export function bootEfi(disk: string): Witnessed | undefined {
  return bootWitness(disk, {
    seconds: 55,
    qemu: [
      '-m',
      '256',
      '-drive',
      'if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
    ],
  });
}
