/**
 * ISO images laid out as distributions' installers (fixtures/recipes/installers.sh), and those that Debian packages bring, as a guest's
 * disk: the default's kernel and ramdisk are the ones that bsdtar takes out, the titles those of the configuration.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ROOT } from '../support';
import { must, NODEGRUB, run, scratch } from './support';

interface Expected {
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  readonly args: string;
  readonly titles: readonly string[];
}

const INSTALLERS: Readonly<Record<string, Expected>> = {
  debian: {
    kernel: 'install.amd/vmlinuz',
    ramdisk: 'install.amd/gtk/initrd.gz',
    args: 'vga=788 --- quiet',
    titles: ['Graphical install', 'Install', '... Expert install'],
  },
  ubuntu: {
    kernel: 'casper/vmlinuz',
    ramdisk: 'casper/initrd',
    args: '---',
    titles: ['Try or Install Ubuntu Server', 'Ubuntu Server with the HWE kernel', 'Test memory'],
  },
  fedora: {
    kernel: 'images/pxeboot/vmlinuz',
    ramdisk: 'images/pxeboot/initrd.img',
    args: 'inst.stage2=hd:LABEL=Fedora-S-dvd-x86_64-40 rd.live.check quiet',
    titles: [
      'Install Fedora 40',
      'Test this media & install Fedora 40',
      'Install Fedora 40 in basic graphics mode',
      'Rescue a Fedora system',
    ],
  },
  opensuse: {
    kernel: 'boot/x86_64/loader/linux',
    ramdisk: 'boot/x86_64/loader/initrd',
    args: 'splash=silent',
    titles: ['Boot from Hard Disk', 'Installation', 'Upgrade'],
  },
  arch: {
    kernel: 'arch/boot/x86_64/vmlinuz-linux',
    ramdisk: 'arch/boot/x86_64/initramfs-linux.img',
    args: 'archisobasedir=arch archisosearchuuid=2026-11-01-10-00-00-00',
    titles: [
      'Arch Linux install medium (x86_64, BIOS)',
      'Arch Linux install medium (x86_64, BIOS) with speech',
      'Boot existing OS',
      'reboot',
    ],
  },
  alpine: {
    kernel: 'boot/vmlinuz-virt',
    ramdisk: 'boot/initramfs-virt',
    args: 'modules=loop,squashfs,sd-mod,usb-storage quiet console=tty0 console=ttyS0,115200',
    titles: ['Linux virt'],
  },
};

const inImage = (iso: string, path: string): Buffer =>
  spawnSync('bsdtar', ['-xOf', iso, path], { maxBuffer: 1 << 28 }).stdout;

function compare(t: Test, name: string, iso: string, dir: string, expected: Expected): void {
  const out = join(dir, `out-${name}`);
  mkdirSync(out);
  const r = run(process.execPath, [NODEGRUB, '-q', '--output-format=json', `--output-directory=${out}`, iso]);
  t.equal(r.status, 0, `${name}: ${r.stderr}`);
  const { kernel, ramdisk, args } = JSON.parse(r.stdout);
  const bytes = inImage(iso, expected.kernel);
  t.ok(bytes.length > 0 && bytes.equals(readFileSync(kernel)), `${name}: kernel`);
  if (expected.ramdisk)
    t.ok(inImage(iso, expected.ramdisk).equals(readFileSync(ramdisk)), `${name}: ramdisk`);
  else t.equal(ramdisk, null);
  t.equal(args, expected.args, name);
  const list = JSON.parse(run(process.execPath, [NODEGRUB, '-l', '--output-format=json', iso]).stdout);
  t.same(
    list.entries.map((entry: { title: string }) => entry.title),
    expected.titles,
    name,
  );
}

t.test('installers', async (t) => {
  const dir = scratch(t);
  must('bash', join(ROOT, 'fixtures/recipes/installers.sh'), dir);
  for (const [name, expected] of Object.entries(INSTALLERS))
    compare(t, name, join(dir, `${name}.iso`), dir, expected);

  // The same files as a tree: what --location takes of a mounted image.
  for (const name of ['debian', 'ubuntu', 'fedora', 'arch', 'alpine']) {
    const tree = join(dir, name);
    mkdirSync(tree);
    must('bsdtar', '-xf', join(dir, `${name}.iso`), '-C', tree);
    const { stdout, status, stderr } = run(process.execPath, [
      NODEGRUB,
      '-n',
      '--output-format=json',
      `--location=${tree}`,
    ]);
    t.equal(status, 0, stderr);
    t.equal(JSON.parse(stdout).kernel, `<kernel:${tree}/${INSTALLERS[name]!.kernel}>`);
  }
});

t.test('images of Debian packages', async (t) => {
  const dir = scratch(t);
  compare(t, 'ipxe', '/usr/lib/ipxe/ipxe.iso', dir, {
    kernel: 'ipxe.krn',
    ramdisk: undefined,
    args: '',
    titles: ['ipxe.lkrn'],
  });
  const rescue = run(process.execPath, [NODEGRUB, '-q', '-n', '/usr/lib/grub-rescue/grub-rescue-cdrom.iso']);
  t.equal(rescue.status, 1, 'its entries name disks that are not there');
  t.match(rescue.stderr, /menuentry 'GNU\/Linux': \/vmlinuz: hd0,msdos1 holds no filesystem/);
});
