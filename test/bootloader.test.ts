/** Which of several configurations boots, over disks in memory. */
import t from 'tap';
import { Bootloader } from '../lib/bootloader';
import { MemorySource } from '../lib/source/types';
import { MemoryFs, type MemoryTree } from './boot/memfs';

/** A run over disks that hold one filesystem each. */
function run(...trees: MemoryTree[]): { loader: Bootloader; said: string[] } {
  const said: string[] = [];
  const disks = trees.map((_, i) => new MemorySource(Buffer.alloc(512), `disk${i}`));
  const loader = new Bootloader({
    disks,
    openAs: (source) => {
      const at = disks.findIndex((d) => source.label === d.label);
      return at < 0 ? undefined : new MemoryFs(trees[at]!);
    },
    quiet: true,
    guess: true,
    say: (line) => void said.push(line),
  });
  return { loader, said };
}

const grub = (config: string, more: MemoryTree = {}): MemoryTree => ({
  boot: { grub: { 'grub.cfg': config }, ...more },
});
const linux = (name: string) =>
  grub(`menuentry ${name} { linux /boot/vmlinuz ${name} }`, { vmlinuz: 'kernel' });
const PV = { xen: { 'pvboot-x86_64.elf': 'ELF' } };
const chain = grub('menuentry PVGrub { multiboot /boot/xen/pvboot-x86_64.elf }', PV);

t.test('an entry that starts PVGrub leads to the next configuration', async (t) => {
  const { loader, said } = run(chain, linux('inner'));
  t.equal(loader.decide(undefined)?.target.args, 'inner');
  t.match(said.join('\n'), /starts PVGrub: the next configuration is looked for/);
  t.equal(run(chain, linux('inner')).loader.list()?.entries[0]?.target.args, 'inner');
});

t.test('alone, PVGrub itself is the kernel, before any guess', async (t) => {
  const alone = { boot: { ...(chain.boot as MemoryTree), 'vmlinuz-6.1': 'kernel' } };
  const decision = run(alone).loader.decide(undefined);
  t.equal(decision?.target.kernel?.path, '/boot/xen/pvboot-x86_64.elf');
  t.equal(run(alone).loader.list()?.entries[0]?.choice.titles[0], 'PVGrub');
});

t.test('a next configuration that does not boot is not papered over', async (t) => {
  const broken = grub('menuentry gone { chainloader +1 }\nmenuentry good { linux /boot/vmlinuz }', {
    vmlinuz: 'k',
  });
  t.equal(run(chain, broken).loader.decide(undefined), undefined);
});
