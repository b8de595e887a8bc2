/** Direct Kernel Boot: what is printed, read by Xen's own parser of xl.cfg, by libvirt's schema and by QEMU. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { machineOf, snippets } from '../../lib/output/snippets';
import { ROOT } from '../support';
import { CLEAN_ENV, must, NODEGRUB, run, scratch } from './support';

const dir = scratch(t);
const HARD = `root=LABEL="a b" x='y' $(id) \\ \\n q\\"<&> ]]> ä`;
const machine = (path: string, args: string, xen = false) =>
  machineOf(
    {
      kernel: '/out/k "1"',
      ramdisk: `/out/r'\\`,
      args: Buffer.from(args).toString('latin1'),
      entry: 'A -- B',
    },
    { operands: [path, '/dev/vg/two'], image: undefined },
    [],
    { xen, arch: 'x64' },
  );

/** xlu_cfg_readdata, xlu_cfg_get_string, xlu_disk_parse: the ones that xl calls (libxlutil.h). */
const LIBXLU = `
import ctypes, glob, json, sys
lib = ctypes.CDLL(sorted(glob.glob('/usr/lib/*/libxlutil.so.*'))[0])
libc = ctypes.CDLL(None)
lib.xlu_cfg_init.restype = ctypes.c_void_p
lib.xlu_cfg_init.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.xlu_cfg_get_listitem.restype = ctypes.c_char_p
lib.xlu_cfg_get_listitem.argtypes = [ctypes.c_void_p, ctypes.c_int]
stderr = ctypes.c_void_p.in_dll(libc, 'stderr')
cfg = lib.xlu_cfg_init(stderr, b'snippet')
text = sys.stdin.buffer.read()
lib.xlu_cfg_readdata.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
if lib.xlu_cfg_readdata(cfg, text, len(text)): sys.exit('not read')
lib.xlu_cfg_get_string.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
lib.xlu_cfg_get_list.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
out = {}
for name in ('name', 'type', 'kernel', 'ramdisk', 'cmdline', 'memory'):
    value = ctypes.c_char_p()
    lib.xlu_cfg_get_string(cfg, name.encode(), ctypes.byref(value), 0)
    out[name] = value.value.decode() if value.value is not None else None
disks, count = ctypes.c_void_p(), ctypes.c_int()
lib.xlu_cfg_get_list(cfg, b'disk', ctypes.byref(disks), ctypes.byref(count), 0)
out['disk'] = [lib.xlu_cfg_get_listitem(disks, i).decode() for i in range(count.value)]
print(json.dumps(out))
`;

t.test('xl: what libxlu reads', async (t) => {
  const path = `/d/it's "a, b" \\ $HOME.img`;
  const { status, stdout, stderr } = run('python3', ['-c', LIBXLU], {
    input: Buffer.from(snippets.xl!(machine(path, HARD))),
  });
  t.equal(status, 0, stderr);
  t.same(JSON.parse(stdout), {
    name: 'it-s--a--b-----HOME',
    type: 'pvh',
    kernel: '/out/k "1"',
    ramdisk: `/out/r'\\`,
    cmdline: HARD,
    memory: '1024',
    disk: [
      `format=raw,vdev=xvda,access=rw,target=${path}`,
      'format=raw,vdev=xvdb,access=rw,target=/dev/vg/two',
    ],
  });
});

t.test('libvirt: its own schema, and what an XML parser makes of it', async (t) => {
  for (const xen of [false, true]) {
    const path = `/d/it's "a" <b> & c.img`;
    const file = join(dir, `${xen}.xml`);
    writeFileSync(file, snippets.libvirt!(machine(path, HARD, xen)));
    const { status, stdout, stderr } = run('virt-xml-validate', [file, 'domain']);
    t.equal(status, 0, stdout + stderr);
    const at = (xpath: string) =>
      Buffer.from(must('xmllint', '--xpath', `string(${xpath})`, file), 'latin1')
        .toString()
        .replace(/\n$/, '');
    t.equal(at('/domain/os/cmdline'), HARD);
    t.equal(at('/domain/os/kernel'), '/out/k "1"');
    t.equal(at('/domain/devices/disk[1]/source/@file'), path);
    t.equal(at('/domain/devices/disk[2]/source/@dev'), '/dev/vg/two');
    t.equal(at('/domain/@type'), xen ? 'xen' : 'kvm');
  }
});

const built = spawnSync('bash', [join(ROOT, 'bench/disks/debian12.sh')], {
  encoding: 'utf8',
  env: { ...process.env, NODE_OPTIONS: '' },
});

t.test(
  'QEMU: the printed command brings Debian to its userland',
  { skip: built.status === 77 && built.stderr.trim(), timeout: 600_000 },
  async (t) => {
    const disk = built.stdout.trim();
    const uuid = JSON.parse(readFileSync(join(dirname(disk), 'disk.json'), 'utf8')).uuid;
    // The disk has no init of its own (debootstrap's minbase): a shell on its root is its userland.
    const added = '--args=console=ttyS0 init=/bin/sh';
    const args = ['-q', '--output-format=qemu', `--output-directory=${dir}`, added];
    const { status, stdout, stderr } = run(NODEGRUB, [...args, disk]);
    t.equal(status, 0, stderr);
    t.match(stdout, uuid);
    // Emulated: nested KVM may be there and not work. -snapshot: the disk is other tests' too.
    const command = stdout
      .replace('-accel kvm ', '')
      .replace(/-nographic\n$/, '-nographic -snapshot -no-reboot\n');
    t.equal(command.length, stdout.length - 11 + 21, 'otherwise as it was printed');
    const machine = spawn('sh', ['-c', command], { env: CLEAN_ENV, stdio: 'pipe', detached: true });
    let seen = '';
    await new Promise<void>((done) => {
      const more = (chunk: Buffer) => {
        const prompted = seen.endsWith('# ');
        seen += chunk.toString('latin1');
        // The echo of what is typed has the quotes in it.
        if (!prompted && seen.endsWith('# '))
          machine.stdin.write('. /etc/os-release; echo "in $ID"" $VERSION_ID"\n');
        if (/in debian 12/.test(seen)) done();
      };
      machine.stdout.on('data', more);
      machine.stderr.on('data', more);
      machine.stdin.on('error', () => {});
      machine.on('exit', () => done());
    });
    if (machine.exitCode === null) process.kill(-machine.pid!, 'SIGKILL');
    t.match(seen, /in debian 12/, seen.slice(-2000));
    t.ok(readdirSync(dir).some((name) => name.startsWith('boot_kernel')));
  },
);
