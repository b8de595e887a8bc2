/**
 * `--write-env` on real filesystems: what grub-reboot, grub-set-default and grub-editenv wrote, booted with a real grub-mkconfig's
 * head, and read back with grub-editenv after debugfs or mtools took the file out; e2fsck finds nothing.
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isSound, planned, SECTOR } from '../../lib/writeenv/plan';
import { boot, makeDisk, must, NODEGRUB, type Part, run, scratch } from './support';

const dir = scratch(t);
/** As grub-mkconfig writes it (00_header), with GRUB_SAVEDEFAULT's function. */
const CONFIG = `if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "\${next_entry}" ] ; then
   set default="\${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="\${saved_entry}"
fi
function savedefault {
  if [ -z "\${boot_once}" ]; then
    saved_entry="\${chosen}"
    save_env saved_entry
  fi
}
menuentry one --id one { savedefault; linux /boot/vmlinuz one }
menuentry two --id two { savedefault; linux /boot/vmlinuz two }
`;

let made = 0;
/** A guest whose /boot/grub has a grubenv that `grub-editenv` made and grub-reboot or the like filled. */
function guest(fs: Part['fs'], env: (boot: string) => void, table: 'gpt' | 'none' = 'gpt'): string {
  const boot = join(dir, `grub${made}`);
  mkdirSync(join(boot, 'grub'), { recursive: true });
  must('grub-editenv', join(boot, 'grub/grubenv'), 'create');
  env(boot);
  const path = join(dir, `disk${made++}.img`);
  const tree = {
    'boot/grub/grub.cfg': CONFIG,
    'boot/grub/grubenv': readFileSync(join(boot, 'grub/grubenv')),
    'boot/vmlinuz': 'kernel',
  };
  makeDisk(path, table, [{ fs, tree, size: fs === 'fat32' ? 40_000 : 8192 }]);
  return path;
}

const reboot = (entry: string) => (boot: string) => must('grub-reboot', `--boot-directory=${boot}`, entry);
const setDefault = (entry: string) => (boot: string) =>
  must('grub-set-default', `--boot-directory=${boot}`, entry);

/** The partition of a disk, cut out. */
function partition(disk: string): string {
  const part = `${disk}.part`;
  const bytes = readFileSync(disk);
  writeFileSync(
    part,
    bytes.toString('latin1', 512, 520) === 'EFI PART' ? bytes.subarray(1 << 20, -(1 << 20)) : bytes,
  );
  return part;
}

/** What grub-editenv reads in the guest's grubenv, taken out by debugfs or mtools. */
function list(disk: string, fs: Part['fs']): string {
  const part = partition(disk);
  const out = `${disk}.env`;
  if (fs.startsWith('ext')) must('debugfs', '-R', `dump /boot/grub/grubenv ${out}`, part);
  else must('mcopy', '-n', '-o', '-i', part, '::/boot/grub/grubenv', out);
  return must('grub-editenv', out, 'list');
}

function sound(disk: string, fs: Part['fs']): void {
  if (fs.startsWith('ext')) must('e2fsck', '-fn', partition(disk));
  else must('fsck.vfat', '-n', partition(disk));
}

for (const fs of ['ext2', 'ext4', 'fat16', 'fat32'] as const) {
  t.test(`grub-reboot on ${fs} works once`, async (t) => {
    const disk = guest(fs, (b) => {
      setDefault('one')(b);
      reboot('two')(b);
    });
    const before = readFileSync(disk);
    const without = boot(NODEGRUB, dir, [disk]);
    t.equal(without.args, 'two', without.stderr);
    t.match(without.stderr, /next_entry asks for one boot only, but guest disks are not written/);
    t.ok(readFileSync(disk).equals(before), 'off by default: not a byte');
    const first = boot(NODEGRUB, dir, ['--write-env', disk]);
    t.equal(first.args, 'two', first.stderr);
    t.match(first.stderr, /grubenv is written/);
    t.notMatch(first.stderr, /one boot only/);
    t.equal(list(disk, fs), 'saved_entry=one\nnext_entry=\n');
    sound(disk, fs);
    const after = readFileSync(disk);
    const different = [...before.keys()].filter((i) => before[i] !== after[i]);
    t.ok(different.length > 0 && different.at(-1)! - different[0]! < SECTOR, 'inside one sector');
    const second = boot(NODEGRUB, dir, ['--write-env', disk]);
    t.equal(second.args, 'one', second.stderr);
    t.equal(
      list(disk, fs),
      'saved_entry=one\nnext_entry=\n',
      'savedefault: the same again, nothing to write',
    );
  });
}

t.test('savedefault keeps what was chosen', async (t) => {
  const disk = guest('ext4', setDefault('one'), 'none');
  const r = boot(NODEGRUB, dir, ['--write-env', '--entry=two', disk]);
  t.equal(r.args, 'two', r.stderr);
  t.equal(list(disk, 'ext4'), 'saved_entry=two\n');
  sound(disk, 'ext4');
  t.equal(boot(NODEGRUB, dir, [disk]).args, 'two');
});

t.test('only a boot writes', async (t) => {
  const disk = guest('ext4', reboot('two'));
  const before = readFileSync(disk);
  run(NODEGRUB, ['-l', '--write-env', disk]);
  run(NODEGRUB, ['-q', '-n', '--write-env', disk]);
  t.match(boot(NODEGRUB, dir, ['--write-env', '--kernel=/none', disk]), { status: 1 });
  t.ok(readFileSync(disk).equals(before));
});

t.test('what is refused', async (t) => {
  const refused = (disk: string, why: RegExp, ...more: string[]) => {
    const before = readFileSync(disk);
    const r = boot(NODEGRUB, dir, ['--write-env', ...more, disk]);
    t.equal(r.status, 0, r.stderr);
    t.equal(r.args, 'two');
    t.match(r.stderr, why);
    t.match(r.stderr, /will be used again next time/);
    t.ok(readFileSync(disk).equals(before), 'not a byte');
  };
  const start = guest('ext4', reboot('two'), 'none');
  const copy = (name: string) => {
    const path = join(dir, name);
    copyFileSync(start, path);
    return path;
  };
  const readOnly = copy('ro.img');
  chmodSync(readOnly, 0o444);
  refused(readOnly, /the disk is read-only/);
  const dirty = copy('dirty.img');
  must('debugfs', '-w', '-R', 'feature needs_recovery', dirty);
  refused(dirty, /journal has not been replayed|does not lie on the disk as it is/);
  const verity = copy('verity.img');
  must('debugfs', '-w', '-R', 'set_inode_field /boot/grub/grubenv flags 0x180000', verity);
  refused(verity, /fs-verity/);
  const short = copy('short.img');
  must(
    'sh',
    '-c',
    `head -c 800 </dev/zero | tr '\\0' '#' >${dir}/x; printf '# GRUB Environment Block\\nnext_entry=two\\n' | cat - ${dir}/x >${dir}/short.env`,
  );
  must('debugfs', '-w', '-R', 'rm /boot/grub/grubenv', short);
  must('debugfs', '-w', '-R', `write ${dir}/short.env /boot/grub/grubenv`, short);
  refused(short, /bytes, not 1,024/);
  const qcow = join(dir, 'image.qcow2');
  must('qemu-img', 'convert', '-O', 'qcow2', start, qcow);
  refused(qcow, /does not lie on the disk as it is/);
  const offset = guest('ext4', reboot('two'));
  refused(offset, /does not lie on the disk as it is/, '--offset=1048576');
  const member = copy('member.img');
  // An array's member with its metadata at the end looks like what the array holds.
  const size = readFileSync(member).length;
  must('truncate', '-s', String(size + (1 << 20)), member);
  const uuid = '11111111:22222222:33333333:44444444';
  const loop = run('losetup', ['-f', '--show', member]);
  if (loop.status === 0) {
    const made = run('mdadm', [
      '--create',
      '/dev/md/nodegrub-test',
      '--run',
      '--metadata=1.0',
      '--level=1',
      '--force',
      `--uuid=${uuid}`,
      '-n1',
      loop.stdout.trim(),
    ]);
    run('mdadm', ['--stop', '/dev/md/nodegrub-test']);
    run('losetup', ['-d', loop.stdout.trim()]);
    if (made.status === 0) refused(member, /does not lie on the disk as it is|RAID/);
    else t.comment(`no md here: ${made.stderr}`);
  }
  const strict = boot(NODEGRUB, dir, ['--write-env', '--sandbox=strict', start]);
  t.match(strict, { status: 1, stderr: /--write-env is not for the strict sandbox/ });
});

t.test('every mixture of sectors, read by grub-editenv', async (t) => {
  const file = join(dir, 'mixture');
  const make = (pairs: readonly (readonly [string, string])[]) => {
    must('grub-editenv', file, 'create');
    for (const [name, value] of pairs) must('grub-editenv', file, 'set', `${name}=${value}`);
    return readFileSync(file, 'latin1');
  };
  const read = (block: string) => {
    writeFileSync(file, block, 'latin1');
    return new Map(
      must('grub-editenv', file, 'list')
        .split('\n')
        .filter(Boolean)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  };
  let both = 0;
  let none = 0;
  for (const filler of [10, 300, 430, 440, 450, 455, 460, 470, 600]) {
    const pairs = [
      ['saved_entry', 'gnulinux-simple'],
      ['next_entry', 'gnulinux-advanced>other'],
      ['long', 'x'.repeat(filler)],
      ['last', 'kept'],
    ] as const;
    const before = make(pairs);
    must('grub-editenv', file, 'set', 'next_entry=');
    const cleared = readFileSync(file, 'latin1');
    must('grub-editenv', file, 'unset', 'next_entry');
    const unset = readFileSync(file, 'latin1');
    must('grub-editenv', file, 'set', `saved_entry=${'y'.repeat(60)}`);
    const longer = readFileSync(file, 'latin1');
    for (const after of [cleared, unset, longer]) {
      t.ok(isSound(before) && isSound(after));
      const plan = planned(before, after);
      if (!plan) {
        none++;
        continue;
      }
      t.same(read(plan.block), read(after), 'what is written says what GRUB would have said');
      const half = (block: string, i: number) => block.slice(i * SECTOR, (i + 1) * SECTOR);
      const disk = [half(before, 0), half(before, 1)];
      if (plan.order.length === 2) both++;
      for (const sector of [-1, ...plan.order]) {
        if (sector >= 0) disk[sector] = half(plan.block, sector);
        const now = read(disk.join(''));
        const [old, next] = [read(before), read(after)];
        for (const name of new Set([...old.keys(), ...next.keys(), ...now.keys()]))
          t.ok(
            now.get(name) === old.get(name) || now.get(name) === next.get(name),
            `filler ${filler}: ${name} is '${now.get(name)}' after sector ${sector}`,
          );
      }
      t.equal(disk.join(''), plan.block);
    }
  }
  t.comment(`${both} in two steps, ${none} refused`);
  t.ok(none < 9, 'most can be written');
});

t.test('nothing is left', async (t) => {
  const left = readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`--inside=env\0{"path":"${dir}`);
    } catch {
      return false;
    }
  });
  t.same(left, []);
});
