/** Trees laid out as each distribution's, on a server and in a directory: which files are taken, with which arguments. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { fetchFrom, folder, hash, INITRD, KERNEL, type Ran, type Site, serve } from './server';

const OTHER = Buffer.concat([KERNEL, Buffer.from('another kernel')]);
const OTHER_INITRD = Buffer.from('another initrd');

const sums = (files: Record<string, Uint8Array>, algorithm = 'sha256'): string =>
  Object.entries(files)
    .map(([name, bytes]) => `${hash(bytes, algorithm)}  ${name}\n`)
    .join('');

const treeinfo = (
  family: string,
  version: string,
  images: Record<string, [string, string]>,
  checksums: Record<string, Uint8Array> = {},
): string =>
  `; a tree\n[general]\nfamily = ${family}\nname = ${family} ${version}\nversion = ${version}\narch = x86_64\n\n${Object.entries(
    images,
  )
    .map(([name, [kernel, initrd]]) => `[images-${name}]\nkernel = ${kernel}\ninitrd = ${initrd}\n\n`)
    .join('')}[checksums]\n${Object.entries(checksums)
    .map(([name, bytes]) => `${name} = sha256:${hash(bytes)}\n`)
    .join('')}`;

interface Case {
  readonly name: string;
  /** By path below `root`. */
  readonly files: Record<string, string | Uint8Array>;
  /** Of the server; the location is `root` and `at`. */
  readonly root: string;
  readonly at?: string;
  /** `ROOT` stands for the tree's URL. */
  readonly args: string;
  readonly doubted?: boolean;
}

const DI = '/debian/dists/bookworm/main/installer-amd64/';
const di = (folder: string, xen: boolean, vendor = 'debian'): Record<string, string | Uint8Array> => {
  const files: Record<string, Uint8Array> = {
    [`./netboot/${vendor}-installer/amd64/linux`]: xen ? OTHER : KERNEL,
    [`./netboot/${vendor}-installer/amd64/initrd.gz`]: xen ? OTHER_INITRD : INITRD,
    ...(xen ? { './netboot/xen/vmlinuz': KERNEL, './netboot/xen/initrd.gz': INITRD } : {}),
    './cdrom/vmlinuz': OTHER,
    './netboot/gtk/debian-installer/amd64/linux': OTHER,
  };
  const tree: Record<string, string | Uint8Array> = { [`${folder}SHA256SUMS`]: sums(files) };
  for (const [name, bytes] of Object.entries(files)) tree[folder + name.slice(2)] = bytes;
  return tree;
};

const pxeboot = { 'images/pxeboot/vmlinuz': KERNEL, 'images/pxeboot/initrd.img': INITRD };
const PXEBOOT: [string, string] = ['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img'];
const LOADER: [string, string] = ['boot/x86_64/loader/linux', 'boot/x86_64/loader/initrd'];
const loader = { [LOADER[0]]: KERNEL, [LOADER[1]]: INITRD };

const cases: Case[] = [
  { name: 'Debian, installer-amd64/, Xen first', root: DI, files: di('current/images/', true), args: '' },
  {
    name: 'Debian, current/images/',
    root: DI,
    at: 'current/images/',
    files: di('current/images/', true),
    args: '',
  },
  { name: 'Debian, current/', root: DI, at: 'current', files: di('current/images/', true), args: '' },
  {
    name: 'Debian, dists/bookworm/',
    root: '/debian/dists/bookworm/',
    files: di('main/installer-amd64/current/images/', true),
    args: '',
  },
  { name: 'Debian without Xen', root: DI, files: di('current/images/', false), args: '' },
  { name: 'Debian, daily', root: '/daily-images/amd64/', files: di('daily/', true), args: '' },
  {
    name: 'Debian, MD5SUMS alone',
    root: DI,
    files: {
      'current/images/MD5SUMS': sums(
        { './netboot/xen/vmlinuz': KERNEL, './netboot/xen/initrd.gz': INITRD },
        'md5',
      ),
      'current/images/netboot/xen/vmlinuz': KERNEL,
      'current/images/netboot/xen/initrd.gz': INITRD,
    },
    args: '',
    doubted: true,
  },
  {
    name: 'Debian, MANIFEST alone',
    root: DI,
    files: {
      'current/images/MANIFEST':
        'netboot/xen/initrd.gz -- initrd for Xen\nnetboot/xen/vmlinuz -- kernel for Xen\n',
      'current/images/netboot/xen/vmlinuz': KERNEL,
      'current/images/netboot/xen/initrd.gz': INITRD,
    },
    args: '',
    doubted: true,
  },
  {
    name: 'Debian, a netboot folder by itself',
    root: '/images/12/amd64/text/',
    files: { 'debian-installer/amd64/linux': KERNEL, 'debian-installer/amd64/initrd.gz': INITRD },
    args: '',
    doubted: true,
  },
  {
    name: 'Ubuntu 18.04',
    root: '/ubuntu/dists/bionic/main/installer-amd64/',
    files: di('current/images/', false, 'ubuntu'),
    args: '',
  },
  {
    name: 'Ubuntu 20.04',
    root: '/ubuntu/dists/focal/main/installer-amd64/',
    files: di('current/legacy-images/', false, 'ubuntu'),
    args: '',
  },
  {
    name: 'Ubuntu 24.04',
    root: '/24.04/',
    files: {
      SHA256SUMS: sums({ 'netboot/amd64/linux': KERNEL, 'netboot/amd64/initrd': INITRD }).replaceAll(
        '  ',
        ' *',
      ),
      'netboot/amd64/linux': KERNEL,
      'netboot/amd64/initrd': INITRD,
      'netboot/amd64/pxelinux.cfg/default':
        'DEFAULT install\nLABEL install\n  KERNEL linux\n  INITRD initrd\n  APPEND root=/dev/ram0 ramdisk_size=1500000 ip=dhcp iso-url=https://releases.ubuntu.test/24.04/live.iso ---\n',
    },
    args: 'ip=dhcp iso-url=https://releases.ubuntu.test/24.04/live.iso',
  },
  {
    name: 'Ubuntu 24.04, netboot/amd64/',
    root: '/24.04/netboot/amd64/',
    files: { linux: KERNEL, initrd: INITRD },
    args: '',
    doubted: true,
  },
  {
    name: 'Fedora',
    root: '/fedora/linux/releases/40/Everything/x86_64/os/',
    files: { '.treeinfo': treeinfo('Fedora', '40', { x86_64: PXEBOOT, xen: PXEBOOT }, pxeboot), ...pxeboot },
    args: 'inst.repo=ROOT',
  },
  {
    name: 'Fedora 18, Xen with an image of its own',
    root: '/fedora/18/os/',
    files: {
      '.treeinfo': treeinfo('Fedora', '18', { x86_64: ['images/a', 'images/b'], xen: PXEBOOT }, pxeboot),
      ...pxeboot,
    },
    args: 'method=ROOT',
  },
  {
    name: 'Rocky',
    root: '/rocky/9/BaseOS/x86_64/os/',
    files: { '.treeinfo': treeinfo('Rocky Linux', '9.4', { x86_64: PXEBOOT }, pxeboot), ...pxeboot },
    args: 'inst.repo=ROOT',
  },
  {
    name: 'CentOS 6',
    root: '/centos/6/os/x86_64/',
    files: { treeinfo: treeinfo('CentOS', '6.9', { x86_64: PXEBOOT, xen: PXEBOOT }, pxeboot), ...pxeboot },
    args: 'method=ROOT',
  },
  { name: 'without .treeinfo', root: '/os/', files: pxeboot, args: 'inst.repo=ROOT', doubted: true },
  {
    name: 'openSUSE Leap',
    root: '/distribution/leap/15.6/repo/oss/',
    files: {
      '.treeinfo': treeinfo('openSUSE Leap', '15.6', { x86_64: LOADER }),
      CHECKSUMS: sums(loader),
      ...loader,
    },
    args: 'install=ROOT',
  },
  {
    name: 'SLES, CHECKSUMS alone',
    root: '/sles15/',
    files: { CHECKSUMS: sums(loader), ...loader },
    args: 'install=ROOT',
  },
  {
    name: 'SLES 12, content, with a Xen kernel',
    root: '/sles12/',
    files: {
      content: `CONTENTSTYLE 11\n${[
        ['boot/x86_64/vmlinuz-xen', KERNEL],
        ['boot/x86_64/initrd-xen', INITRD],
        ['boot/x86_64/loader/linux', OTHER],
        ['boot/x86_64/loader/initrd', OTHER_INITRD],
      ]
        .map(([name, bytes]) => `HASH SHA256 ${hash(bytes as Buffer)}  ${name}\n`)
        .join('')}`,
      'boot/x86_64/vmlinuz-xen': KERNEL,
      'boot/x86_64/initrd-xen': INITRD,
      'boot/x86_64/loader/linux': OTHER,
      'boot/x86_64/loader/initrd': OTHER_INITRD,
    },
    args: 'install=ROOT',
  },
  {
    name: 'Alpine, netboot/, virt before lts',
    root: '/alpine/v3.20/releases/x86_64/netboot/',
    files: {
      'vmlinuz-virt': KERNEL,
      'initramfs-virt': INITRD,
      'vmlinuz-lts': OTHER,
      'initramfs-lts': OTHER_INITRD,
      'vmlinuz-virt.sha512': `${hash(KERNEL, 'sha512')}  vmlinuz-virt\n`,
      'initramfs-virt.sha256': `${hash(INITRD)}  initramfs-virt\n`,
    },
    args: 'modules=loop,squashfs ip=dhcp alpine_repo=BASE/alpine/v3.20/main modloop=ROOTmodloop-virt',
  },
  {
    name: 'Alpine, v3.20/',
    root: '/alpine/v3.20/',
    files: { 'releases/x86_64/netboot/vmlinuz-lts': KERNEL, 'releases/x86_64/netboot/initramfs-lts': INITRD },
    args: 'modules=loop,squashfs ip=dhcp alpine_repo=ROOTmain modloop=ROOTreleases/x86_64/netboot/modloop-lts',
    doubted: true,
  },
  {
    name: 'Arch',
    root: '/archlinux/iso/latest/',
    files: { 'arch/boot/x86_64/vmlinuz-linux': KERNEL, 'arch/boot/x86_64/initramfs-linux.img': INITRD },
    args: 'archisobasedir=arch archiso_http_srv=ROOT ip=dhcp',
    doubted: true,
  },
  {
    name: 'Arch, the mirror itself',
    root: '/archlinux/',
    files: {
      'iso/latest/arch/boot/x86_64/vmlinuz-linux': KERNEL,
      'iso/latest/arch/boot/x86_64/initramfs-linux.img': INITRD,
    },
    args: 'archisobasedir=arch archiso_http_srv=ROOTiso/latest/ ip=dhcp',
    doubted: true,
  },
];

const wrong = (r: Ran, args: string) =>
  r.status === 0 && r.kernel?.equals(KERNEL) && r.ramdisk?.equals(INITRD) && r.args === args
    ? undefined
    : { status: r.status, err: r.err, out: r.out };

t.test('on a server', async (t) => {
  for (const one of cases.filter(
    ({ files }) => process.arch === 'x64' || !/amd64|x86_64/.test(Object.keys(files).join()),
  )) {
    const site: Site = {};
    for (const [path, bytes] of Object.entries(one.files)) site[one.root + path] = bytes;
    const { url, headers } = await serve(t, site);
    const r = await fetchFrom(t, [`--location=${url}${one.root}${one.at ?? ''}`]);
    const args = one.args.replace('BASE', url).replaceAll('ROOT', url + one.root);
    t.equal(wrong(r, args), undefined, one.name);
    t.equal(/warning: .*checksum/.test(r.err), one.doubted === true, `${one.name}: ${r.err}`);
    t.ok(headers.every((h) => h['accept-encoding'] === 'identity'));
    t.equal(r.left.length, 2);
  }
});

/** Kept in a directory: what a guest would be told of it is of no use to it. */
t.test('in a directory, by its path and by file:', async (t) => {
  const media: Record<string, Record<string, string | Uint8Array>> = {
    'Debian netinst': {
      '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST\n',
      'install.amd/vmlinuz': KERNEL,
      'install.amd/initrd.gz': INITRD,
      'md5sum.txt': sums({ './install.amd/vmlinuz': KERNEL, './install.amd/initrd.gz': INITRD }, 'md5'),
    },
    'Debian netinst with Xen': {
      '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST\n',
      'install.amd/vmlinuz': OTHER,
      'install.amd/initrd.gz': OTHER_INITRD,
      'install.amd/xen/vmlinuz': KERNEL,
      'install.amd/xen/initrd.gz': INITRD,
    },
    'Ubuntu live server': {
      '.disk/info': 'Ubuntu-Server 24.04 LTS "Noble Numbat"\n',
      'casper/vmlinuz': KERNEL,
      'casper/initrd': INITRD,
    },
    Fedora: { '.treeinfo': treeinfo('Fedora', '40', { x86_64: PXEBOOT }, pxeboot), ...pxeboot },
    openSUSE: { CHECKSUMS: sums(loader), ...loader },
    Arch: { 'arch/boot/x86_64/vmlinuz-linux': KERNEL, 'arch/boot/x86_64/initramfs-linux.img': INITRD },
    Alpine: { 'boot/vmlinuz-lts': KERNEL, 'boot/initramfs-lts': INITRD },
  };
  for (const [name, files] of Object.entries(media)) {
    if (process.arch !== 'x64' && /amd|x86_64/.test(Object.keys(files).join())) continue;
    const tree = join(folder(t), 'a tree');
    for (const [path, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), bytes);
    }
    for (const location of [tree, `file://${encodeURI(tree)}/`]) {
      const r = await fetchFrom(t, [`--location=${location}`, '--args=console=hvc0']);
      t.equal(wrong(r, 'console=hvc0'), undefined, name);
      t.match(r.err, /note: the installer looks for its packages on the medium itself/);
    }
  }
});

t.test('--args, --kernel, --ramdisk, -n, a disk that toolstacks name', async (t) => {
  const { url, requests } = await serve(
    t,
    Object.fromEntries(Object.entries(di('current/images/', true)).map(([k, v]) => [DI + k, v])),
  );
  const at = `--location=${url}${DI}`;
  const added = await fetchFrom(t, [at, '--args=a "b c"', '/dev/null/no-disk']);
  t.equal(wrong(added, 'a "b c"'), undefined);

  const named = await fetchFrom(t, [
    at,
    '--kernel=/current/images/netboot/debian-installer/amd64/linux',
    '--args=x',
  ]);
  t.equal(named.status, 0, named.err);
  t.ok(named.kernel?.equals(OTHER));
  t.equal(named.ramdisk, undefined);
  t.equal(named.left.length, 1);
  t.notMatch(named.err, /checksum/);

  for (const bad of ['../x', '/a/../../x', 'http://other/x', '', 'a?b', 'a//b']) {
    const r = await fetchFrom(t, [at, `--kernel=${bad}`]);
    t.match(r.err, /RuntimeError: .*--kernel names a path outside the tree/, bad);
    t.same([r.status, r.left], [1, []]);
  }

  requests.length = 0;
  const dry = await fetchFrom(t, [at, '-n', '--args=x']);
  t.same(JSON.parse(dry.out), {
    kernel: `<kernel:${url}${DI}current/images/netboot/xen/vmlinuz>`,
    ramdisk: `<ramdisk:${url}${DI}current/images/netboot/xen/initrd.gz>`,
    args: 'x',
    entry: "Debian's installer",
  });
  t.notOk(
    requests.some((line) => /^GET .*(vmlinuz|initrd)/.test(line)),
    'nothing is fetched',
  );
  t.same(dry.left, []);
});

t.test('every output format', async (t) => {
  const { url } = await serve(
    t,
    Object.fromEntries(Object.entries(pxeboot).map(([k, v]) => [`/os/${k}`, v])),
  );
  for (const [format, form] of [
    ['simple', /^kernel (\/\S+boot_kernel\.\w{8})\nramdisk (\/\S+)\nargs inst\.repo=\S+\n\n$/],
    ['simple0', /^kernel (\/\S+boot_kernel\.\w{8})\0ramdisk (\/\S+)\0args inst\.repo=\S+\0\0$/],
    ['sxp', /^linux \(kernel '\/\S+'\)\(ramdisk '\/\S+'\)\(args 'inst\.repo=\S+'\)$/],
  ] as const) {
    const r = await fetchFrom(t, [`--location=${url}/os`, `--output-format=${format}`]);
    t.match(r.out, form);
  }
  const result = join(folder(t), 'result');
  const r = await fetchFrom(t, [`--location=${url}/os`, `--output=${result}`]);
  t.same([r.status, r.out], [0, '']);
});

t.test('what cannot be meant', async (t) => {
  for (const [args, reason] of [
    [['--location=ftp://x/'], /http, https, file or a directory/],
    [['--location=http://[x/'], /no URL/],
    [['--location=http://x/?a=b'], /neither \? nor #/],
    [['--location=file://host/x'], /names no host/],
    [['--location=/none/such'], /ENOENT/],
    [[`--location=${__filename}`], /no directory; an ISO image is a disk/],
    [['--location=/', '-l'], /no entries to list/],
    [['--location=/', '--sandbox=strict'], /--sandbox=strict cannot be had: it has no network/],
    [['--location=/', '--runas=0'], /keep all privileges/],
  ] as const) {
    const r = await fetchFrom(t, args);
    t.match(r.err, reason, args.join(' '));
    t.equal(r.err.match(/RuntimeError: /g)?.length, 1);
    t.same([r.status, r.out, r.left], [1, '', []]);
  }
});
