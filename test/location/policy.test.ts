/** `--policy` and `--location`: sources, hashes, sizes, arguments. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CA, fetchFrom, folder, hash, INITRD, KERNEL, serve } from './server';

const CERTIFICATE = readFileSync(CA);

t.test('rules', async (t) => {
  const { url, requests } = await serve(t, {
    '/os/images/pxeboot/vmlinuz': KERNEL,
    '/os/images/pxeboot/initrd.img': INITRD,
  });
  const at = `--location=${url}/os/`;
  for (const [rules, refused, more = []] of [
    [{}, undefined],
    [{ locations: [`${url}/*`] }, undefined],
    [
      { locations: ['https://deb.debian.org/*'] },
      /refused by policy .*: locations: 'http:\/\/127\.0\.0\.1:\d+\/os\/'/,
    ],
    [{ locations: [] }, /: locations: /],
    [{ volumes: ['hd0,gpt*'] }, /: volumes: a tree of --location is none of them/],
    [{ filesystems: ['ext4'] }, /: filesystems: /],
    [{ dialects: ['grub2'] }, /: dialects: /],
    [{ dialects: ['grub2'], locations: ['*'] }, undefined],
    [{ kernel: { sha256: [hash(KERNEL)] } }, undefined],
    [
      { kernel: { sha256: [hash(INITRD)] } },
      new RegExp(`: kernel\\.sha256: .*/os/images/pxeboot/vmlinuz has the hash ${hash(KERNEL)}`),
    ],
    [{ ramdisk: { sha256: [hash(INITRD)] } }, undefined],
    [{ ramdisk: { sha256: [hash(KERNEL)] } }, /: ramdisk\.sha256: /],
    [{ ramdisk: { maxSize: INITRD.length } }, undefined],
    [{ ramdisk: { maxSize: INITRD.length - 1 } }, /: ramdisk\.maxSize: 10000 bytes, at most 9999/],
    [{ kernel: { maxSize: 100 } }, /: kernel\.maxSize: /],
    [
      { kernel: { signature: { certificates: ['ca.pem'] } } },
      /: kernel\.signature: .*vmlinuz: pe: is no PE image; cms: there is no \.p7s file beside it; raw: there is no \.sig/,
    ],
    [{ arguments: { refused: ['init='] } }, undefined],
    [
      { arguments: { refused: ['init='] } },
      /: arguments\.refused: 'init=\/bin\/sh'/,
      ['--args=init=/bin/sh'],
    ],
    [{ arguments: { refused: ['inst.repo=http:*'] } }, /: arguments\.refused: 'inst\.repo=/],
  ] as [object, RegExp | undefined, string[]?][]) {
    const top = folder(t);
    const policy = join(top, 'policy.json');
    writeFileSync(policy, JSON.stringify(rules));
    writeFileSync(join(top, 'ca.pem'), CERTIFICATE);
    requests.length = 0;
    const r = await fetchFrom(t, [at, `--policy=${policy}`, ...more]);
    const name = JSON.stringify(rules).slice(0, 60);
    if (!refused) {
      t.equal(r.status, 0, `${name}: ${r.err}`);
      t.ok(r.kernel?.equals(KERNEL) && r.ramdisk?.equals(INITRD), name);
      continue;
    }
    t.match(r.err, /RuntimeError: .*refused by policy/);
    t.match(r.err, refused, name);
    t.same([r.status, r.out, r.left], [1, '', []], name);
    if (/locations|volumes|filesystems|dialects/.test(name))
      t.same(requests, [], `${name}: nothing was asked for`);
  }
});

t.test('arguments are changed as a guest’s are', async (t) => {
  const { url } = await serve(t, {
    '/os/images/pxeboot/vmlinuz': KERNEL,
    '/os/images/pxeboot/initrd.img': INITRD,
  });
  const policy = join(folder(t), 'policy.json');
  writeFileSync(policy, JSON.stringify({ arguments: { removed: ['quiet'], appended: ['console=hvc0'] } }));
  const r = await fetchFrom(t, [`--location=${url}/os`, `--policy=${policy}`, '--args=quiet x']);
  t.equal(r.args, `inst.repo=${url}/os/ x console=hvc0`);
  const dry = await fetchFrom(t, [`--location=${url}/os`, `--policy=${policy}`, '-n']);
  t.match(dry.err, /a policy judges what was fetched, and -n fetches nothing/);
  t.equal(dry.status, 1);
});
