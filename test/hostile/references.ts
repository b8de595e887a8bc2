/**
 * Disks that name what lies on the host. `host` is a folder that exists there, with all that a configuration could wish for; in the
 * guest nothing has these paths. test/hostile/references.test.ts looks at what comes out, test/peers/references.test.ts at
 * every path that the program asks the kernel for.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Files, romfs } from './romfs';

export const SECRET = 'what-only-the-host-knows';

/** What each reference would find. */
export function plantHost(host: string): void {
  mkdirSync(host);
  const entry = `set stolen=${SECRET}\nset default=S\nmenuentry 'S' --id S {\n  linux ${host}/kernel ${SECRET}\n}\n`;
  const environment = `# GRUB Environment Block\nstolen=${SECRET}\n`;
  const files: Record<string, string> = {
    'grub.cfg': entry,
    grubenv: environment.padEnd(1024, '#'),
    kernel: SECRET,
    initrd: SECRET,
    'menu.lst': `default 0\ntitle S\nkernel ${host}/kernel ${SECRET}\n`,
    'syslinux.cfg': `default s\nlabel s\n  kernel ${host}/kernel\n  append ${SECRET}\n`,
    'entry.conf': `title S\nlinux ${host}/kernel\noptions ${SECRET}\n`,
    password: SECRET,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(host, name), text);
  writeFileSync(
    join(host, 'disk.img'),
    romfs({ 'boot/grub/grub.cfg': entry, [`${host}/kernel`]: SECRET, 'boot/k': SECRET }),
  );
}

const GOOD = { 'boot/k': 'the guest kernel', 'boot/i': 'the guest ramdisk' };

export interface Case {
  readonly name: string;
  readonly disk: Buffer;
  /** What boots all the same; undefined: nothing does. */
  readonly args?: string;
  readonly kernel?: string;
}

/** An MBR-less disk with a header that says it is another format's, and a romfs of the guest's behind it. */
function headed(header: Buffer): Buffer {
  return Buffer.concat([header, Buffer.alloc(Math.max(0, 1024 * 1024 - header.length))]);
}

/** qcow2 version 2 and 3: docs/interop/qcow2.txt in QEMU's tree. */
function qcow2(backing: string, version: number, dataFile?: string): Buffer {
  const head = Buffer.alloc(65536 * 4);
  head.write('QFI\xfb', 'latin1');
  head.writeUInt32BE(version, 4);
  if (backing !== '') {
    head.writeBigUInt64BE(512n, 8);
    head.writeUInt32BE(backing.length, 16);
    head.write(backing, 512);
  }
  head.writeUInt32BE(16, 20); // cluster_bits
  head.writeBigUInt64BE(1n << 20n, 24); // size
  head.writeUInt32BE(1, 36); // l1_size
  head.writeBigUInt64BE(65536n, 40); // l1_table_offset
  head.writeBigUInt64BE(131072n, 48); // refcount_table_offset
  head.writeUInt32BE(1, 56); // refcount_table_clusters
  if (version === 3) {
    if (dataFile !== undefined) head.writeBigUInt64BE(4n, 72); // incompatible: external data file
    head.writeUInt32BE(4, 96); // refcount_order
    head.writeUInt32BE(104, 100); // header_length
    if (dataFile !== undefined) {
      head.writeUInt32BE(0x44415441, 104); // the external data file's name
      head.writeUInt32BE(dataFile.length, 108);
      head.write(dataFile, 112);
    }
  }
  return headed(head);
}

/** A VMDK descriptor alone: VMware's Virtual Disk Format 5.0. */
const vmdk = (extent: string, parent: string): Buffer =>
  headed(
    Buffer.from(
      `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=${parent === '' ? 'ffffffff' : '12345678'}\n` +
        `createType="monolithicFlat"\n${parent === '' ? '' : `parentFileNameHint="${parent}"\n`}` +
        `\n# Extent description\nRW 2048 FLAT "${extent}" 0\n\n# The Disk Data Base\nddb.adapterType = "ide"\n`,
    ),
  );

/** A differencing VHD's footer and header, with a parent locator (Microsoft's Virtual Hard Disk Image Format Specification). */
function vhd(parent: string): Buffer {
  const image = Buffer.alloc(1024 * 1024);
  const footer = Buffer.alloc(512);
  footer.write('conectix');
  footer.writeUInt32BE(2, 8); // features
  footer.writeUInt32BE(0x10000, 12);
  footer.writeBigUInt64BE(512n, 16); // data offset
  footer.writeBigUInt64BE(1n << 20n, 40);
  footer.writeBigUInt64BE(1n << 20n, 48);
  footer.writeUInt32BE(4, 60); // differencing
  footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
  const header = Buffer.alloc(1024);
  header.write('cxsparse');
  header.writeBigUInt64BE(0xffff_ffff_ffff_ffffn, 8);
  header.writeBigUInt64BE(1536n, 16); // table offset
  header.writeUInt32BE(0x10000, 24);
  header.writeUInt32BE(1, 28);
  header.writeUInt32BE(0x200000, 32); // block size
  header.write(Buffer.from(parent, 'utf16le').swap16().toString('latin1'), 64, 'latin1');
  header.write('W2ku', 576);
  header.writeUInt32BE(512, 580);
  header.writeUInt32BE(parent.length * 2, 584);
  header.writeBigUInt64BE(4096n, 592);
  header.writeUInt32BE(~header.reduce((sum, byte) => sum + byte, 0) >>> 0, 36);
  footer.copy(image, 0);
  header.copy(image, 512);
  image.fill(0xff, 1536, 2048);
  image.write(parent, 4096, 'utf16le');
  footer.copy(image, image.length - 512);
  return image;
}

export function cases(host: string): Case[] {
  const grub = (config: string, files: Files = GOOD) => romfs({ 'boot/grub/grub.cfg': config, ...files });
  const kept = "menuentry 'G' --id G {\n  linux /boot/k stolen=$stolen found=$found\n  initrd /boot/i\n}\n";
  const head = 'set timeout=0\nset default=G\n';
  const good = { args: 'stolen= found=', kernel: GOOD['boot/k'] };
  const up = '../'.repeat(30);
  const everywhere = [
    host,
    `(host)${host}`,
    `(proc)${host}`,
    `(hostdisk)${host}`,
    `(hd0)/${up}${host}`,
    `(memdisk)${host}`,
  ];
  return [
    {
      name: 'GRUB: files that are sourced, loaded, looped, searched, tested',
      disk: grub(
        head +
          everywhere
            .map(
              (at, n) => `source ${at}/grub.cfg
load_env -f ${at}/grubenv
load_env --file ${at}/grubenv stolen
loopback loop${n} ${at}/disk.img
source (loop${n})/boot/grub/grub.cfg
search --no-floppy --file ${at}/kernel --set=found
if [ -e ${at}/kernel -o -f ${at}/kernel -o -s ${at}/kernel ]; then set found=yes; fi
if cat ${at}/kernel; then set found=yes; fi
insmod ${at}/kernel
`,
            )
            .join('') +
          kept,
      ),
      ...good,
    },
    ...everywhere.flatMap((at, n) => [
      {
        name: `GRUB: kernel ${n}`,
        disk: grub(`set timeout=0\nmenuentry 'A' {\n  linux ${at}/kernel\n}\n`),
      },
      {
        name: `GRUB: ramdisk ${n}`,
        disk: grub(`set timeout=0\nmenuentry 'A' {\n  linux /boot/k\n  initrd ${at}/initrd\n}\n`),
      },
      { name: `GRUB: configfile ${n}`, disk: grub(`set timeout=0\nconfigfile ${at}/grub.cfg\n`) },
    ]),
    {
      name: 'GRUB: files of every host',
      disk: grub(
        `${head}for f in /etc/passwd /proc/self/environ /proc/version /sys/kernel/notes /dev/zero /proc/self/fd/0 (proc)/version; do
  if [ -e $f ]; then set found=$f; fi
  source $f
done
${kept}`,
      ),
      ...good,
    },
    {
      name: 'symbolic links out of the disk',
      disk: romfs({
        ...GOOD,
        'boot/grub/grub.cfg': `${head}for l in /l/d/kernel /l/e/passwd; do
  if [ -e $l ]; then set found=$l; fi
done
for l in /l/a /l/b /l/c; do
  if cat $l; then set found=$l; fi
done
source /l/cfg
load_env -f /l/env
${kept}`,
        'l/a': { to: `${host}/kernel` },
        'l/b': { to: `${up}${host.slice(1)}/kernel` },
        'l/c': { to: '/proc/self/exe' },
        'l/d': { to: host },
        'l/e': { to: '/etc' },
        'l/cfg': { to: `${host}/grub.cfg` },
        'l/env': { to: `${up}${host}/grubenv` },
      }),
      ...good,
    },
    {
      name: 'a kernel that is a link out of the disk',
      disk: grub("set timeout=0\nmenuentry 'A' {\n  linux /boot/l x\n}\n", {
        'boot/l': { to: `${host}/kernel` },
      }),
    },
    {
      name: "links to paths that the guest has, too, mean the guest's",
      disk: romfs({
        'boot/grub/grub.cfg': "set timeout=0\nmenuentry 'A' {\n  linux /boot/l x\n}\n",
        'boot/l': { to: `${up}etc/passwd` },
        'etc/passwd': "the guest's own",
      }),
      args: 'x',
      kernel: "the guest's own",
    },
    {
      name: 'a configuration that is a link out of the disk',
      disk: romfs({ ...GOOD, 'boot/grub/grub.cfg': { to: `${host}/grub.cfg` } }),
    },
    {
      name: 'GRUB legacy',
      disk: romfs({
        ...GOOD,
        'boot/grub/menu.lst': `default 0\nfallback 1\ntitle A\nkernel ${host}/kernel\ntitle B\nconfigfile ${host}/menu.lst\n`,
      }),
    },
    {
      name: 'extlinux',
      disk: romfs({
        ...GOOD,
        'extlinux/extlinux.conf': `include ${host}/syslinux.cfg\ninclude ${up}${host}/syslinux.cfg\ndefault g\nlabel g\n  kernel ${host}/kernel\n  initrd ${host}/initrd\nlabel c\n  config ${host}/syslinux.cfg\n`,
      }),
    },
    {
      name: 'Boot Loader Specification',
      disk: romfs({
        ...GOOD,
        'loader/entries/a.conf': `title A\nlinux ${host}/kernel\ninitrd ${host}/initrd\noptions x\n`,
        'loader/entries/b.conf': { to: `${host}/entry.conf` },
        'loader/loader.conf': `default ${host}/entry.conf\n`,
      }),
    },
    {
      name: 'LILO',
      disk: romfs({ ...GOOD, 'etc/lilo.conf': `image=${host}/kernel\n  label=a\n  initrd=${host}/initrd\n` }),
    },
    ...[
      `${host}/disk.img`,
      `file:${host}/disk.img`,
      `json:{"driver":"raw","file":{"filename":"${host}/disk.img"}}`,
    ].flatMap((path, n) => [
      { name: `qcow2: backing file ${n}`, disk: qcow2(path, 2) },
      { name: `qcow2, version 3: backing file ${n}`, disk: qcow2(path, 3) },
    ]),
    { name: 'qcow2: data file', disk: qcow2('', 3, `${host}/disk.img`) },
    { name: 'VMDK: extent', disk: vmdk(`${host}/disk.img`, '') },
    { name: 'VMDK: parent', disk: vmdk('x.vmdk', `${host}/disk.img`) },
    { name: 'VHD: parent', disk: vhd(`${host}/disk.img`) },
  ];
}
