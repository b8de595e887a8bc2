/** The rules of `zfs-bootfs=`; expected values by pygrub 4.17's two regular expressions, run in Python. */
import t from 'tap';
import { drivers, openFileSystem } from '../../fsdrivers';
import { namedBootfs, withBootString } from '../../lib/cli/zfs';
import { CachedFileSystem } from '../../lib/fs/cached';
import { MemoryFs } from '../boot/memfs';
import { context, source } from '../support';

t.test('the dataset that --args names', async (t) => {
  t.equal(namedBootfs('zfs-bootfs=rpool/ROOT/snv'), 'rpool/ROOT/snv');
  t.equal(namedBootfs('-v -B zfs-bootfs=rpool/57,console=ttya'), 'rpool/57');
  t.equal(namedBootfs('root=/dev/x'), undefined);
  t.equal(namedBootfs('zfs-bootfs= x'), undefined);
});

t.test('what the filesystem says goes into the arguments', async (t) => {
  const found = 'zfs-bootfs=rpool/57,bootpath="/xpvd/xdf@51712:a"';
  t.equal(withBootString('/unix -B zfs-bootfs=rpool/ROOT -v', found), `/unix -B ${found} -v`);
  t.equal(withBootString('/unix -v', found), `/unix -v -B ${found}`);
  t.equal(withBootString('', found), '');
  t.equal(withBootString('zfs-bootfs=a $&', 'x$&'), 'x$& $&', 'no pattern of a replacement');
});

t.test('it survives the cache of names, and the name reaches the driver', async (t) => {
  const fs = Object.assign(new MemoryFs({}), { bootString: 'zfs-bootfs=p/1' });
  t.equal(new CachedFileSystem(fs).bootString, 'zfs-bootfs=p/1');
  const ext = [...drivers()].find((d) => d.name === 'ext')!;
  const real = ext.load();
  let bootfs: string | undefined;
  t.intercept(real, 'open', {
    value: (...[, , options]: Parameters<typeof real.open>) => {
      bootfs = options?.bootfs;
    },
  });
  openFileSystem(source('ext-ext4.img'), context(), () => [], 'p/2');
  t.equal(bootfs, 'p/2');
});
