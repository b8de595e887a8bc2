/** Expected values: loader.conf(5), boot.cfg(5), and what the kernels read of a command line (README). */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { GuestError } from '../../../lib/bytes/errors';
import { elf, FREEBSD } from '../../kernel/elf';
import { cpuMs, rounds } from '../../support';
import { evaluate, mutations } from '../dialect';
import type { MemoryTree } from '../memfs';
import { config } from '../sections';

const bsd = dialects.find((dialect) => dialect.name === 'bsd')!;
const HVM = elf({ segment: [{ name: 'FreeBSD', type: 1, text: 'abcd' }] });

const freebsd = (
  loader: string,
  more: MemoryTree = {},
  fstab = '/dev/ada0p2\t/\tufs\trw\t1\t1\n',
): MemoryTree => ({
  boot: {
    kernel: { kernel: FREEBSD },
    'kernel.old': { kernel: HVM },
    test: { kernel: FREEBSD },
    lua: {},
    defaults: {
      'loader.conf': 'kernel="kernel"\nautoboot_delay="10"\nloader_conf_files="x"\nhw.defaulted="1"\n',
    },
    'loader.conf': loader,
    ...more,
  },
  etc: { fstab },
});
const KERNEL = '/boot/kernel/kernel';

t.test('FreeBSD', async (t) => {
  const { menu } = evaluate(bsd, KERNEL, freebsd(config('bsd', 'loader.conf')));
  t.same(
    menu.entries.map((e) => e.title),
    ['FreeBSD (kernel)', 'FreeBSD (kernel.old)', 'FreeBSD (test)'],
  );
  t.same([menu.default, menu.timeout], [[0], 3]);
  const target = menu.entries[0]!.resolve();
  t.equal(target.problem, null);
  t.equal(
    target.args,
    'vfs.root.mountfrom=ufs:/dev/ada0p2,kern.hz=100,boot_verbose=YES,hint.acpi.0.disabled=1,vfs.zfs.arc_max=512M,-s',
  );
  t.match(target.notes, [/modules .*zfs$/, /bad .*blank or comma/, /starts as PVH .*not as PV/]);
  t.equal(target.mergeArgs?.('boot_single=1  x=y'), `${target.args},boot_single=1,x=y`);
  t.match(menu.entries[1]!.resolve().problem, /no note for Xen .*HVM only/);

  const args = (text: string, fstab?: string) =>
    evaluate(bsd, KERNEL, freebsd(text, {}, fstab)).menu.entries[0]!.resolve().args;
  t.equal(args('vfs.root.mountfrom="zfs:zroot/ROOT/default"'), 'vfs.root.mountfrom=zfs:zroot/ROOT/default');
  t.equal(args('a.b="1"\na.b="2"'), 'vfs.root.mountfrom=ufs:/dev/ada0p2,a.b=2');
  t.equal(args('', ''), '');
  const chosen = evaluate(
    bsd,
    KERNEL,
    freebsd('kernel="none"\nautoboot_delay="NO"\nkernels_autodetect="NO"', {
      'loader.conf.local': 'kernel=test',
    }),
  );
  t.same(
    chosen.menu.entries.map((e) => e.title),
    ['FreeBSD (test)', 'FreeBSD (kernel)', 'FreeBSD (kernel.old)'],
  );
  t.equal(chosen.menu.timeout, -1);
  const missing = evaluate(bsd, KERNEL, freebsd('kernel="none"')).menu;
  t.match(missing.entries[0]!.resolve().problem, /\/boot\/none\/kernel: not found/);
});

t.test('NetBSD', async (t) => {
  const guest = 'GUEST_OS=netbsd,XEN_VER=xen-3.0,LOADER=generic';
  const tree: MemoryTree = {
    netbsd: elf({ guest }),
    'netbsd.old': HVM,
    'boot.cfg': config('bsd', 'boot.cfg'),
    etc: { fstab: '/dev/xbd0a / ffs rw 1 1' },
  };
  const { menu } = evaluate(bsd, '/netbsd', tree);
  t.same(
    menu.entries.map((e) => e.title),
    ['Boot normally', 'Boot single user', 'Drop to boot prompt'],
  );
  t.same([menu.default, menu.timeout], [[1], 7]);
  const [first, second, third] = menu.entries.map((e) => e.resolve());
  t.same([first?.problem, first?.args], [null, 'root=xbd0a']);
  t.match(first?.notes, [/starts as PV, not as PVH/]);
  t.same([second?.kernel?.path, second?.args], ['/netbsd.old', 'root=xbd0a -s']);
  t.match(second?.problem, /no note/);
  t.ok(third?.problem);
  const alone = evaluate(bsd, '/netbsd', { netbsd: '\x1f\x8b' }).menu;
  t.match(alone.entries[0]!.resolve().problem, /is compressed/);
});

t.test('OpenBSD, and what is no kernel', async (t) => {
  t.match(evaluate(bsd, '/bsd', { bsd: elf({}) }).menu.entries[0]!.resolve().problem, /no note for Xen/);
  t.match(evaluate(bsd, '/bsd', { bsd: 'text' }).menu.entries[0]!.resolve().problem, /no ELF kernel/);
  const broken = Buffer.from(FREEBSD);
  broken.writeUInt32LE(0xffffff, 32);
  t.match(evaluate(bsd, '/bsd', { bsd: broken }).menu.entries[0]!.resolve().problem, /beyond the end/);
});

t.test('damaged configurations', async (t) => {
  const run = (path: string, tree: MemoryTree) => {
    try {
      for (const entry of evaluate(bsd, path, tree).menu.entries) entry.resolve();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  };
  let n = 0;
  for (const text of mutations(config('bsd', 'loader.conf'), 1500, 2)) {
    run(KERNEL, freebsd(text, { 'loader.conf.local': text }, text));
    n++;
  }
  for (const text of mutations(config('bsd', 'boot.cfg'), 1500, 2)) {
    run('/netbsd', { netbsd: FREEBSD, 'boot.cfg': text });
    n++;
  }
  t.equal(n, 2 * rounds(1500));
  const started = cpuMs();
  run(KERNEL, freebsd(`a="${'\\"'.repeat(400_000)}`));
  run(KERNEL, freebsd('a'.repeat(1_000_000)));
  t.ok(cpuMs() - started < 3000, 'in time');
  const { menu } = evaluate(bsd, KERNEL, freebsd('a.b="1"\nc.d="unclosed\n'));
  t.match(menu.entries[0]!.resolve().args, /a\.b=1/, 'what stood before a broken line');
});
