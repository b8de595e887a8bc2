/**
 * xapi and libvirt, by stand-ins that call a bootloader program as their sources do (xapi: ocaml/xenopsd/lib/bootloader.ml; libvirt:
 * src/libxl/libxl_conf.c, and libxl behind it) and are as strict with what it answers. The program has the name `pygrub`
 * for xapi, which knows no other. Real pygrub goes the same ways where it can.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { spawn } from '@lydell/node-pty';
import t from 'tap';
import { ROOT } from '../support';
import { CLEAN_ENV, EXAMPLE, makeDisk, must, PYGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);
const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures/images/example.expected.json'), 'utf8'));
const nodegrub = join(ROOT, 'dist', 'nodegrub');
/** The only folder that xapi takes files from. */
const FILES = '/var/run/xen/pygrub';
const files = (): string[] => {
  try {
    return readdirSync(FILES).sort();
  } catch {
    return [];
  }
};

interface Extracted {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly args: string;
}

/** `pygrub=PROGRAM` in xenopsd.conf. Throws what xapi would show the user. */
function xapi(program: string, image: string, bootloaderArgs = '', user?: number): Extracted {
  // cut at every single blank, nothing is quoted
  const own = bootloaderArgs === '' ? [] : bootloaderArgs.split(' ');
  const restricted = user === undefined ? [] : [`--runas=${user}`];
  const r = run(program, ['--output-format=simple', '-q', ...restricted, ...own, image]);
  if (r.status !== 0) {
    const at = r.stderr.indexOf('RuntimeError: ');
    throw new Error(at < 0 ? `Bad_error: ${r.stderr}` : r.stderr.slice(at + 'RuntimeError: '.length));
  }
  const found: Record<string, string> = {};
  for (const line of r.stdout.split('\n')) {
    const blank = line.indexOf(' ');
    if (blank < 0) continue;
    const word = line.slice(0, blank);
    if (!['kernel', 'ramdisk', 'args'].includes(word)) throw new Error(`Bad_error: unrecognised: ${line}`);
    if (word in found) throw new Error(`Bad_error: more than one ${word}`);
    found[word] = line.slice(blank + 1);
  }
  if (found.kernel === undefined) throw new Error('Bad_error: no kernel');
  for (const path of [found.kernel, found.ramdisk]) {
    if (path === undefined) continue;
    if (!path.startsWith('/')) throw new Error(`Bad_error: a relative path: ${path}`);
    if (dirname(normalize(path)) !== FILES)
      throw new Error(`Bad_error: outside of the allowed folders: ${path}`);
  }
  const taken = (path: string | undefined): string => {
    if (path === undefined) return '';
    const sum = sha256(readFileSync(path));
    unlinkSync(path);
    return sum;
  };
  return { kernel: taken(found.kernel), ramdisk: taken(found.ramdisk), args: found.args ?? '' };
}

const pygrubNamed = join(dir, 'bin', 'pygrub');
mkdirSync(dirname(pygrubNamed));
symlinkSync(nodegrub, pygrubNamed);

t.test('xapi: the guest boots, as with pygrub', async (t) => {
  const before = files();
  const want = { kernel: expected.kernel.sha256, ramdisk: expected.ramdisk.sha256, args: expected.args };
  t.same(xapi(pygrubNamed, EXAMPLE), want);
  t.same(xapi(nodegrub, EXAMPLE), want, 'the name makes no difference');
  t.same(xapi(pygrubNamed, EXAMPLE, '', 65534), want, 'with --runas');
  t.same(files(), before, 'xapi removed the files, and there are no others');
  t.same(xapi(PYGRUB, EXAMPLE), want);
});

t.test('xapi: PV-bootloader-args, cut at blanks', async (t) => {
  for (const args of [
    '--entry=1',
    '--entry=1 --args=one',
    '--kernel=/boot/grub/grub.cfg --args=alone',
    '-i -q',
  ]) {
    const before = files();
    const ours = xapi(pygrubNamed, EXAMPLE, args);
    t.same(files(), before);
    t.same(ours, xapi(PYGRUB, EXAMPLE, args), args);
  }
});

t.test('xapi: what the user is shown when nothing boots', async (t) => {
  const blank = join(dir, 'blank.img');
  writeFileSync(blank, Buffer.alloc(1 << 20));
  const hostile = join(dir, 'hostile.img');
  makeDisk(hostile, 'gpt', [
    {
      fs: 'ext4',
      tree: {
        '/boot/grub/grub.cfg':
          "menuentry 'RuntimeError: call me' {\nlinux /RuntimeError: x\nkernel /etc/shadow\n}\n",
      },
    },
  ]);
  const lost = join(dir, 'lost.img');
  const shown = (image: string, args = '', user?: number): string => {
    const before = files();
    let text = '';
    t.throws(() => {
      try {
        xapi(pygrubNamed, image, args, user);
      } catch (error) {
        text = (error as Error).message;
        throw error;
      }
    });
    t.same(files(), before, 'no file is left');
    return text;
  };
  t.match(shown(blank), /^\S*blank\.img does not boot: no filesystem that is known here on disk\n$/);
  t.match(
    shown(blank, '', 65534),
    /^\S*blank\.img does not boot: no filesystem that is known here on disk\n$/,
  );
  const text = shown(hostile);
  t.match(text, /^\S*hostile\.img does not boot: gpt1 ext4: .*not found/, 'the reason');
  t.notMatch(text, /RuntimeError: /, "and not the guest's words");
  t.match(shown(lost), /lost\.img: no such file/i);
});

/** What libvirt makes of the XML, by libxml. */
function domain(xml: string) {
  const text = (path: string): string =>
    must('xmllint', '--xpath', `string(${path})`, xml).replace(/\n$/, '');
  const args = text('/domain/bootloader_args');
  return {
    bootloader: text('/domain/bootloader'),
    // The whole of it is the separator, not each of the three characters: an ordinary list of options is one word.
    args: args === '' ? [] : args.split(' \t\n'),
    cmdline: text('/domain/os/cmdline'),
    disk: text('/domain/devices/disk[1]/source/@file'),
  };
}

let count = 0;
/** libxl's part: files made, a terminal in raw mode, words ended by NULs. */
async function libxl(
  xml: string,
): Promise<{ status: number; log: string; left: readonly string[] } & Partial<Extracted>> {
  const { bootloader, args, cmdline, disk } = domain(xml);
  const here = join(dir, `libxl${count++}`);
  mkdirSync(join(here, 'd'), { recursive: true });
  chmodSync(join(here, 'd'), 0o600);
  writeFileSync(join(here, 'out'), '', { mode: 0o600 });
  const argv = [
    ...(cmdline === '' ? [] : [`--args=${cmdline}`]),
    `--output=${here}/out`,
    '--output-format=simple0',
    `--output-directory=${here}/d`,
    ...args,
    disk,
  ];
  const pty = spawn('env', ['-i', `PATH=${CLEAN_ENV.PATH}`, 'TERM=vt100', bootloader, ...argv], { cwd: '/' });
  let log = '';
  pty.onData((data) => {
    log += data;
  });
  const status = await new Promise<number>((done) => pty.onExit(({ exitCode }) => done(exitCode)));
  const items = new Map(
    readFileSync(join(here, 'out'), 'latin1')
      .split('\0')
      .filter(Boolean)
      .map((item) => item.match(/^(\S+)\s+([\s\S]*)$/)!.slice(1) as [string, string]),
  );
  const sum = (path: string | undefined) =>
    path?.startsWith(`${here}/d/`) ? sha256(readFileSync(path)) : '';
  const result = {
    status,
    log,
    left: readdirSync(join(here, 'd')),
    kernel: sum(items.get('kernel')),
    ramdisk: sum(items.get('ramdisk')),
    args: items.get('args') ?? '',
  };
  rmSync(here, { recursive: true });
  return result;
}

/** The example that is shipped, for this disk and this program. */
function example(edit: (xml: string) => string): string {
  const path = join(dir, `domain${count++}.xml`);
  const xml = readFileSync(join(ROOT, 'packaging/examples/libvirt.xml'), 'utf8')
    .replace('/usr/bin/nodegrub', nodegrub)
    .replace('/var/lib/libvirt/images/guest.img', EXAMPLE);
  writeFileSync(path, edit(xml));
  must('virt-xml-validate', path, 'domain');
  return path;
}

const bootloaderArgs = (args: string) => (xml: string) =>
  xml.replace(/<bootloader_args>[^<]*/, `<bootloader_args>${args}`);

t.test("libvirt: the example's <bootloader> boots", async (t) => {
  const r = await libxl(example((xml) => xml));
  t.match(
    r,
    { status: 0, kernel: expected.kernel.sha256, ramdisk: expected.ramdisk.sha256, args: expected.args },
    r.log,
  );
  const more = await libxl(
    example((xml) => xml.replace('</type>', '</type>\n    <cmdline>more=1 of=2</cmdline>')),
  );
  t.match(more, { status: 0, args: `${expected.args} more=1 of=2` }, `<cmdline> is added: ${more.log}`);
});

t.test(
  'libvirt: several options in <bootloader_args> are one word, unless blank, tab and line feed part them',
  async (t) => {
    const one = await libxl(example(bootloaderArgs('--entry=1 --args=more=3')));
    t.match(one, { status: 0, args: expected.args }, 'no such entry: the default');
    t.match(one.log, /--entry=1 --args=more=3 names no entry/);
    const two = await libxl(example(bootloaderArgs('--entry=2&#32;&#9;&#10;--args=more=3')));
    t.match(two, { status: 0, args: /single .*more=3$/ }, two.log);
    const bad = await libxl(example(bootloaderArgs('--sandbox=off -q')));
    t.match(bad, { status: 1, left: [] });
    t.match(bad.log, /--sandbox=off -q: off, basic, strict, auto/);
  },
);
