/** The fixture disk: what bootctl lists of it, and what was put into its images (fixtures/recipes/sdboot.sh). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { GuestFile } from '../../../lib/boot/model';
import { Bootloader } from '../../../lib/bootloader';
import { ROOT, source } from '../../support';
import { content } from './support';

interface Expected {
  readonly entries: {
    readonly id: string;
    readonly showTitle: string;
    readonly options?: string;
    readonly linux?: string;
    readonly initrd?: string[];
    readonly efi?: string;
    readonly triesLeft?: number;
  }[];
  readonly default: string;
  readonly sha256: Record<string, string>;
}
const expected: Expected = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/images/sdboot.expected.json'), 'utf8'),
);

const boot = () => new Bootloader({ disks: [source('sdboot.img')], quiet: true, say: () => {} });
const piece = (file: GuestFile | undefined) => {
  const sum = createHash('sha256').update(content(file)).digest('hex');
  return Object.keys(expected.sha256).find((name) => expected.sha256[name] === sum) ?? sum;
};
const pieces = (entry: { kernel: GuestFile | undefined; initrds: readonly { file: GuestFile }[] }) => [
  piece(entry.kernel),
  ...entry.initrds.map(({ file }) => piece(file)),
];

t.test('order, titles, options, default as bootctl has them', async (t) => {
  const listing = boot().list()!;
  const { menu } = listing;
  t.same(menu.warnings, []);
  // bootctl 252 knows no profiles, and passes over an image that has a section twice.
  const entries = listing.entries.filter(({ choice }) => !choice.entry.id.startsWith('profiles.efi'));
  t.same(
    entries.map(({ choice }) => [choice.entry.id, choice.entry.title]),
    expected.entries.map((e) => [e.id, e.showTitle]),
  );
  const addons = ' console=hvc0 addon=own';
  for (const [i, { target }] of entries.entries()) {
    const want = expected.entries[i]!;
    const options = (want.options ?? '').replace(/[\t\n]/g, ' ');
    t.equal(target.args, want.id === 'a.efi' ? options + addons : options, want.id);
    t.equal(
      target.kernel?.path.replace(/^\/+/, ''),
      (want.linux ?? want.efi)!.replaceAll('\\', '/').replace(/^\/+/, ''),
    );
    t.equal(target.problem === null, want.efi === undefined, `${want.id}: ${target.problem}`);
  }
  t.equal(listing.entries[listing.default!]!.choice.entry.id, expected.default);
  t.same([menu.timeout, menu.timeoutStyle, menu.editable], [5, 'menu', false]);
});

t.test('kernels and initrds are the pieces that the images were made of', async (t) => {
  const listing = boot().list()!;
  const of = (id: string) => pieces(listing.entries.find(({ choice }) => choice.entry.id === id)!.target);
  t.same(of('tiny-6.1.conf'), ['vmlinuz-1', 'initrd-1', 'initrd-2']);
  t.same(of('b.efi'), ['linux-b', 'initrd-b']);
  const [kernel, ucode, ownUcode, initrd, credential, addon] = of('a.efi');
  t.same(
    [kernel, ucode, ownUcode, initrd, addon],
    ['linux-a', 'addon-ucode', 'ucode-a', 'initrd-a', 'addon-initrd'],
  );
  t.equal(credential, createHash('sha256').update('secret').digest('hex'));
  t.same(of('profiles.efi'), ['linux-b', 'initrd-b']);
  t.same(of('profiles.efi@reset'), ['linux-b', 'initrd-b']);
  t.same(of('profiles.efi@bare'), ['linux-b', 'initrd-c']);
});

t.test('the default boots', async (t) => {
  const decision = boot().decide(undefined)!;
  t.equal(decision.title, 'Tiny OS (6.2.0~rc1)');
  t.same(pieces(decision.target), ['vmlinuz-1']);
  t.equal(boot().decide('a.efi')!.target.kernel!.path, '/EFI/Linux/a+3-1.efi');
});
