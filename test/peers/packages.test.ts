/**
 * The packages (scripts/package.mjs), each installed where it is meant to be: the .deb in a minimal Debian 12 with its Node 18, the tarball
 * in a root that has nothing but busybox, the npm package by npm.
 */
import { chmodSync, chownSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT, THOROUGH } from '../support';
import { debianRoot, Root } from './root';
import { CLEAN_ENV, EXAMPLE, must, type Ran, run, scratch, sha256 } from './support';

const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures/images/example.expected.json'), 'utf8'));
const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
const DEB = `nodegrub_${version}-1_all.deb`;
const MACHINE = process.arch;
const TARBALL = `nodegrub-${version}-linux-${MACHINE}.tar.gz`;
const NPM = `nodegrub-${version}.tgz`;

const dir = scratch(t);
/** What the roots see as /host. */
const host = join(dir, 'host');
mkdirSync(host);
copyFileSync(EXAMPLE, join(host, 'example.img'));

/** The sources, as a release would have them. */
function checkout(name: string): string {
  const to = join(dir, name);
  for (const path of [
    'lib',
    'menu',
    'fsdrivers',
    'scripts',
    'packaging',
    'docs',
    'package.json',
    'package-lock.json',
  ])
    cpSync(join(ROOT, path), join(to, path), { recursive: true });
  for (const path of ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE', 'tsconfig.json'])
    copyFileSync(join(ROOT, path), join(to, path));
  mkdirSync(join(to, 'fixtures/images'), { recursive: true });
  for (const path of ['example.img', 'fat-32.img.gz'])
    copyFileSync(join(ROOT, 'fixtures/images', path), join(to, 'fixtures/images', path));
  for (const path of ['esbuild', '@esbuild', 'hash-wasm', 'smol-toml', 'typescript'])
    cpSync(join(ROOT, 'node_modules', path), join(to, 'node_modules', path), { recursive: true });
  return to;
}

const HOME = {
  HOME: process.env.HOME,
  NODEGRUB_CACHE: process.env.NODEGRUB_CACHE ?? `${process.env.HOME}/.cache/nodegrub`,
};

/** @returns the package's path */
function make(
  sources: string,
  out: string,
  words: readonly string[],
  env: object = {},
  umask = '022',
): string {
  const script = `umask ${umask}; exec node scripts/package.mjs "$@"`;
  // npm's own trust in the machine's certificates, for the first fetch of the tarball's Node
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  const r = run('sh', ['-c', script, 'sh', ...words, `--out=${out}`], {
    cwd: sources,
    env: { ...HOME, ...(certificates ? { NODE_EXTRA_CA_CERTS: certificates } : {}), ...env },
  });
  if (r.status !== 0) throw new Error(`package.mjs ${words.join(' ')}: ${r.stdout}${r.stderr}`);
  return r.stdout.trim();
}

const first = checkout('first');
const KINDS: Record<string, readonly string[]> = {
  [NPM]: ['npm'],
  [DEB]: ['deb'],
  [TARBALL]: ['tarball', '--fast'],
};
for (const words of Object.values(KINDS)) make(first, host, words);

type Asserts = Pick<typeof t, 'equal'>;

/** Is the result of `simple` on the example disk what its recipe says? `read` reads the files that it names. */
function booted(t: Asserts, r: Ran, read: (path: string) => Buffer, why: string) {
  t.equal(r.status, 0, `${why}: ${r.stderr}`);
  const value = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(r.stdout)?.[1] ?? '';
  if (r.status !== 0) return;
  t.equal(sha256(read(value('kernel'))), expected.kernel.sha256, `${why}: kernel`);
  t.equal(sha256(read(value('ramdisk'))), expected.ramdisk.sha256, `${why}: ramdisk`);
  t.equal(value('args'), expected.args, `${why}: args`);
}

t.test('the same bytes in another folder, later, with another umask, time zone and language', async (t) => {
  const second = checkout('an other/second');
  // The tarball with its own Node is the same script's, and takes longest.
  for (const [name, words] of Object.entries(KINDS).slice(0, THOROUGH ? undefined : 2)) {
    const path = make(second, join(dir, 'again'), words, { TZ: 'Asia/Kathmandu', LC_ALL: 'C.UTF-8' }, '077');
    t.equal(path, join(dir, 'again', name));
    t.equal(sha256(readFileSync(path)), sha256(readFileSync(join(host, name))), name);
  }
  const skip = !THOROUGH && 'a package of another time is another: one more build, for THOROUGH=1';
  if (skip) return void t.pass(skip, { skip });
  const later = make(second, join(dir, 'later'), ['deb'], { SOURCE_DATE_EPOCH: '1893456000' });
  t.not(sha256(readFileSync(later)), sha256(readFileSync(join(host, DEB))), 'its time is in it');
});

t.test('the .deb: lintian, and the profile by its own parser', async (t) => {
  const lintian = run('lintian', [
    '--allow-root',
    '--fail-on=error,warning,info',
    '--tag-display-limit=0',
    '-iI',
    join(host, DEB),
  ]);
  t.equal(lintian.status, 0, lintian.stdout + lintian.stderr);
  t.notMatch(lintian.stdout, /^[EWI]: /m);
  t.equal(must('dpkg-deb', '-f', join(host, DEB), 'Architecture').trim(), 'all');
  t.equal(must('dpkg-deb', '-f', join(host, DEB), 'Depends').trim(), 'nodejs (>= 18.20)');
  const names = must('dpkg-deb', '-c', join(host, DEB));
  t.notMatch(
    names,
    /\.cache$|\/xen-\d|node\.stamp/m,
    'nothing that depends on the machine, nothing in Xen’s folders',
  );
  const parser = run('apparmor_parser', ['-Q', '-K', '-T', join(ROOT, 'packaging/apparmor/nodegrub')]);
  t.equal(parser.status, 0, parser.stderr);
});

t.test('the .deb in Debian 12', async (t) => {
  const debian = debianRoot();
  if ('why' in debian) return void t.pass(debian.why, { skip: debian.why });
  const root = new Root(t, host, debian.root);
  const here = (path: string) => Buffer.from(root.must(`base64 -w0 '${path}'`), 'base64');
  const boot = (why: string, words = '') =>
    booted(
      t,
      root.run(`nodegrub -q --output-format=simple --output-directory=/tmp/out ${words} /host/example.img`),
      here,
      why,
    );
  const files = () =>
    root.must(
      'find / -xdev -path /host -prune -o -path /tmp -prune -o -path /proc -prune -o -path /var/log -prune -o ' +
        "-path '/var/lib/dpkg/*' -prune -o -path '/var/cache/man' -prune -o -print | sort",
    );
  root.must('mkdir /tmp/out');
  const before = files();

  // One of an earlier revision, whose program file has the same length: what V8 would take an old cache for.
  const reports = join(first, 'lib/cli/reports.ts');
  const text = readFileSync(reports, 'utf8');
  writeFileSync(reports, text.replace('take the default', 'TAKE the default'));
  const changelog = join(first, 'packaging/deb/changelog');
  const newest = readFileSync(changelog, 'utf8');
  writeFileSync(changelog, newest.replace(`${version}-1`, `${version}-0`));
  make(first, host, ['deb']);
  root.must(`dpkg -i /host/nodegrub_${version}-0_all.deb`);
  t.match(root.must('nodegrub --help'), /TAKE the default/);
  t.equal(root.must('command -v nodegrub').trim(), '/usr/bin/nodegrub', 'on the PATH, where libxl looks');

  t.test('an update, halfway and whole', async (t) => {
    root.must(`dpkg --unpack /host/${DEB}`);
    t.match(root.must('nodegrub --help'), /take the default/, 'unpacked: no old code from an old cache');
    boot('unpacked, not configured');
    root.must('dpkg --configure -a');
    t.match(root.must('nodegrub --help'), /take the default/);
    t.equal(root.must('dpkg --verify nodegrub'), '', 'its files are as in the package');
    t.equal(
      root.must(
        `test -e /usr/lib/nodegrub/core.js.flags.${process.arch}.cache && stat -c %Y /usr/lib/nodegrub/node.stamp`,
      ),
      root.must('stat -c %Y /usr/bin/node'),
    );
  });

  t.test('it boots with Node 18, also in the sandbox', async (t) => {
    t.match(root.must('node --version'), /^v18\.20\./);
    boot('plain');
    t.equal(
      root.must(
        `cd / && node -p "require('/usr/lib/nodegrub').openDisk('/host/example.img').decide().boot.title"`,
      ),
      `${expected.titles[0]}\n`,
      'the library, too',
    );
    const debug = root.run(
      'nodegrub -q --debug -n --sandbox=strict --output-format=simple /host/example.img',
    );
    t.match(debug.stderr, /node v18\.20\.\d+, sandbox strict \(bwrap, seccomp\), user 65534/, debug.stdout);
    boot('strict', '--sandbox=strict');
    // The two ways: by the start script, and (another format) by Node
    const runas = root.run(
      'nodegrub -q --runas=1234 --output-format=simple --output-directory=/tmp/out /host/example.img',
    );
    t.equal(runas.status, 0);
    t.notMatch(runas.stderr, /warning/, 'no weaker than asked for');
    const json = root.run('nodegrub -q --runas=1234 -l --output-format=json /host/example.img');
    t.notMatch(json.stderr, /warning/);
    t.same(
      JSON.parse(json.stdout).entries.map(({ title }: { title: string }) => title),
      expected.titles,
    );
    root.must('ln -s /usr/bin/nodegrub /tmp/pygrub');
    t.match(root.must('/tmp/pygrub -l /host/example.img'), /^title: Debian/, 'by the name that xapi has');
  });

  t.test('manual page and completions are where they are looked for', async (t) => {
    t.equal(root.must('man -w 8 nodegrub').trim(), '/usr/share/man/man8/nodegrub.8.gz');
    t.match(root.must('lexgrog "$(man -w nodegrub)"'), /nodegrub - bootloader program/);
    t.equal(root.must('man --warnings=all -P cat nodegrub 2>&1 >/dev/null'), '', 'groff has no complaint');
    const completed = root.must(
      `bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader nodegrub; complete -p nodegrub'`,
    );
    t.equal(completed.trim(), 'complete -F _nodegrub nodegrub');
    const zsh = root.must(
      `zsh -fc 'autoload -U compinit; compinit -D -u; echo $_comps[nodegrub]; whence -v _nodegrub'`,
    );
    t.match(zsh, /^_nodegrub\n/);
    boot('with the example policy', '--policy=/usr/share/doc/nodegrub/examples/policy.toml');
  });

  t.test('another Node: it works at once, and dpkg makes a new cache', async (t) => {
    const stamp = 'stat -c %Y /usr/lib/nodegrub/node.stamp';
    root.must('touch -d 2001-01-01 /usr/bin/node');
    boot('with a stale cache');
    boot('with a stale cache, strict', '--sandbox=strict');
    root.must(`rm /usr/lib/nodegrub/core.js.${process.arch}.cache`);
    t.match(root.must('dpkg -i /var/nodejs.deb'), /triggers for nodegrub/);
    t.equal(root.must(stamp), root.must('stat -c %Y /usr/bin/node'));
    root.must(`test -e /usr/lib/nodegrub/core.js.${process.arch}.cache`);
    boot('with a new one');
  });

  t.test('where no cache can be made the package is installed all the same', async (t) => {
    const r = root.run(`TMPDIR=/nowhere dpkg -i /host/${DEB}`);
    t.equal(r.status, 0, r.stderr);
    t.match(r.stderr, /nodegrub: warning: no code cache/);
    boot('without a cache');
    t.match(
      root.run('nodegrub -q --sandbox=strict -l /host/example.img').stderr,
      /--sandbox=strict cannot be had: it was never prepared: run make-cache.js in \/usr\/lib\/nodegrub/,
    );
  });

  t.test('removed and purged, nothing is left', async (t) => {
    root.must(`dpkg -i /host/${DEB} && dpkg -r nodegrub`);
    t.equal(
      root
        .must(
          'find / -xdev -path /host -prune -o -path /var/lib/dpkg -prune -o -path /var/cache/man -prune -o -name "*nodegrub*" -print',
        )
        .trim(),
      '/etc/apparmor.d/nodegrub',
    );
    root.must('dpkg -P nodegrub');
    t.equal(files(), before);
  });
});

t.test('the tarball where there is no Node, no C library and no network', async (t) => {
  const root = new Root(t, host);
  const here = (path: string) => Buffer.from(root.must(`base64 '${path}'`).replace(/\s/g, ''), 'base64');
  t.not(root.run('test -e /lib -o -e /lib64 -o -e /usr/lib').status, 0, 'no libraries');
  root.must('echo "root:x:0:0::/:/bin/sh" >/etc/passwd; mkdir /tmp/out');
  t.equal(
    root.must(`tar -C /opt -xzf /host/${TARBALL} && /opt/nodegrub/link`).trim(),
    `nodegrub ${version}`,
    'the one command',
  );
  const pinned = JSON.parse(readFileSync(join(ROOT, 'packaging/tarball/node.json'), 'utf8')).version;
  const r = root.run(
    'nodegrub -q --debug --output-format=simple --output-directory=/tmp/out /host/example.img',
  );
  booted(t, r, here, 'linked');
  t.match(r.stderr, new RegExp(`node v${pinned}, basic: user 65534, no new privileges`));
  const listed = root.must('cat /opt/nodegrub/dist/node.files').trim().split('\n');
  t.ok(
    listed.length > 3 && listed.every((path) => path.startsWith('/opt/nodegrub/')),
    `its own libraries: ${listed}`,
  );
  // Which file is whose, and under which terms
  const { components } = JSON.parse(root.must('cat /opt/nodegrub/dist/sbom.cdx.json'));
  const named = components.flatMap(({ properties }: { properties: { name: string; value: string }[] }) =>
    properties.filter(({ name }) => name === 'nodegrub:file').map(({ value }) => value),
  );
  for (const path of root.must('cd /opt/nodegrub && ls -d lib/*').trim().split('\n'))
    t.ok(named.includes(path), path);
  const node = components.find(({ name }: { name: string }) => name === 'node');
  t.equal(node.hashes[0].content, root.must('sha256sum /opt/nodegrub/bin/node').slice(0, 64));
  t.match(root.must('cat /opt/nodegrub/licenses/node.txt'), /Permission is hereby granted/);
  t.match(root.must('cat /opt/nodegrub/licenses/libc6.txt'), /GNU Lesser General Public/);

  t.match(root.must('/opt/nodegrub/link'), /nodegrub/, 'again, as an update does');
  root.must('/opt/nodegrub/link --remove');
  t.equal(root.must('find /usr/local ! -type d'), '', 'the links are gone');
  t.match(
    root.must('/opt/nodegrub/link /usr/bin; ls -l /usr/bin/nodegrub'),
    /-> \/opt\/nodegrub\/dist\/nodegrub/,
  );
  const other = root.run('echo mine >/usr/local/bin/nodegrub; /opt/nodegrub/link');
  t.not(other.status, 0);
  t.match(other.stderr, /\/usr\/local\/bin\/nodegrub is there already/);
  t.equal(root.must('cat /usr/local/bin/nodegrub'), 'mine\n');
  const moved = root.run('mv /opt/nodegrub /opt/elsewhere; /opt/elsewhere/link');
  t.not(moved.status, 0);
  t.match(moved.stderr, /works in \/opt\/nodegrub only/);
});

t.test('npm install -g, in a folder with a blank in its name', async (t) => {
  const NPM_WORDS = ['--offline', '--no-audit', '--no-fund', '--no-update-notifier'];
  const user = 1000;
  for (const [who, scripts] of [
    ['root', true],
    ['root', false],
    ['user', true],
  ] as const) {
    const home = join(dir, `${who} home ${scripts}`);
    const prefix = join(home, 'pre fix');
    const out = join(home, 'out');
    for (const path of [home, out]) {
      mkdirSync(path);
      if (who === 'user') chownSync(path, user, user);
    }
    chmodSync(join(host, NPM), 0o644);
    const as = who === 'user' ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : [];
    const command = (...words: string[]) =>
      run('env', [...as, ...words], { cwd: '/tmp', env: { PATH: CLEAN_ENV.PATH, HOME: home } });
    const words = [...NPM_WORDS, ...(scripts ? [] : ['--ignore-scripts'])];
    const installed = command('npm', 'install', '-g', '--prefix', prefix, ...words, join(host, NPM));
    t.equal(installed.status, 0, installed.stderr);
    const bin = join(prefix, 'bin/nodegrub');
    const sandbox = scripts ? ['--sandbox=strict'] : [];
    const r = command(
      bin,
      '-q',
      '--debug',
      ...sandbox,
      '--output-format=simple',
      `--output-directory=${out}`,
      join(host, 'example.img'),
    );
    booted(t, r, readFileSync, `${who}, scripts: ${scripts}`);
    if (scripts) t.match(r.stderr, /sandbox strict/);
    t.ok(readFileSync(join(prefix, 'share/man/man8/nodegrub.8')), 'the manual page');
    command('npm', 'uninstall', '-g', '--prefix', prefix, '--offline', 'nodegrub');
    t.equal(must('find', prefix, '!', '-type', 'd'), '', 'uninstalled');
  }
});
