/** cramfs by mkfs.cramfs over its options, and with the newer block pointers; against the tree and the Linux kernel's reader. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT, sample } from '../support';
import { must, scratch } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const tree = join(dir, 'tree');
// Names have 63 units of 4 bytes; files end below 16 MiB.
plantTree(tree, { files: 300, fifo: true, longest: 252, sparse: false });
// A hole of its own, and one behind the last bytes.
const gaps = Buffer.alloc(300_000);
gaps.write('piece', 0);
gaps.write('piece', 200_000);
writeFileSync(join(tree, 'gaps'), gaps);
// mkfs.cramfs lets it share its bytes with the file of that name, and Linux then takes them for one.
rmSync(join(tree, 'links/umlaut'));
const inserted = join(dir, 'inserted');
writeFileSync(inserted, Buffer.alloc(30_000, 'kernel '));

const made: string[] = [];
/** Makes it, and sets it among those that Linux reads at the end. */
function same(name: string, make: (image: string) => void, byLinux = true, identity = true): void {
  t.test(name, async (t) => {
    const image = join(dir, `image-${made.length}`);
    make(image);
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    if (identity) sameIdentity(t, opened.fs, image);
    if (byLinux) made.push(image);
    else rmSync(image);
  });
}

for (const options of [
  '-N little',
  '-N little -z -n a-name -e 7',
  `-N little -p -i ${inserted}`,
  '-N big -p',
  `-N big -z -i ${inserted}`,
])
  same(
    `mkfs.cramfs ${options}`,
    (image) => must('mkfs.cramfs', ...options.split(' '), tree, image),
    !options.includes('big'),
    // It sums from the beginning on, and does not know these.
    !options.includes('-p'),
  );
for (const size of ['512', '65536'])
  same(
    `mkfs.cramfs -b ${size}`,
    (image) => must('mkfs.cramfs', '-z', '-b', size, tree, image),
    // It knows its own pages alone.
    false,
  );
same(
  'swapped by cramfsswap',
  (image) => {
    must('mkfs.cramfs', tree, `${image}.little`);
    must('cramfsswap', `${image}.little`, image);
  },
  false,
);
same('version 1', (image) => {
  must('mkfs.cramfs', tree, image);
  const bytes = readFileSync(image);
  bytes.writeUInt32LE(1 << 28, 4);
  bytes.writeUInt32LE(bytes.readUInt32LE(8) & ~1, 8);
  bytes.fill(0, 32, 48);
  writeFileSync(image, bytes);
});
same('block pointers of every kind', (image) =>
  must('python3', join(ROOT, 'fixtures/recipes/cramfs-writer.py'), tree, image),
);

t.test('Linux reads the same', async (t) => {
  const list =
    'export LC_ALL=C; find . -printf "%y %P %l\\n" | sort; find . -type f -exec sha256sum {} + | sort';
  must('bash', '-c', `cd ${tree} && { ${list}; } >${dir}/of-tree`);
  const shown = sample(made, 2);
  const printed = inLinux(
    dir,
    `mkdir ${dir}/mnt
for image in ${shown.join(' ')}; do
  mount -o loop,ro -t cramfs $image ${dir}/mnt || { echo "$image: not mounted"; continue; }
  (cd ${dir}/mnt && ${list}) >${dir}/of-image
  diff ${dir}/of-tree ${dir}/of-image | head -5 && cmp -s ${dir}/of-tree ${dir}/of-image && echo "$image: same"
  umount ${dir}/mnt
done`,
    ['fs/cramfs/cramfs'],
  );
  t.same(
    printed.trim().split('\n'),
    shown.map((image) => `${image}: same`),
  );
});
