/**
 * Every path that the program asks the kernel for, by strace: before the drop what it asks for any disk, afterwards its own chunks and
 * what proc(5) says of itself; nothing that a guest's disk names. No socket but the helper's pair, no program but the helper's.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cases, plantHost } from '../hostile/references';
import { ROOT } from '../support';
import { EXAMPLE, must, run, scratch } from './support';

const isRoot = process.getuid?.() === 0;
const dist = join(ROOT, 'dist');
const dir = scratch(t);
const host = join(dir, 'host');
plantHost(host);

interface Asked {
  readonly status: number | null;
  /** Paths before and after the change to nobody, of the program without its helper; chunks as `CHUNK`, outputs without their letters. */
  readonly before: Set<string>;
  readonly after: Set<string>;
  /** Of the helper and what it starts. */
  readonly helper: Set<string>;
  /** Programs that were started, and sockets that were made, by anybody. */
  readonly programs: string[];
  readonly sockets: string[];
}

let count = 0;

function asked(disk: string, ...options: string[]): Asked {
  const out = join(dir, `o${count++}`);
  mkdirSync(out);
  const trace = join(dir, 'trace');
  const r = run('strace', [
    ...[
      '-f',
      '-qq',
      '-s',
      '4096',
      '-e',
      'trace=%file,%network,execve,execveat,setuid',
      '-e',
      'signal=none',
      '-o',
      trace,
    ],
    join(dist, 'nodegrub'),
    ...[
      '-q',
      '--output-format=simple0',
      `--output=${out}/result`,
      `--output-directory=${out}`,
      ...options,
      disk,
    ],
  ]);
  const helpers = new Set<string>();
  let dropped = false;
  const found = {
    before: new Set<string>(),
    after: new Set<string>(),
    helper: new Set<string>(),
    programs: [] as string[],
    sockets: [] as string[],
  };
  for (const line of readFileSync(trace, 'latin1').split('\n')) {
    const [, pid, call] = /^(\d+) +([a-z0-9_]+)\(/.exec(line) ?? [];
    if (!pid || !call) continue;
    if (/^socket|^connect|^bind|^listen/.test(call))
      found.sockets.push(line.slice(line.indexOf(call)).replace(/\[.*/, ''));
    if (call === 'setuid') dropped = true;
    const paths = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]!);
    if (call.startsWith('exec')) {
      found.programs.push(paths[0]!);
      if (paths[0] === '/bin/sh' && line.includes('nodegrub-janitor')) helpers.add(pid);
      if (paths[0] === '/bin/rm') helpers.add(pid);
      paths.length = 1;
    }
    const into = helpers.has(pid) ? found.helper : dropped ? found.after : found.before;
    for (const path of paths.filter((p) => p !== ''))
      into.add(
        path
          .replace(out, 'OUT')
          .replace(/\/boot_(kernel|ramdisk)\.[a-z0-9_]{8}$/, '/boot_$1')
          .replace(disk, 'DISK')
          .replace(/^\/proc\/\d+\//, '/proc/PID/')
          .replace(/^.*\/dist\/[a-zA-Z0-9-]+\.js(\.(flags\.)?\w+\.cache)?$/, 'CHUNK'),
      );
  }
  rmSync(out, { recursive: true });
  return { status: r.status, ...found };
}

t.test('every path', { skip: !isRoot && 'not root: nothing is dropped' }, async (t) => {
  const usual = asked(EXAMPLE);
  t.equal(usual.status, 0);
  t.ok(usual.before.has('DISK') && usual.before.has('OUT/boot_kernel') && usual.before.has('OUT/result'));
  t.ok(usual.before.size > 10 && usual.before.has('CHUNK'));
  t.same([...usual.after].sort(), ['/proc/self/status', 'CHUNK']);
  t.same(
    usual.programs.filter((program) => program !== '/bin/rm'),
    [join(dist, 'nodegrub'), '/usr/bin/setpriv', must('which', 'node').trim(), '/bin/sh'],
  );
  t.match(usual.sockets, [/^socketpair\(AF_UNIX/]);
  t.equal(usual.sockets.length, 1);
  // The shell's getcwd, '/', may be told in two lines, of which the second is not read here.
  const helper = (paths: Set<string>) =>
    [...paths].filter((path) => !/^\/(etc\/ld\.so|lib|usr\/lib|$)/.test(path)).sort();
  t.same(helper(usual.helper), ['/bin/sh']);
  for (const { name, disk, args } of cases(host)) {
    const path = join(host, 'guest.img');
    writeFileSync(path, disk);
    const seen = asked(path);
    t.equal(seen.status, args === undefined ? 1 : 0, `${name}: status`);
    t.same([...seen.before].sort(), [...usual.before].sort(), `${name}: before the drop as for any disk`);
    // A long run looks at the memory that it holds.
    const after = [...seen.after].filter((p) => p !== '/proc/self/stat').sort();
    t.same(after, ['/proc/self/status', 'CHUNK'], `${name}: afterwards chunks, and itself`);
    t.same(seen.sockets.length, 1, `${name}: sockets`);
    t.same(
      [...new Set(seen.programs.slice(3))].filter((program) => program !== '/bin/rm'),
      ['/bin/sh'],
      `${name}: programs`,
    );
    t.same(
      helper(seen.helper).filter((p) => !p.startsWith('OUT/') && p !== '/bin/rm'),
      helper(usual.helper),
      `${name}: the helper removes outputs, and nothing else`,
    );
  }
});
