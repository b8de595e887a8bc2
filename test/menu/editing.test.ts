/** The built program's editor, command line, passwords and clocks on a real pseudoterminal. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { image, ROOT } from '../support';
import { diskWith, entry, expected, Guest, INITRD, LINUX, press, selected } from './guest';
import type { Console } from './pty';

const ARGS = expected.args as string;
const UP = '\x1b[A';
const DOWN = '\x1b[B';

const ready = (console: Console) => console.until((c) => selected(c) !== '');

t.test('an entry is edited as in GRUB', async (t) => {
  const guest = new Guest(t, `set timeout=5\n${entry('one', `${LINUX} ro quiet`, INITRD)}`);
  const console = guest.start();
  await ready(console);
  console.write('e');
  await console.until(/Ctrl-C|b: boot/);
  await console.until(/linux \/boot/);
  // Down to the kernel's line, to its end, another argument, a new line, Ctrl-X.
  console.write(`${DOWN}${DOWN}\x05 single\r# a remark\x18`);
  t.same(await guest.outcome(console), {
    status: 0,
    kernel: expected.kernel.sha256,
    ramdisk: expected.ramdisk.sha256,
    args: 'ro quiet single',
  });
});

t.test('an entry is edited as in pygrub', async (t) => {
  const guest = new Guest(t, `set timeout=5\n${entry('one', `${LINUX} ro`, 'false', INITRD)}`);
  const console = guest.start();
  await ready(console);
  console.write('e');
  await console.until(/b: boot/);
  const rows = console.rows();
  const first = rows.findIndex((row) => row.includes('setparams'));
  const line = (words: string) => console.rows().findIndex((row) => row.includes(words)) - first;
  console.write(DOWN.repeat(line('false')));
  await console.until((c) => selected(c) === 'false');
  console.write('d');
  await console.until((c) => !c.text().includes('false'));
  console.write(`${UP}o`);
  await console.until(/Ctrl-X or F10/);
  console.write('set x=y');
  await console.until(/set x=y/);
  // ESC drops all of it.
  console.write('\x1b');
  await console.until(/Enter: boot/);
  console.write('e');
  await console.until(/false/);
  console.write(`${DOWN.repeat(line('false'))}d`);
  await console.until((c) => !c.text().includes('false'));
  console.write('b');
  t.equal((await guest.outcome(console)).ramdisk, expected.ramdisk.sha256);
});

t.test('an edited entry that does not boot comes back as it was edited', async (t) => {
  const guest = new Guest(t, `set timeout=5\n${entry('one', `${LINUX} ro`)}`);
  const console = guest.start();
  await ready(console);
  console.write('e');
  await console.until(/linux \/boot/);
  console.write('\x1b<');
  console.write(`${DOWN}${DOWN}\x0blinux /nothing\x18`);
  await console.until(/cannot boot 'one': \/nothing: not found/);
  t.match(console.text(), /linux \/nothing/);
  console.write(`\x15\x0b${LINUX} again\x18`);
  t.equal((await guest.outcome(console)).args, 'again');
});

t.test('a edits the line of the kernel alone', async (t) => {
  const guest = new Guest(t);
  const console = guest.start({ cols: 40, rows: 12 });
  await ready(console);
  console.write('a');
  await console.until(/Enter: boot/);
  await console.until(/vmlinuz/);
  console.write(' init=/bin/sh');
  await console.until(/init=\/bin\/sh/);
  console.write('\r');
  t.equal((await guest.outcome(console)).args, `${ARGS} init=/bin/sh`);
});

t.test("a long line scrolls under the editor's cursor", async (t) => {
  const words = Array.from({ length: 40 }, (_, i) => `word${i}`).join(' ');
  const guest = new Guest(t, `set timeout=5\n${entry('one', `${LINUX} ${words}`)}`);
  const console = guest.start();
  await ready(console);
  console.write(`e${DOWN}${DOWN}`);
  await console.until(/word0/);
  t.notMatch(console.text(), /word39/);
  console.write('\x05');
  await console.until(/word39/);
  t.match(console.cursor(), { y: console.rows().findIndex((row) => row.includes('word39')) });
  console.write(' more\x01');
  await console.until(/word0/);
  console.write('\x18');
  t.equal((await guest.outcome(console)).args, `${words} more`);
});

t.test('the command line', async (t) => {
  const guest = new Guest(t);
  const console = guest.start();
  await ready(console);
  console.write('c');
  await console.until(/^grub> *$/m);
  const type = async (line: string, answer: RegExp) => {
    console.write(`${line}\r`);
    await console.until(answer);
  };
  await type('ls', /\(hd0\) \(hd0,gpt1\)/);
  await type('ls /boot/', /vmlinuz-6\.1\.0-example-amd64/);
  await type('cat /etc/fstab; cat /nope', /error: file `\/nope' not found\./);
  await type('nosuch', /error: can't find command `nosuch'\./);
  await type('set root=hd0,gpt1; echo $root is', /hd0,gpt1 is/);
  await type('linux /nowhere', /error: file `\/nowhere' not found\./);
  await type('boot', /error: you need to load the kernel first\./);
  await type('if true; then', /^> *$/m);
  await type('echo inside; fi', /^inside/m);
  await type('normal_exit', /Enter: boot/);
  console.write('c');
  await console.until(/grub> *$/);
  console.write(`${UP}${UP}`);
  await console.until(/grub> (echo|fi|if)/);
  console.write('\x15linu\t /bo\tvml\t');
  await console.until(new RegExp(`grub> linux ${expected.kernel.path}`));
  console.write('from the shell\r');
  await type(`initrd ${expected.ramdisk.path.slice(0, -6)}\t`, /grub> *$/);
  console.write('boot\r');
  t.same(await guest.outcome(console), {
    status: 0,
    kernel: expected.kernel.sha256,
    ramdisk: expected.ramdisk.sha256,
    args: 'from the shell',
  });
});

t.test('output that is longer than the screen stops, Ctrl-C drops a line and then leaves', async (t) => {
  const guest = new Guest(t);
  const console = guest.start();
  await ready(console);
  console.write('c');
  await console.until(/grub> *$/);
  console.write('cat /boot/grub/grub.cfg\r');
  await console.until(/--MORE--$/);
  console.write('\r');
  await console.settled();
  t.match(console.text(), /--MORE--$/);
  console.write('q');
  await console.until(/grub> *$/);
  console.write('half\x03');
  await console.until(/\^C\ngrub> *$/);
  console.write('\x03');
  t.equal((await guest.outcome(console)).status, 1);
});

t.test("an entry's configfile opens a menu", async (t) => {
  const guest = new Guest(
    t,
    `set timeout=5\nif [ -z "$again" ]; then set again=1; export again
${entry('other', 'configfile /boot/grub/grub.cfg')}else\n${entry('inside', `${LINUX} inside`)}fi\n`,
  );
  const console = guest.start();
  await ready(console);
  await press(console, '\r', 'inside');
  await press(console, '\x1b', 'other');
  await press(console, '\r', 'inside');
  console.write('\r');
  t.equal((await guest.outcome(console)).args, 'inside');
});

t.test('GRUB 2: superusers, users, unrestricted', async (t) => {
  const config = `set timeout=5\nset superusers=root\npassword root top secret\npassword root secret\npassword guest word
menuentry locked { ${LINUX} locked; }\nmenuentry free --unrestricted { ${LINUX} free; }\nmenuentry shared --users guest { ${LINUX} shared; }\n`;
  const free = new Guest(t, config);
  let console = free.start();
  await ready(console);
  t.match(console.text(), /p: password/);
  t.notMatch(console.text(), /e: edit/);
  await press(console, DOWN, 'free');
  console.write('\r');
  t.equal((await free.outcome(console)).args, 'free');

  const shared = new Guest(t, config);
  console = shared.start();
  await ready(console);
  const login = async (keys: string, user: string, password: string) => {
    console.write(keys);
    await console.until(/Enter username: *$/);
    console.write(`${user}\r`);
    await console.until(/Enter password: *$/);
    console.write(`${password}\r`);
  };
  await login(`${DOWN}${DOWN}\r`, 'guest', 'wrong');
  await console.until(/access denied/);
  t.notMatch(console.raw, /wrong/, 'what is typed is not shown');
  await login('e', 'guest', 'word');
  await console.until(/access denied/);
  await login('\r', 'guest', 'word');
  t.equal((await shared.outcome(console)).args, 'shared');

  const locked = new Guest(t, config);
  console = locked.start();
  await ready(console);
  await login('c', 'root', 'secret');
  await console.until(/grub> *$/);
  console.write('\x1b');
  await console.until(/e: edit/);
  console.write('e');
  await console.until(/b: boot/);
  console.write('b');
  t.equal((await locked.outcome(console)).args, 'locked');

  const nobody = new Guest(t, config.replace('timeout=5', 'timeout=1'));
  console = nobody.start();
  t.equal((await nobody.outcome(console)).args, 'locked', 'nobody is asked where nobody is');
});

/** GRUB legacy's menu: the example disk's grub.cfg becomes its menu.lst (the directory's checksum then warns). */
function legacy(config: string): Buffer {
  const disk = diskWith(config);
  const at = disk.indexOf('grub.cfg');
  disk.write('menu.lst', at);
  return disk;
}

t.test('GRUB legacy: password, lock, and the menu that the password opens', async (t) => {
  const kernel = `kernel ${expected.kernel.path}`;
  // md5crypt of `word`, by `openssl passwd -1 -salt abc word`.
  const config = `timeout 5\npassword --md5 $1$abc$xlod1RfwsKuzjVTWze4nJ1
title free\n${kernel} free\ntitle locked\nlock\n${kernel} locked\ntitle own\npassword mine\n${kernel} own\n`;
  const first = new Guest(t, legacy(config));
  let console = first.start();
  await ready(console);
  t.notMatch(console.text(), /e: edit/);
  console.write('e');
  await console.until(/Enter password: *$/);
  console.write('wrong\r');
  await console.until(/access denied/);
  console.write(`${DOWN}\r`);
  await console.until(/Enter password: *$/);
  console.write('\x1b');
  await console.until((c) => !c.text().includes('Enter password'));
  console.write('p');
  await console.until(/Enter password: *$/);
  console.write('word\r');
  await console.until(/e: edit/);
  await press(console, '', 'locked');
  console.write('\r');
  t.equal((await first.outcome(console)).args, 'locked');

  const second = new Guest(t, legacy(config));
  console = second.start();
  await ready(console);
  console.write(`${DOWN}${DOWN}\r`);
  await console.until(/Enter password: *$/);
  console.write('mine\r');
  t.equal((await second.outcome(console)).args, 'own', "an entry's own password");
});

/** The syslinux disk with another configuration in the place of its own. */
function syslinux(config: string): Buffer {
  const disk = image('syslinux.img');
  const start = disk.indexOf('# A disk as an installer leaves it.');
  const text = Buffer.alloc(disk.indexOf(0, start) - start, '\n');
  if (start < 0 || text.write(config) < config.length) throw new Error('does not fit');
  text.copy(disk, start);
  return disk;
}

const LABEL = 'LABEL one\nLINUX ../boot/vmlinuz-6.1\nAPPEND one\n';

t.test('syslinux: TIMEOUT in tenths, and TOTALTIMEOUT, which no key stops', async (t) => {
  const short = new Guest(t, syslinux(`UI menu.c32\nTIMEOUT 10\nDEFAULT one\n${LABEL}`));
  let console = short.start();
  await console.until(/boots in 1 s/);
  t.match(await short.outcome(console), { status: 0, args: /one/ });
  const total = new Guest(t, syslinux(`UI menu.c32\nTIMEOUT 200\nTOTALTIMEOUT 20\nDEFAULT one\n${LABEL}`));
  console = total.start();
  await console.until(/boots in 2 s/);
  console.write('e');
  await console.until(/b: boot/);
  t.match(await total.outcome(console), { status: 0, args: /one/ }, 'even while an entry is edited');
});

t.test('syslinux: hotkeys, MENU PASSWD and ALLOWOPTIONS 0', async (t) => {
  const config = `UI menu.c32\nTIMEOUT 50\nALLOWOPTIONS 0\n${LABEL}LABEL two\nMENU LABEL the ^second\nMENU PASSWD word\nLINUX ../boot/vmlinuz-6.1\nAPPEND two\n`;
  const guest = new Guest(t, syslinux(config));
  const console = guest.start();
  await ready(console);
  console.write('e');
  await console.until(/does not allow entries to be edited/);
  console.write('s');
  await console.until(/Enter password: *$/);
  console.write('word\r');
  t.match(await guest.outcome(console), { status: 0, args: /two/ });
});

t.test("systemd-boot's editor no", async (t) => {
  const guest = new Guest(t, image('sdboot.img'));
  const console = guest.start();
  await ready(console);
  t.notMatch(console.text(), /e: edit|c: command line|p: password/);
  for (const key of ['e', 'a', 'c']) {
    console.write(key);
    await console.until(/does not allow entries to be edited/);
    console.write(DOWN);
    await console.until((c) => !c.text().includes('does not allow'));
  }
  console.write('\x03');
  t.equal((await guest.outcome(console)).status, 1);
});

t.test('three wrong passwords, then a delay', async (t) => {
  const guest = new Guest(
    t,
    `set timeout=5\nset superusers=root\npassword root secret\n${entry('one', LINUX)}`,
  );
  const console = guest.start();
  await ready(console);
  for (let i = 0; i < 3; i++) {
    console.write('c');
    await console.until(/Enter username: *$/);
    console.write('root\rno\r');
    await console.until(/access denied/);
  }
  console.write('c');
  await console.until(/Too many wrong passwords/);
  t.notMatch(console.text(), /Too many[\s\S]*Enter username/);
  await console.until(/Too many[\s\S]*Enter username: *$/, 5000);
  console.write('root\rsecret\r');
  await console.until(/grub> *$/);
  console.write('\x03');
  await console.exit;
});

t.test('authenticate inside an entry', async (t) => {
  const guest = new Guest(
    t,
    `set timeout=5\nset superusers=root\nexport superusers\npassword root secret\npassword me mine
menuentry one --unrestricted {\nauthenticate me\n${LINUX} in\n}\n`,
  );
  const console = guest.start();
  await ready(console);
  await press(console, '\x0e\r', /Enter username/);
  console.write('me\rmine\r');
  t.equal((await guest.outcome(console)).args, 'in');
});

t.test('hidden and countdown', async (t) => {
  const config = (style: string) =>
    `set timeout=3\nset timeout_style=${style}\n${entry('one', `${LINUX} one`)}menuentry two --hotkey=k { ${LINUX} two; }\n`;
  const hidden = new Guest(t, config('hidden'));
  let console = hidden.start();
  await console.settled(500);
  t.equal(console.text(), '');
  console.write('x');
  await console.settled(300);
  t.equal(console.text(), '', 'other keys are not heard');
  await press(console, '\x1b', 'one');
  await console.settled(200);
  t.notMatch(console.text(), /boots in/);
  console.write('\x03');
  await console.exit;

  const counted = new Guest(t, config('countdown'));
  console = counted.start();
  await console.until(/Booting in 3 s/);
  await console.until(/Booting in 2 s/);
  t.notMatch(console.text(), /one/);
  await press(console, '\x1bOS', 'one');
  console.write(`${DOWN}\r`);
  t.equal((await counted.outcome(console)).args, 'two');

  const hot = new Guest(t, config('hidden'));
  console = hot.start();
  await console.settled(500);
  console.write('k');
  t.equal((await hot.outcome(console)).args, 'two');

  const passes = new Guest(t, config('countdown').replace('timeout=3', 'timeout=1'));
  console = passes.start();
  t.equal((await passes.outcome(console)).args, 'one');
});

t.test('no time-out, or -1: one second, or --menu-timeout', async (t) => {
  for (const setting of ['', 'set timeout=-1\nset timeout_style=hidden\n']) {
    const guest = new Guest(t, `${setting}${entry('one', LINUX)}`);
    const console = guest.start({ more: [] });
    await console.until(/boots in 1 s/);
    t.equal((await guest.outcome(console)).status, 0);
    const longer = new Guest(t, `${setting}${entry('one', LINUX)}`);
    const other = longer.start({ more: ['--menu-timeout=4'] });
    await other.until(/boots in 4 s/);
    await press(other, '\x1b', 'one');
    await other.until((c) => !c.text().includes('boots in'));
    other.write('\r');
    t.equal((await longer.outcome(other)).status, 0);
  }
  const now = new Guest(t, entry('one', LINUX));
  const console = now.start({ more: ['--menu-timeout=0'] });
  t.equal((await now.outcome(console)).status, 0);
  t.notMatch(console.raw, /Enter: boot/, 'no menu');
});

t.test('a lost console, and signals', async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
    const guest = new Guest(t);
    const console = guest.start({ shell: true });
    await ready(console);
    console.kill(signal);
    await guest.outcome(console);
    const { before, after, status } = console.settings();
    t.ok(status > 128, `${signal}: ${status}`);
    t.equal(after, before, signal);
    t.ok(console.cursorVisible);
  }
  const guest = new Guest(t);
  const console = guest.start();
  await ready(console);
  console.hangUp();
  t.not((await guest.outcome(console)).status === 0 && !(await console.exit).signal, true);
});

t.test('TERM=dumb: a numbered list', async (t) => {
  const guest = new Guest(t);
  const console = guest.start({ term: 'dumb' });
  await console.until(/\? $|\?$/);
  t.match(console.text(), /^\* {3}1 {2}Debian GNU\/Linux$/m);
  t.match(console.text(), /^ {4} ?2 {2}Advanced options for Debian GNU\/Linux {2}>$/m);
  console.write('2\r');
  await console.until(/recovery mode/);
  console.write('7\r');
  await console.until(/no entry '7'/);
  console.write('2\r');
  t.match((await guest.outcome(console)).args, /single/);
  t.notMatch(console.raw, /\x1b/);
});

t.test('no terminal at all', async (t) => {
  const guest = new Guest(t);
  const run = (input: string) =>
    spawnSync(
      'env',
      [
        '-i',
        `PATH=${process.env.PATH}`,
        'node',
        join(ROOT, 'dist/nodegrub.js'),
        '--output-format=json',
        ...guest.arguments.slice(2),
        guest.disk,
      ],
      {
        input,
        encoding: 'utf8',
      },
    );
  const chosen = run('2\n2\n');
  t.match(JSON.parse(chosen.stdout), { entry: expected.titles[2] }, chosen.stderr);
  const nobody = run('');
  t.match(JSON.parse(nobody.stdout), { entry: expected.titles[0] }, nobody.stderr);
});

t.test('only what is needed is loaded', async (t) => {
  const files = (config: string, ...more: string[]) => {
    const guest = new Guest(t, config);
    const script = join(guest.out, '..', 'script.js');
    writeFileSync(
      script,
      `const nodegrub = require(${JSON.stringify(join(ROOT, 'dist/nodegrub.js'))});
       nodegrub.load('core.js').main(${JSON.stringify([...guest.arguments, ...more, guest.disk])}, 'nodegrub').then((status) => {
         console.log(JSON.stringify([status, [...nodegrub.loaded.keys()].sort(), process.moduleLoadList.filter((m) => /NativeModule (tty|crypto|readline)$/.test(m))]));
         process.exit(0);
       });`,
    );
    const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', script], {
      encoding: 'utf8',
      input: '',
    });
    return JSON.parse(r.stdout.trim().split('\n').pop()!);
  };
  const quiet = files(`set timeout=5\n${entry('one', LINUX)}`, '-q');
  t.same(quiet[0], 0);
  t.notMatch(quiet[1].join(), /menu/);
  t.same(files(`set timeout=0\n${entry('one', LINUX)}`), quiet, 'timeout=0 loads what -q does');
  t.match(files(`set timeout=5\n${entry('one', LINUX)}`)[1].join(), /menu-session\.js/);
});

/** The example disk with the kernel's extent (debugfs: `(0-1):26-27`) leading beyond the filesystem. */
function unreadableKernel(): Buffer {
  const disk = diskWith(
    `set timeout=5\n${entry('one', `${LINUX} one`)}${entry('two', `linux ${expected.ramdisk.path} two`)}`,
  );
  // ext4_extent: ee_block, ee_len, ee_start_hi, ee_start_lo
  const extent = Buffer.from([0, 0, 0, 0, 2, 0, 0, 0, 26, 0, 0, 0]);
  const at = disk.indexOf(extent);
  if (at < 0 || disk.indexOf(extent, at + 1) >= 0) throw new Error('not the disk of the recipe');
  disk.writeUInt32LE(0x7ffffff0, at + 8);
  return disk;
}

t.test('what was chosen cannot be copied', async (t) => {
  const guest = new Guest(t, unreadableKernel());
  const console = guest.start();
  await ready(console);
  console.write('\r');
  await console.until(/cannot boot: .*menuentry 'one'/);
  t.match(console.text().replace(/\s+/g, ' '), /vmlinuz|inode|extent|block/);
  await press(console, DOWN, 'two');
  console.write('\r');
  t.equal((await guest.outcome(console)).kernel, expected.ramdisk.sha256);

  const nobody = new Guest(t, unreadableKernel());
  const alone = nobody.start({ more: ['--menu-timeout=1', '--entry=0', '-i'] });
  t.equal((await nobody.outcome(alone)).status, 1);
});
