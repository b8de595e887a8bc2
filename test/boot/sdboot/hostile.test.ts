/** Damaged configurations and images: nothing but GuestErrors, within the budget, and what is sound still boots. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { hostMachine } from '../../../lib/boot/bls/machine';
import type { BootMenu } from '../../../lib/boot/model';
import { makePe } from '../../kernel/make-pe';
import { cpuMs, ROOT, rounds } from '../../support';
import { evaluate, generator, mutations } from '../dialect';
import type { MemoryTree } from '../memfs';
import { dialect } from './support';

const CONFIGS = join(ROOT, 'fixtures', 'configs', 'sdboot');
const conf = readFileSync(join(CONFIGS, 'esp/loader/loader.conf'), 'latin1');
const entry = readFileSync(join(CONFIGS, 'xbootldr/loader/entries/tiny-6.1.conf'), 'latin1');
const machine = { x64: 0x8664, aa64: 0xaa64 }[hostMachine()] ?? 0x8664;

const tree = (entries: MemoryTree, images: MemoryTree = {}, loaderConf = conf): MemoryTree => ({
  loader: { 'loader.conf': loaderConf, entries },
  EFI: { Linux: images },
  tiny: { '6.1': { linux: 'kernel', 'initrd-1': '1', 'initrd-2': '2' } },
});
const menuOf = (files: MemoryTree): BootMenu =>
  evaluate(dialect('sdboot'), '/loader/loader.conf', files).menu;

function look(menu: BootMenu): void {
  for (const e of menu.entries) {
    e.resolve();
    e.resolve(e.text);
  }
}

t.test('mutations of entries and of loader.conf', async (t) => {
  const before = cpuMs();
  let booting = 0;
  let other = 0;
  for (const text of mutations(entry, 2000, 5)) {
    const menu = menuOf(tree({ 'x.conf': text, 'a.conf': 'linux /tiny/6.1/linux' }));
    look(menu);
    if (menu.entries.some((e) => e.id === 'a.conf' && e.resolve().problem === null)) booting++;
    if (menu.entries.some((e) => e.id === 'x.conf' && e.resolve().problem === null)) other++;
  }
  t.equal(booting, rounds(2000), 'the sound entry always boots');
  t.ok(other > rounds(2000) / 4 && other < rounds(2000), `${other} damaged ones still boot`);
  for (const text of mutations(conf, 2000, 6)) look(menuOf(tree({ 'x.conf': entry }, {}, text)));
  t.ok(cpuMs() - before < 60_000);
});

t.test('mutations of images', async (t) => {
  const whole = makePe(
    [
      { name: '.osrel', data: 'ID=x\nPRETTY_NAME=X\n' },
      { name: '.linux', data: 'kernel' },
      { name: '.cmdline', data: 'quiet' },
      { name: '.profile', data: 'ID=a\n' },
      { name: '.initrd', data: 'initrd' },
      { name: '.profile', data: 'ID=b\n' },
    ],
    { machine, alignment: 16 },
  );
  const sound = makePe(
    [
      { name: '.osrel', data: 'ID=y' },
      { name: '.linux', data: 'k' },
    ],
    { machine },
  );
  const random = generator(11);
  let problems = 0;
  for (let i = 0; i < rounds(2000); i++) {
    const damaged = Buffer.from(whole);
    for (let n = 1 + random(5); n > 0; n--)
      damaged[random(whole.length)] = [0, 1, 0x7f, 0xff, random(256)][random(5)]!;
    const menu = menuOf(
      tree({}, { 'x.efi': random(4) ? damaged : damaged.subarray(0, random(whole.length)), 'y.efi': sound }),
    );
    look(menu);
    if (menu.entries.some((e) => e.resolve().problem !== null) || menu.warnings.length > 1) problems++;
    if (!menu.entries.some((e) => e.id === 'y.efi' && e.resolve().problem === null)) t.fail(`round ${i}`);
  }
  t.ok(problems > rounds(2000) / 10, `${problems} with problems`);
});

t.test('many and large', async (t) => {
  const before = cpuMs();
  const many = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [
      `e${i}.conf`,
      `title same\nversion ${i % 7}\nlinux /tiny/6.1/linux`,
    ]),
  );
  const menu = menuOf(tree(many));
  t.equal(menu.entries.length, 5000);
  t.equal(new Set(menu.entries.map((e) => e.title)).size, 5000);
  const profiles = makePe(
    [
      { name: '.osrel', data: `ID=${'x'.repeat(60_000)}` },
      { name: '.linux', data: 'k' },
      ...Array.from({ length: 3000 }, () => ({ name: '.profile', data: '\n' })),
    ],
    { machine, alignment: 1 },
  );
  t.equal(menuOf(tree({}, { 'p.efi': profiles })).entries.length, 256);
  const files = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`${i}.efi`, profiles]));
  const bounded = menuOf(tree({ 'z.conf': 'linux /tiny/6.1/linux' }, files));
  t.ok(bounded.warnings.length > 0 && bounded.warnings.length < 110);
  t.match(bounded.warnings.join('\n'), /too m/);
  t.match(
    menuOf(tree({ 'x.conf': Buffer.alloc(2 << 20, 'linux /k\n'), 'a.conf': 'linux /tiny/6.1/linux' }))
      .warnings,
    [/at most 1048576/],
  );
  t.ok(cpuMs() - before < 20_000, `${cpuMs() - before} ms`);
});

/** NAME says what the menu must tell: its sample lies in /EFI/Linux or /loader/entries. */
const TOLD: Record<string, RegExp> = {
  'sdboot-corrupt-section-beyond-end.efi.gz': /section \.linux .* lies beyond the end of the file/,
  'sdboot-corrupt-sections-overlap.efi.gz': /sections \.linux and \.initrd overlap/,
  'sdboot-corrupt-table-beyond-end.efi.gz': /section headers .* reach beyond the end/,
  'sdboot-limit-section-count.efi.gz': /65535 sections, maximum 4096/,
  'sdboot-limit-command-line.efi.gz': /section \.cmdline of 70000 bytes, maximum 65536/,
  'bls-corrupt-no-kernel.conf': /it names no kernel/,
  'bls-corrupt-two-kernels.conf': /keys linux and efi, of which only one may be/,
  'bls-limit-keys.conf.gz': /more than 10000 keys/,
};

t.test('samples', async (t) => {
  const folder = join(ROOT, 'fixtures', 'malformed');
  const samples = readdirSync(folder).filter((name) => /^(sdboot|bls)-/.test(name));
  t.same(samples.sort(), Object.keys(TOLD).sort());
  for (const name of samples) {
    const raw = readFileSync(join(folder, name));
    const bytes = name.endsWith('.gz') ? gunzipSync(raw) : raw;
    const image = name.includes('.efi');
    const menu = menuOf(
      tree(
        image ? { 'a.conf': entry } : { 'x.conf': bytes, 'a.conf': entry },
        image ? { 'x.efi': bytes } : {},
      ),
    );
    const told = [...menu.warnings, ...menu.entries.map((e) => e.resolve().problem)].join('\n');
    t.match(told, TOLD[name], name);
    t.equal(menu.entries.find((e) => e.id === 'a.conf')!.resolve().problem, null, 'the other entry boots');
  }
});
