/** Direct Kernel Boot: what is printed is read by the shell and by JSON here, by libxlu, libvirt and QEMU in test/peers/snippets.test.ts. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { formatResult, type Result } from '../../lib/output/format';
import type { FurtherFormat } from '../../lib/output/further';
import { machineOf, snippets } from '../../lib/output/snippets';
import { MemorySource } from '../../lib/source/types';

const result: Result = {
  kernel: '/out/k',
  ramdisk: '/out/r',
  args: `root=LABEL="a b" x='y' $(id) \\ "q`,
  entry: 'T',
};
const host = { xen: false, arch: 'x64' };
const snippet = (
  format: string,
  path: string,
  more: Partial<Result> = {},
  heads: Buffer[] = [],
  image?: object,
) =>
  snippets[format]!(
    machineOf(
      { ...result, ...more },
      { operands: [path], image: image as never },
      heads.map((head) => new MemorySource(head, path)),
      host,
    ),
  );

/** The words that a shell makes of a command, without running it. */
function words(command: string): string[] {
  const script = `${command.replace(/^(#.*\n)(\S+)/, '$1show $2')}`;
  const out = execFileSync('/bin/sh', ['-c', `show() { for w do printf '%s\\0' "$w"; done; }\n${script}`]);
  return out.toString().split('\0').slice(0, -1);
}

t.test('commands are words for a shell', async (t) => {
  const path = `/d/it's "a, b" $HOME.img`;
  const qemu = words(snippet('qemu', path));
  const after = (list: string[], name: string) => list[list.indexOf(name) + 1];
  t.equal(after(qemu, '-append'), result.args);
  t.equal(after(qemu, '-kernel'), '/out/k');
  t.equal(after(qemu, '-initrd'), '/out/r');
  t.equal(after(qemu, '-drive'), `file=${path.replaceAll(',', ',,')},format=raw,if=virtio`);
  const cloud = words(snippet('cloud-hypervisor', '/d/guest.img'));
  t.equal(after(cloud, '--cmdline'), result.args);
  t.equal(after(cloud, '--disk'), 'path=/d/guest.img');
  t.notOk(words(snippet('qemu', path, { ramdisk: undefined })).includes('-initrd'));
});

t.test('a title cannot become a command', async (t) => {
  for (const entry of ['a\ntouch /tmp/x', 'b\r', '\x1b[31m', "-->'", '--'])
    for (const format of ['qemu', 'xl', 'libvirt', 'cloud-hypervisor']) {
      const [first, second] = snippet(format, '/d', { entry }).split('\n');
      t.match(first, format === 'libvirt' ? /^<!-- [ -~]* -->$/ : /^# [ -~]*$/, `${format}: ${first}`);
      t.notMatch(first!.slice(4, -3), /--/, 'no end of a comment');
      t.match(second, /^(qemu|cloud|name|<domain)/);
    }
});

t.test('JSON', async (t) => {
  t.same(JSON.parse(snippet('firecracker', '/d.img')), {
    'boot-source': { kernel_image_path: '/out/k', initrd_path: '/out/r', boot_args: result.args },
    drives: [{ drive_id: 'disk0', path_on_host: '/d.img', is_root_device: false, is_read_only: false }],
    'machine-config': { vcpu_count: 1, mem_size_mib: 1024 },
  });
});

t.test('the format of a disk', async (t) => {
  const qcow2 = Buffer.from('QFI\xfb\0\0\0\x03', 'latin1');
  t.match(snippet('xl', '/d', {}, [qcow2]), 'format=qcow2,vdev=xvda,access=rw,target=/d"');
  t.match(snippet('xl', '/d', {}, [qcow2], { format: 'raw' }), 'format=raw,', 'as it was named');
  t.match(
    snippet('qemu', '/d.vhd', {}, [Buffer.alloc(512)]),
    'format=vpc',
    "VHD's fixed disks have a name only",
  );
  t.match(snippet('xl', 'relative.img'), `target=${process.cwd()}/relative.img`);
  for (const [format, head] of [
    ['xl', 'vhdxfile'],
    ['firecracker', 'QFI\xfb\0\0\0\x03'],
    ['cloud-hypervisor', 'KDMV'],
  ] as const)
    t.throws(() => snippet(format, '/d', {}, [Buffer.from(head, 'latin1')]), {
      code: 'unsupported',
      message: /convert \/d to raw/,
    });
});

t.test('a disk behind an NBD server', async (t) => {
  const uri = 'nbd+unix:///a,b?socket=/run/x y.sock';
  const qemu = words(snippet('qemu', uri));
  t.equal(
    qemu[qemu.indexOf('-drive') + 1],
    'file=nbd+unix:///a,,b?socket=/run/x y.sock,format=raw,if=virtio',
    'as it is, no path',
  );
  for (const format of ['xl', 'libvirt', 'cloud-hypervisor', 'firecracker'])
    t.throws(() => snippet(format, uri), { code: 'unsupported', message: /attach it/ }, format);
  t.throws(() => snippet('qemu', 'nbds://host/disk'), { code: 'unsupported', message: /attach it/ });
});

t.test('what cannot be said', async (t) => {
  const formats: FurtherFormat[] = ['xl', 'libvirt', 'qemu', 'firecracker', 'cloud-hypervisor'];
  for (const format of formats)
    for (const args of ['a\nb', 'a\x1b[2J', 'a\xff', 'a\0', 'a\x7f'])
      t.throws(
        () => formatResult({ ...result, args }, { format, operands: ['/d'], image: undefined }, []),
        { code: 'unsupported', message: /the arguments/ },
        `${format} ${JSON.stringify(args)}`,
      );
  t.match(snippet('xl', '/d', { args: 'x=\xc3\xa4' }), 'cmdline = "x=ä"', 'UTF-8 goes through');
});
