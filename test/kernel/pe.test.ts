/** PE images and unified kernel images. What is right: Microsoft's "PE Format", the UKI specification (its example of profiles). */
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { walk } from '../../lib/fs/walk';
import { readPe } from '../../lib/kernel/pe';
import { allSections, Profiles, profileCount } from '../../lib/kernel/uki';
import { generator } from '../boot/dialect';
import { MemoryFs } from '../boot/memfs';
import { context } from '../support';
import { type Made, makePe } from './make-pe';

const read = (image: Buffer | string, ctx = context()) => {
  const fs = new MemoryFs({ f: image });
  return readPe(fs, walk(fs, '/f'), 'f', ctx);
};
const text = (image: NonNullable<ReturnType<typeof read>>, name: string, profile = 0) => {
  const section = new Profiles(image).sections(profile).first(name);
  return section && image.read(section, 4096, context()).toString('latin1');
};

t.test('sections, sizes, machines', async (t) => {
  const image = read(
    makePe([
      { name: '.text', data: 'code' },
      { name: '.cmdline', data: 'quiet' },
      { name: '.longname9', data: 'cut to eight' },
    ]),
  )!;
  t.equal(image.machine, 'x64');
  t.same(
    image.sections.map(({ name, size }) => [name, size]),
    [
      ['.text', 4],
      ['.cmdline', 5],
      ['.longnam', 12],
    ],
  );
  t.equal(text(image, '.cmdline'), 'quiet');
  t.equal(read(makePe([], { machine: 0xaa64 }))!.machine, 'aa64');
  t.equal(read(makePe([], { machine: 0x1234 }))!.machine, '0x1234');
  t.equal(read(makePe([{ name: '.a', data: 'x' }], { magic: 0x10b }))!.sections.length, 1, 'PE32');
});

t.test('the smaller of both sizes; none in memory is absent', async (t) => {
  const image = read(
    makePe([
      { name: '.linux', data: 'abcdef', virtualSize: 3 },
      { name: '.initrd', data: 'abcdef', virtualSize: 9000, rawSize: 6 },
      { name: '.ucode', data: 'abc', virtualSize: 0 },
    ]),
  )!;
  t.equal(text(image, '.linux'), 'abc');
  t.equal(text(image, '.initrd'), 'abcdef');
  t.equal(text(image, '.ucode'), undefined);
});

t.test("the specification's example of profiles", async (t) => {
  const image = read(
    makePe([
      { name: '.linux', data: 'ELF kernel' },
      { name: '.osrel', data: 'os' },
      { name: '.cmdline', data: 'quiet' },
      { name: '.profile', data: 'ID=regular' },
      { name: '.profile', data: 'ID=factory-reset' },
      { name: '.cmdline', data: 'quiet systemd.unit=factory-reset.target' },
      { name: '.profile', data: 'ID=storagetm' },
      { name: '.cmdline', data: 'quiet rd.systemd.unit=storage-target-mode.target' },
    ]),
  )!;
  t.equal(profileCount(image), 3);
  t.same(
    [0, 1, 2].map((p) => [text(image, '.profile', p), text(image, '.cmdline', p), text(image, '.linux', p)]),
    [
      ['ID=regular', 'quiet', 'ELF kernel'],
      ['ID=factory-reset', 'quiet systemd.unit=factory-reset.target', 'ELF kernel'],
      ['ID=storagetm', 'quiet rd.systemd.unit=storage-target-mode.target', 'ELF kernel'],
    ],
  );
  t.throws(() => new Profiles(image).sections(3), { code: 'not-found' });
  const plain = read(makePe([{ name: '.linux', data: 'x' }]))!;
  t.equal(profileCount(plain), 1);
  t.ok(new Profiles(plain).sections(0).first('.linux'));
  t.throws(() => new Profiles(plain).sections(1), { code: 'not-found' });
  t.equal(allSections(image).all('.cmdline').length, 3);
});

t.test('not PE is undefined', async (t) => {
  t.equal(read(''), undefined);
  t.equal(read('MZ'), undefined);
  t.equal(read('#!/bin/sh\n'.repeat(100)), undefined);
  t.equal(read(Buffer.alloc(4096)), undefined);
  const wrong = makePe([{ name: '.a', data: 'x' }]);
  wrong.write('NE', 64, 'latin1');
  t.equal(read(wrong), undefined);
  for (const lfanew of [0, 63, 0x7fffffff, 0xffffffff, wrong.length - 25])
    t.equal(read(makePe([{ name: '.a', data: 'x' }], { lfanew })), undefined, `e_lfanew ${lfanew}`);
});

t.test('every bound', async (t) => {
  const sound: Made = { name: '.linux', data: 'kernel' };
  t.throws(() => read(makePe([sound], { magic: 0x107 })), { code: 'corrupt', message: /magic is 0x107/ });
  t.throws(() => read(makePe([sound], { sectionCount: 65535 })), {
    code: 'limit',
    message: /65535 sections/,
  });
  t.throws(() => read(makePe([sound], { sectionCount: 400 })), {
    code: 'corrupt',
    message: /beyond the end/,
  });
  const beyond = (made: Partial<Made>) => {
    const image = read(makePe([{ ...sound, ...made }]))!;
    return () => image.read(image.sections[0]!, 1 << 20, context());
  };
  t.throws(beyond({ at: 0xffffff00 }), { code: 'corrupt', message: /lies beyond the end of the file/ });
  t.throws(beyond({ virtualSize: 0xffffffff, rawSize: 0xffffffff }), { code: 'corrupt' });
  t.throws(beyond({ virtualSize: 100000, rawSize: 100000 }), { code: 'corrupt' });
  const big = read(makePe([{ name: '.cmdline', data: 'x'.repeat(5000) }]))!;
  t.throws(() => big.read(big.sections[0]!, 4096, context()), {
    code: 'limit',
    message: /5000 bytes, maximum 4096/,
  });
  // The last sector of the file's source is padded; the padding is not the file's.
  const odd = makePe([sound]).subarray(0, -300);
  const image = read(odd)!;
  t.throws(() => image.read({ ...image.sections[0]!, size: 400 }, 4096, context()), { code: 'corrupt' });
});

t.test('damaged images: only GuestErrors', async (t) => {
  const whole = makePe([
    { name: '.osrel', data: 'ID=x' },
    { name: '.linux', data: 'kernel' },
    { name: '.profile', data: 'ID=y' },
    { name: '.cmdline', data: 'quiet' },
  ]);
  const random = generator(7);
  let errors = 0;
  for (let i = 0; i < 4000; i++) {
    const damaged = Buffer.from(whole);
    for (let n = 1 + random(6); n > 0; n--)
      damaged[random(64 + 24 + 112 + 160)] = random(3) ? random(256) : 255;
    const cut = random(5) === 0 ? damaged.subarray(0, random(damaged.length)) : damaged;
    try {
      const image = read(cut);
      if (!image) continue;
      const profiles = new Profiles(image);
      for (let p = 0; p < profileCount(image); p++)
        for (const name of ['.linux', '.cmdline', '.osrel', '.profile']) {
          const section = profiles.sections(p).first(name);
          if (section) image.read(section, 4096, context());
        }
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      errors++;
    }
  }
  t.ok(errors > 200, `${errors} errors`);
});
