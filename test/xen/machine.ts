/** The emulated machine: work in as a tar on a disk, results out the same way. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../support';
import type { Loader, Outcome, Scenario } from './scenarios';

export interface Job {
  /** Its folder, and its guests' name. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly loader: Loader;
}

/** Debian's grub-xen-host. */
const PVGRUB = {
  pv: '/usr/lib/grub-xen/grub-x86_64-xen.bin',
  pvh: '/usr/lib/grub-xen/grub-i386-xen_pvh.bin',
};
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const list = (words: readonly string[]): string => `[ ${words.map((w) => `"${w}"`).join(', ')} ]`;

/** The job's seconds, after which a guest counts as hung: what is known to hang need not be waited for long. */
function limit({ scenario, loader }: Job): number {
  if (loader === 'pvgrub' && !('boots' in scenario.want)) return 60;
  return scenario.copies === undefined ? 200 : 400;
}

function xlConfig({ scenario, loader }: Job): string {
  const { type, config = [], bootloaderArgs } = scenario;
  const how = loader === 'pvgrub' ? [`kernel = "${PVGRUB[type]}"`] : [`bootloader = "${loader}"`];
  if (bootloaderArgs) how.push(`bootloader_args = ${list(bootloaderArgs)}`);
  return [
    'name = "@NAME@"',
    `type = "${type}"`,
    'memory = 160',
    'vcpus = 1',
    ...how,
    'disk = [ "format=raw,vdev=xvda,access=rw,target=@DISK@" ]',
    'on_poweroff = "destroy"',
    'on_reboot = "destroy"',
    'on_crash = "destroy"',
    ...config,
    '',
  ].join('\n');
}

function writeJob(folder: string, job: Job): void {
  const { scenario, loader } = job;
  mkdirSync(folder);
  writeFileSync(join(folder, 'xl.cfg'), xlConfig(job));
  const steps = (scenario.steps ?? []).map((s) => `${s.when}\t${s.what}\t${s.text ?? ''}\n`);
  writeFileSync(join(folder, 'steps'), steps.join(''));
  const words = {
    disk: scenario.disk ?? 'guest',
    via: scenario.via ?? 'file',
    console: scenario.console ? 'yes' : 'no',
    copies: String(scenario.copies ?? 1),
    limit: String(limit(job)),
    environment: scenario.environment ?? '',
    watched: `/${loader}`,
  };
  writeFileSync(
    join(folder, 'job'),
    Object.entries(words)
      .map(([word, value]) => `${word}=${quoted(value)}\n`)
      .join(''),
  );
}

/** Works the jobs off in one machine, within `seconds`. @returns the folder with their results. */
export async function run(
  cache: string,
  work: string,
  jobs: readonly Job[],
  seconds: number,
  say: (line: string) => void,
): Promise<string> {
  const input = join(work, 'in');
  const output = join(work, 'out');
  mkdirSync(join(input, 'jobs'), { recursive: true });
  mkdirSync(output);
  install(join(cache, 'root'));
  cpSync(join(ROOT, 'test/xen/dom0/run.sh'), join(input, 'run.sh'));
  for (const job of jobs) writeJob(join(input, 'jobs', job.name), job);
  must('tar', '-C', input, '-cf', `${work}/in.tar`, '.');
  must('tar', '-C', cache, '-Srf', `${work}/in.tar`, 'guest.img', 'patient.img', 'bad-sector');
  must('tar', '-C', join(cache, 'root/usr/lib'), '-rf', `${work}/in.tar`, 'nodegrub');
  writeFileSync(`${work}/out.tar`, '');
  truncateSync(`${work}/out.tar`, 64 << 20);

  const serial = join(work, 'serial');
  writeFileSync(serial, '');
  const xen =
    'dom0_mem=1280M,max:1280M console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all noreboot spec-ctrl=no xpti=no';
  const linux = 'console=hvc0 mitigations=off panic=5';
  const disk = (file: string, more: string) => ['-drive', `file=${file},if=virtio,format=raw,${more}`];
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-machine',
        'pc',
        '-accel',
        'tcg,thread=multi',
        '-cpu',
        'qemu64,+svm,+npt',
        '-m',
        '2560',
        '-smp',
        '1',
      ],
      ...[
        '-nodefaults',
        '-no-user-config',
        '-nic',
        'none',
        '-display',
        'none',
        '-no-reboot',
        '-monitor',
        'none',
      ],
      ...['-kernel', `${cache}/xen`, '-append', xen],
      ...['-initrd', `${cache}/vmlinuz ${linux},${cache}/initrd`],
      ...disk(`${cache}/dom0.img`, 'snapshot=on'),
      ...disk(`${work}/in.tar`, 'readonly=on'),
      ...disk(`${work}/out.tar`, 'cache=unsafe'),
      ...['-serial', `file:${serial}`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const kill = () => machine.kill('SIGKILL');
  process.on('exit', kill);
  const ended = new Promise<void>((done) => machine.on('exit', () => done()));
  machine.on('error', (error) => say(String(error)));
  const began = Date.now();
  let told = 0;
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (!over) {
    await Promise.race([sleep(1000), ended]);
    const lines = readFileSync(serial, 'latin1').match(/RIG [^\r\n]*(?=[\r\n])/g) ?? [];
    for (; told < lines.length; told++) say(lines[told]!);
    if (lines.at(-1)?.includes('results written')) break;
    if (Date.now() - began > seconds * 1000) {
      say(`the machine's time limit, ${seconds} s, is over`);
      break;
    }
  }
  if (!over) await Promise.race([sleep(2000), ended]);
  kill();
  process.off('exit', kill);
  await ended;
  spawnSync('tar', ['-C', output, '-xf', `${work}/out.tar`]);
  return output;
}

/** nodegrub as a package installs it, with the code cache of dom0's own Node: of the emulated machine's time that takes minutes. */
function install(root: string): void {
  const folder = join(root, 'usr/lib/nodegrub');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(join(ROOT, 'dist'))) {
    if (/\.(js|gz)$/.test(file)) cpSync(join(ROOT, 'dist', file), join(folder, file));
  }
  const inside =
    'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" node /usr/lib/nodegrub/make-cache.js';
  must('unshare', '--mount', 'sh', '-c', inside, 'sh', root);
}

function must(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

/** @returns undefined where the machine did not come so far */
export function outcome(folder: string): Outcome | undefined {
  const text = (name: string): string =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').replace(/[\0\r]/g, '') : '';
  const words = new Map(
    text('result')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  );
  const state = words.get('state');
  if (!state) return undefined;
  const screen = text('screen');
  const said = `${text('console.log')}\n${screen}`;
  const word = (name: string) => said.match(new RegExp(`^.*GUEST-${name} (.*)$`, 'm'))?.[1]?.trim() ?? '';
  const status = words.get('status');
  const ms = Number(words.get('ms'));
  return {
    state: state as Outcome['state'],
    status: status ? Number(status) : undefined,
    ms,
    readyMs: Number(words.get('up_ms') || words.get('xl_ms') || ms),
    steps: Number(words.get('steps')),
    args: word('ARGS'),
    type: word('TYPE'),
    disk: word('DISK'),
    log: `${text('bootloader.log')}\n${screen}`,
    xl: text('xl.log'),
    cpu: (words.get('cpu') ?? '').split(' ').filter(Boolean).map(Number),
    left: text('left').trim(),
  };
}
