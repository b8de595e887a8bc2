/**
 * Disks behind real servers (nbdkit with its plugins and filters, qemu-nbd, nbd-server), by TCP, Unix socket and TLS, in the ordinary
 * and in the strict mode: the guest's files are those of the raw disk. And what a boot over a long line costs.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { image, ROOT } from '../support';
import { CLEAN_ENV, EXAMPLE, must, NODEGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);
const started: ChildProcess[] = [];
t.teardown(() => {
  for (const child of started) child.kill('SIGKILL');
});
let count = 0;
const fresh = (name: string) => join(dir, `${name}${count++}`);

/** Lets a server run until the test ends, or until what is returned is called. */
function serve(command: readonly string[], env: object = {}): ChildProcess {
  const variables = Object.entries({ ...CLEAN_ENV, ...env }).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', ['-i', ...variables, ...command], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  child.stderr!.resume();
  return child;
}

/** Until somebody listens. */
async function listening(where: { path: string } | { port: number; host: string }): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const ok = await new Promise<boolean>((done) => {
      const socket = connect(where as never, () => {
        socket.destroy();
        done(true);
      });
      socket.on('error', () => done(false));
    });
    if (ok) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`nobody listens at ${JSON.stringify(where)}`);
}

let nextPort = 20_000 + (process.pid % 20_000);

/** nbdkit on a Unix socket. @returns the URI */
async function nbdkit(...words: readonly string[]): Promise<string> {
  const path = fresh('socket');
  serve(['nbdkit', '-f', '-U', path, ...words]);
  for (let tries = 0; tries < 200 && !existsSync(path); tries++)
    await new Promise((done) => setTimeout(done, 50));
  return `nbd+unix:///?socket=${path}`;
}

interface Boot {
  readonly status: number | null;
  readonly stderr: string;
  readonly result: string;
  readonly files: readonly string[];
}

function boot(...args: string[]): Boot {
  const out = fresh('out');
  mkdirSync(out);
  const r = run('node', [NODEGRUB, '-q', '--output-format=simple0', `--output-directory=${out}`, ...args]);
  const files = readdirSync(out).sort();
  const done = {
    status: r.status,
    stderr: r.stderr,
    result: r.stdout.replaceAll(/(kernel|ramdisk) \S+?(?=\0)/g, '$1'),
    files: files.map((name) => sha256(readFileSync(join(out, name)))),
  };
  rmSync(out, { recursive: true });
  return done;
}

const wanted = boot(EXAMPLE);
const like = ({ status, result, files }: Boot) => ({ status, result, files });

function same(t: Tap, uri: string, ...more: string[]): void {
  const seen = boot(...more, uri);
  t.same(like(seen), like(wanted), `${more} ${uri}: ${seen.stderr}`);
}
type Tap = { same(a: unknown, b: unknown, what: string): unknown };

t.test('the raw disk boots', async (t) => {
  t.equal(wanted.status, 0);
  t.equal(wanted.files.length, 2);
});

t.test('nbdkit', async (t) => {
  for (const words of [
    ['file', EXAMPLE],
    ['--no-sr', 'file', EXAMPLE],
    ['--mask-handshake=0', 'file', EXAMPLE],
    [
      '--filter=blocksize-policy',
      'file',
      EXAMPLE,
      'blocksize-minimum=4096',
      'blocksize-preferred=65536',
      'blocksize-maximum=128K',
      'blocksize-error-policy=error',
    ],
    [
      '--filter=blocksize-policy',
      'file',
      EXAMPLE,
      'blocksize-minimum=512',
      'blocksize-preferred=512',
      'blocksize-maximum=1K',
      'blocksize-error-policy=error',
    ],
    ['--filter=delay', 'file', EXAMPLE, 'rdelay=5ms'],
    ['--filter=noparallel', 'file', EXAMPLE, 'serialize=requests'],
    ['--filter=cow', 'file', EXAMPLE],
    // A read in a hundred fails, and is tried again by the server.
    [
      '--filter=retry-request',
      '--filter=error',
      'file',
      EXAMPLE,
      'error-pread-rate=1%',
      'retry-request-delay=1',
    ],
  ])
    same(t, await nbdkit(...words));
});

t.test('nbdkit: memory, filled by another client', async (t) => {
  const uri = await nbdkit('memory', String(readFileSync(EXAMPLE).length));
  must('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', EXAMPLE, uri);
  same(t, uri);
});

t.test('nbdkit: an archive, and HTTP', async (t) => {
  const site = fresh('site');
  mkdirSync(site);
  must('cp', EXAMPLE, join(site, 'disk.img'));
  must('xz', '-k', '--block-size=262144', join(site, 'disk.img'));
  same(t, await nbdkit('--filter=xz', 'file', join(site, 'disk.img.xz')));
  const port = nextPort++;
  const conf = fresh('nginx.conf');
  writeFileSync(
    conf,
    `daemon off; master_process off; pid ${site}/pid; error_log ${site}/error; events {}
http { access_log off; client_body_temp_path ${site}/b; proxy_temp_path ${site}/p; fastcgi_temp_path ${site}/f;
uwsgi_temp_path ${site}/u; scgi_temp_path ${site}/s; server { listen 127.0.0.1:${port}; root ${site}; } }`,
  );
  serve(['nginx', '-e', `${site}/first`, '-c', conf]);
  await listening({ host: '127.0.0.1', port });
  same(t, await nbdkit('curl', `http://127.0.0.1:${port}/disk.img`));
});

t.test('qemu-nbd: raw, qcow2, an export with a name, an image that is named as one', async (t) => {
  const qcow2 = fresh('disk.qcow2');
  must('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', EXAMPLE, qcow2);
  for (const [words, name, more] of [
    [['-f', 'raw', EXAMPLE], '', []],
    [['-f', 'raw', '-x', 'a disk/1', EXAMPLE], 'a%20disk/1', []],
    [['-f', 'qcow2', qcow2], '', []],
    [['-f', 'raw', qcow2], '', ['--image-format=qcow2']],
  ] as const) {
    const path = fresh('socket');
    serve(['qemu-nbd', '-r', '-t', '-e', '4', '-k', path, ...words]);
    await listening({ path });
    same(t, `nbd+unix:///${name}?socket=${path}`, ...more);
  }
  const path = fresh('socket');
  serve(['qemu-nbd', '-r', '-t', '-f', 'raw', '-x', 'one', '-k', path, EXAMPLE]);
  await listening({ path });
  const other = boot(`nbd+unix:///two?socket=${path}`);
  t.equal(other.status, 1);
  t.match(
    other.stderr,
    /^RuntimeError: nbd\+unix:\/\/\/two: the server refuses the export 'two' \(NBD_REP_ERR_UNKNOWN/m,
  );
  t.match(
    boot('--image-format=qcow2', '--image-references=directory', `nbd+unix:///one?socket=${path}`).stderr,
    /has no directory/,
  );
});

t.test('nbd-server', async (t) => {
  const port = nextPort++;
  const conf = fresh('nbd-server.conf');
  writeFileSync(
    conf,
    `[generic]\nlistenaddr = 127.0.0.1\nport = ${port}\n[disk]\nexportname = ${EXAMPLE}\nreadonly = true\n`,
  );
  const pid = fresh('pid');
  must('nbd-server', '-C', conf, '-p', pid);
  t.teardown(() => process.kill(Number(readFileSync(pid, 'utf8'))));
  await listening({ host: '127.0.0.1', port });
  same(t, `nbd://127.0.0.1:${port}/disk`);
  same(t, `nbd://localhost:${port}/disk`);
});

/** Certificates as qemu's and libnbd's folders hold them: an authority, a server of the name `localhost`, a client. */
function certificates(): { folder: string; server: string; stranger: string } {
  const folder = fresh('pki');
  const server = join(folder, 'server');
  const stranger = join(folder, 'stranger');
  for (const path of [folder, server, stranger]) mkdirSync(path);
  const key = (name: string) =>
    must('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', name);
  const ca = (at: string, name: string) => {
    key(join(at, 'ca-key.pem'));
    must(
      'openssl',
      'req',
      '-x509',
      '-new',
      '-key',
      join(at, 'ca-key.pem'),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-out',
      join(at, 'ca-cert.pem'),
    );
  };
  const leaf = (at: string, authority: string, role: 'server' | 'client', extension: string) => {
    key(join(at, `${role}-key.pem`));
    const csr = fresh('csr');
    const ext = fresh('ext');
    writeFileSync(ext, extension);
    must('openssl', 'req', '-new', '-key', join(at, `${role}-key.pem`), '-subj', `/CN=${role}`, '-out', csr);
    must(
      'openssl',
      'x509',
      '-req',
      '-in',
      csr,
      '-CA',
      join(authority, 'ca-cert.pem'),
      '-CAkey',
      join(authority, 'ca-key.pem'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      ext,
      '-out',
      join(at, `${role}-cert.pem`),
    );
  };
  ca(folder, 'authority');
  leaf(folder, folder, 'client', 'extendedKeyUsage=clientAuth');
  must('cp', join(folder, 'ca-cert.pem'), server);
  leaf(server, folder, 'server', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth');
  ca(stranger, 'another authority');
  leaf(stranger, stranger, 'client', 'extendedKeyUsage=clientAuth');
  return { folder, server, stranger };
}

t.test('TLS', async (t) => {
  const { folder, server, stranger } = certificates();
  const port = nextPort++;
  serve([
    'nbdkit',
    '-f',
    '-i',
    '127.0.0.1',
    '-p',
    String(port),
    '--tls=require',
    `--tls-certificates=${server}`,
    '--tls-verify-peer',
    'file',
    EXAMPLE,
  ]);
  await listening({ host: '127.0.0.1', port });
  const qemu = fresh('socket');
  serve([
    'qemu-nbd',
    '-r',
    '-t',
    '-e',
    '8',
    '-f',
    'raw',
    '-k',
    qemu,
    '--object',
    `tls-creds-x509,id=tls,endpoint=server,dir=${server},verify-peer=yes`,
    '--tls-creds',
    'tls',
    EXAMPLE,
  ]);
  await listening({ path: qemu });
  for (const more of [[], ['--sandbox=strict']]) {
    same(t, `nbds://localhost:${port}/?tls-certificates=${folder}`, ...more);
    same(t, `nbds://127.0.0.1:${port}/?tls-certificates=${folder}`, ...more);
    same(t, `nbds+unix:///?socket=${qemu}&tls-certificates=${folder}&tls-hostname=localhost`, ...more);
    same(t, `nbds+unix:///?socket=${qemu}&tls-certificates=${folder}`, ...more);
    for (const [uri, reason] of [
      [`nbd://localhost:${port}/`, /it wants TLS: nbds:/],
      [
        `nbds+unix:///?socket=${qemu}&tls-certificates=${folder}&tls-hostname=other`,
        /other. is not in the cert's altnames/,
      ],
      [`nbds://localhost:${port}/`, /TLS|certificate/],
      [`nbds://localhost:${port}/?tls-certificates=${stranger}`, /certificate/],
      [`nbds://localhost:${port}/?tls-certificates=${dir}`, /cannot read .*ca-cert\.pem: .*ENOENT/],
    ] as const) {
      const seen = boot(...more, uri);
      t.equal(seen.status, 1, uri);
      t.match(seen.stderr, reason, `${more} ${uri}`);
      t.equal(seen.stderr.match(/RuntimeError: /g)?.length, 1);
      t.same(seen.files, [], 'no file is left');
    }
  }
  // A client whose certificate another authority signed.
  must('cp', join(folder, 'ca-cert.pem'), stranger);
  const refused = boot(`nbds://localhost:${port}/?tls-certificates=${stranger}`);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /RuntimeError: nbds:\/\/localhost/);
  t.match(
    boot(`nbds+unix:///?socket=${(await nbdkit('file', EXAMPLE)).replace(/.*=/, '')}`).stderr,
    /refuses TLS/,
  );
});

t.test('the strict sandbox, its ways', async (t) => {
  const uri = await nbdkit('file', EXAMPLE);
  same(t, uri, '--sandbox=strict');
  const port = nextPort++;
  serve(['nbdkit', '-f', '-i', '127.0.0.1', '-p', String(port), 'file', EXAMPLE]);
  await listening({ host: '127.0.0.1', port });
  same(t, `nbd://127.0.0.1:${port}`, '--sandbox=strict');
  same(t, `nbd://127.0.0.1:${port}`, '--runas=1234');
  // Without bwrap, and without user namespaces (a file of the test's in the place of the setting).
  const zero = fresh('zero');
  writeFileSync(zero, '0\n');
  for (const hide of [
    'mount --bind /dev/null /usr/bin/bwrap',
    `mount --bind ${zero} /proc/sys/user/max_user_namespaces`,
  ]) {
    const out = fresh('out');
    mkdirSync(out);
    const words = [
      'node',
      NODEGRUB,
      '-q',
      '--debug',
      '--sandbox=strict',
      '--output-format=simple',
      `--output-directory=${out}`,
      uri,
    ];
    const r = run('unshare', ['-m', 'sh', '-c', `${hide} && exec "$@"`, 'sh', ...words]);
    t.equal(r.status, 0, r.stderr);
    t.match(r.stderr, hide.includes('bwrap') ? /unshare, no seccomp/ : /bwrap without a user namespace/);
    t.same(
      readdirSync(out)
        .sort()
        .map((name) => sha256(readFileSync(join(out, name)))),
      wanted.files,
    );
  }
});

t.test('no thread is root when the guest is read', async (t) => {
  const uri = await nbdkit('--filter=delay', 'file', EXAMPLE, 'rdelay=400ms');
  const out = fresh('out');
  mkdirSync(out);
  const child = spawn(
    'env',
    [
      '-i',
      `PATH=${CLEAN_ENV.PATH}`,
      'node',
      NODEGRUB,
      '-q',
      '--output-format=simple',
      `--output-directory=${out}`,
      uri,
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((done) => child.on('close', done));
  let seen: string[] = [];
  // The C library changes thread after thread (setxid): the second look counts, and the guest is read for 400 ms and more.
  for (let tries = 0, looks = 0; tries < 200 && looks < 2; tries++) {
    await new Promise((done) => setTimeout(done, 20));
    try {
      const tasks = readdirSync(`/proc/${child.pid}/task`).map((task) =>
        readFileSync(`/proc/${child.pid}/task/${task}/status`, 'latin1'),
      );
      const users = tasks.map((status) => /^Uid:\t(.*)$/m.exec(status)![1]!);
      if (!users.some((user) => user.startsWith('65534'))) continue;
      seen = [...users, ...tasks.map((s) => /^CapEff:\t(.*)$/m.exec(s)![1]!)];
      looks++;
    } catch {
      // Not yet, or no more.
    }
  }
  await ended;
  t.ok(seen.length >= 16, `${seen.length / 2} threads`);
  t.same([...new Set(seen)], ['65534\t65534\t65534\t65534', '0000000000000000']);
});

/** Until somebody is connected with the server at `path`, and has asked it for something: it takes a second for an answer. */
async function connected(path: string): Promise<void> {
  const there = () =>
    readFileSync('/proc/net/unix', 'latin1')
      .split('\n')
      .filter((line) => line.endsWith(` ${path}`)).length;
  for (let tries = 0; tries < 500 && there() < 2; tries++) await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => setTimeout(done, 300));
}

t.test('a server that dies, one that comes back, one that fails', async (t) => {
  const path = fresh('socket');
  const uri = `nbd+unix:///?socket=${path}`;
  const first = serve(['nbdkit', '-f', '-U', path, '--filter=delay', 'file', EXAMPLE, 'rdelay=1']);
  await listening({ path });
  const out = fresh('out');
  mkdirSync(out);
  const start = () => {
    const child = spawn(
      'env',
      [
        '-i',
        `PATH=${CLEAN_ENV.PATH}`,
        'node',
        NODEGRUB,
        '-q',
        '--sandbox=off',
        '--output-format=simple',
        `--output-directory=${out}`,
        uri,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    child.stderr.on('data', (bytes) => (text += bytes));
    return new Promise<{ status: number | null; text: string }>((done) =>
      child.on('close', (status) => done({ status, text })),
    );
  };
  const comesBack = start();
  await connected(path);
  spawnSync('pkill', ['-KILL', '-P', String(first.pid)]);
  first.kill('SIGKILL');
  rmSync(path, { force: true });
  const second = serve(['nbdkit', '-f', '-U', path, '--filter=delay', 'file', EXAMPLE, 'rdelay=1']);
  const good = await comesBack;
  t.equal(good.status, 0, good.text);
  t.same(
    readdirSync(out)
      .sort()
      .map((name) => sha256(readFileSync(join(out, name)))),
    wanted.files,
  );
  rmSync(out, { recursive: true });
  mkdirSync(out);
  const dies = start();
  await connected(path);
  second.kill('SIGKILL');
  rmSync(path, { force: true });
  const bad = await dies;
  t.equal(bad.status, 1);
  t.match(
    bad.text,
    /the connection broke \(.*\), was made again, and broke again \(connect (ENOENT|ECONNREFUSED)/,
  );
  t.same(readdirSync(out), []);
  const broken = boot(
    await nbdkit('--filter=error', 'file', EXAMPLE, 'error-pread=EIO', 'error-pread-rate=100%'),
  );
  t.equal(broken.status, 1);
  t.match(broken.stderr, /the server cannot read \d+ bytes at \d+: NBD_EIO/);
});

t.test('the library', async (t) => {
  const uri = await nbdkit('file', EXAMPLE);
  const script = join(dir, 'library.cjs');
  const out = fresh('library');
  mkdirSync(out);
  writeFileSync(
    script,
    `const { openDisk } = require(${JSON.stringify(join(ROOT, 'dist/index.js'))});
     const { readFileSync } = require('node:fs');
     (async () => {
       const [, , uri, out] = process.argv;
       const disk = openDisk(uri);
       const { boot } = disk.decide();
       const files = await disk.extract(out);
       const titles = disk.list().entries.map(({ title }) => title);
       disk.close();
       let nobody = '';
       try { openDisk('nbd+unix:///?socket=' + out + '/none'); } catch (error) { nobody = error.name + ' ' + error.code; }
       console.log(JSON.stringify({ boot, files, titles, nobody }));
     })();`,
  );
  const r = run('node', [script, uri, out]);
  t.equal(r.status, 0, `it ends by itself: ${r.stderr}`);
  const { boot, files, titles, nobody } = JSON.parse(r.stdout);
  const expected = JSON.parse(readFileSync(EXAMPLE.replace('.img', '.expected.json'), 'utf8'));
  t.same(titles, expected.titles);
  t.equal(boot.args, expected.args);
  t.equal(sha256(readFileSync(files.kernel)), expected.kernel.sha256);
  t.equal(sha256(readFileSync(files.ramdisk)), expected.ramdisk.sha256);
  t.equal(nobody, 'GuestError io');
});

t.test('no name in a guest makes a connection', async (t) => {
  const disk = fresh('disk.img');
  must('cp', EXAMPLE, disk);
  const uri = 'nbd://127.0.0.1:9/x';
  const r = run('strace', [
    '-f',
    '-qq',
    '-e',
    'trace=socket,connect',
    'node',
    NODEGRUB,
    '-qn',
    '--kernel',
    `(${uri})/vmlinuz`,
    disk,
  ]);
  t.notMatch(r.stderr, /connect\(|socket\(/);
  const qcow2 = fresh('names.qcow2');
  must('qemu-img', 'create', '-q', '-u', '-f', 'qcow2', '-b', uri, '-F', 'raw', qcow2, '1M');
  const q = run('strace', [
    '-f',
    '-qq',
    '-e',
    'trace=socket,connect',
    'node',
    NODEGRUB,
    '-qn',
    '--image-format=qcow2',
    '--image-references=directory',
    qcow2,
  ]);
  t.notMatch(q.stderr, /connect\(|socket\(/);
  t.match(q.stderr, /RuntimeError: .*is not a file's name/);
  t.ok(image('example.img').length > 0);
});

t.test('what a boot over a long line asks for', async (t) => {
  const built = must('bash', join(ROOT, 'bench/disks/debian12.sh')).trim();
  const raw = boot(built);
  t.equal(raw.status, 0);
  const server = await nbdkit('file', built);
  const path = fresh('socket');
  const proxy = serve(['node', join(ROOT, 'bench/nbd-proxy.mjs'), path, server.replace(/.*=/, ''), '10']);
  let told = '';
  proxy.stdout!.on('data', (bytes) => (told += bytes));
  for (let tries = 0; tries < 200 && !existsSync(path); tries++)
    await new Promise((done) => setTimeout(done, 50));
  t.same(like(boot(`nbd+unix:///?socket=${path}`)), like(raw));
  const ended = new Promise((done) => proxy.on('close', done));
  spawnSync('pkill', ['-TERM', '-P', String(proxy.pid)]);
  proxy.kill('SIGTERM');
  await ended;
  const seen = JSON.parse(told.trim().split('\n')[0]!);
  t.ok(seen.trips <= 25, `${seen.trips} dependent trips, at most 25`);
  t.ok(seen.reads <= 150, `${seen.reads} requests, at most 150`);
  t.ok(seen.most >= 8, `${seen.most} under way`);
  t.ok(seen.long >= 30, `${seen.long} of 1 MiB`);
  t.ok(seen.atLong >= 6, `${seen.atLong} under way when a long one was asked for`);
});
