/**
 * The trusted side of the sandbox, for everything that strict.sh leaves to it: menus, lists, several disks, other formats, and
 * what to do where the sandbox cannot be had. It opens and makes what is needed, starts the parser (confine.sh) with descriptors
 * only, believes one short answer (message.ts), and alone writes to the terminal, the log and the result. A chunk.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { consoleKind } from '../../menu/terminal';
import { GuestError, hostError } from '../bytes/errors';
import { LIMITS, type Limits } from '../bytes/limits';
import { fromBytes, fromHost } from '../bytes/text';
import { openKeys } from '../cli/keys';
import { log } from '../cli/main';
import type { Options } from '../cli/options';
import { formatResult } from '../output/format';
import { writeAll } from '../output/write';
import { readPolicy } from '../policy/read';
import { type FileSource, openDisk } from '../source/file';
import type { HandedOver } from '../source/nbd';
import { NBD_URI } from '../source/types';
import { NOBODY } from './drop';
import { type Private, shownLine } from './inside';
import { Janitor } from './janitor';
import { librariesOf } from './libraries';
import { MESSAGE_BYTES, READY, understood } from './message';
import { fileOf, type Method, methods } from './methods';
import { type Outputs as Files, newResult, Outputs, openResult, outputDirectory } from './outputs';
import { mustBeReadable } from './readable';
import { Screening } from './screening';

const MIB = 1024 * 1024;
/** As pygrub's --runas: PYGRUB_MAX_FILE_SIZE_MB. */
const FILE_MB = 128;
/** Bytes of a list. */
const LIST_BYTES = 64 * MIB;
/** An unattended run; libxl allows 120 s. */
const LONGEST_MS = 600_000;

type Run = (options: Options, limits: Limits | undefined) => Promise<number>;

/** What the parser is given, by number in the parser: the parent's descriptors, and what `--inside` says of them. */
interface Handing {
  /** `pipe`: the parent's end is a stream of the child's. */
  readonly stdio: (number | 'pipe')[];
  readonly words: string[];
}

/**
 * @param run what is done in this process, where `--runas` cannot have more
 * @returns the exit status
 */
export async function strict(
  argv: readonly string[],
  options: Options,
  limits: Limits | undefined,
  run: Run,
): Promise<number> {
  const own = process.geteuid!();
  const uid = options.runas ?? options.user ?? (own === 0 ? NOBODY : own);
  if (own !== 0 && own !== uid) throw new GuestError('io', `cannot become user ${uid}: this is not root`);
  if (own === 0) mustBeReadable(__dirname, uid);
  if (options.writeEnv)
    throw new GuestError(
      'unsupported',
      '--write-env is not for the strict sandbox: only its answer is believed, and that names no place on a disk',
    );
  if (options.image?.references === 'directory')
    return weaker('files that an image names are opened by the parser itself');
  if (!existsSync(join(__dirname, 'nodegrub-strict')))
    return weaker(`it was never prepared: run make-cache.js in ${__dirname} as its owner`);
  const without = methods(own === 0 ? 'root' : 'user');
  const more = told(options);
  const reasons: string[] = [...without.reasons];
  for (const method of without.methods) {
    const status = await attempt(argv, options, limits, uid, method, reasons, more);
    if (status !== undefined) return status;
  }
  return weaker(reasons.join('; '));

  function weaker(why: string): Promise<number> {
    if (options.sandbox === 'strict')
      throw new GuestError('unsupported', `--sandbox=strict cannot be had: ${why}`);
    log(
      `warning: --runas=${uid} changes the user only, without namespaces and a filter of system calls: ${why}`,
    );
    return run(options, limits);
  }
}

/**
 * A whole run by one method.
 * @returns undefined when the sandbox did not come to life; why is in `reasons`. No byte of the guest's was read then
 */
async function attempt(
  argv: readonly string[],
  options: Options,
  limits: Limits | undefined,
  uid: number,
  method: Method,
  reasons: string[],
  told: Told,
): Promise<number | undefined> {
  const boots = options.action === 'boot';
  const handing: Handing = { stdio: [], words: [] };
  const remote = await remoteDisks(options, limits);
  const disks = disksOf(options, remote);
  for (const [letter, fd, ...more] of disks.words) give(handing, letter, fd, ...more);
  if (told.header) give(handing, ...handedOver('h', told.header));
  const directory = boots ? outputDirectory(options.directory, options.directoryGiven) : '';
  const created = newResult(options.output);
  const outputs = boots ? new Outputs(directory, created) : undefined;
  const janitor = !boots && created.length > 0 ? new Janitor(created) : undefined;
  let keep: 'nothing' | 'kernel' | 'both' = 'nothing';
  let good = false;
  try {
    const { fd } = openResult(options.output);
    if (outputs) {
      give(handing, 'k', outputs.kernel.fd);
      give(handing, 'r', outputs.ramdisk.fd);
    }
    const child = new Parser(argv, options, limits, uid, method, handing, told.text);
    child.connect([...remote.values()]);
    const printed = boots ? undefined : (bytes: Buffer) => writeAll(fd, bytes, 'the result');
    const said = await child.end(printed);
    if (!said.ready) {
      reasons.push(`${method}: ${said.reason ?? said.lines.at(-1) ?? said.how}`);
      return undefined;
    }
    if (said.how !== 'status 0')
      throw new GuestError('io', said.reason ?? `the sandbox ended with ${said.how} and without a reason`);
    good = true;
    if (!outputs) return 0;
    keep = print(said.answer, options, outputs, fd, disks.files);
    return 0;
  } finally {
    for (const connection of remote.values()) connection.close();
    await outputs?.end(keep);
    janitor?.release(good ? [0] : []);
    await janitor?.gone;
  }
}

/** Connections to the disks that are named by NBD URIs, by operand. @throws GuestError */
async function remoteDisks(
  { action, operands }: Options,
  limits: Limits = LIMITS,
): Promise<Map<string, HandedOver>> {
  const found = new Map<string, HandedOver>();
  if (action === 'isconfig') return found;
  for (const [i, operand] of operands.entries()) {
    if (!NBD_URI.test(operand)) continue;
    const { handOver } = require('../source/nbd') as typeof import('../source/nbd');
    // The same export may be named twice.
    found.set(`${i}:${operand}`, await handOver(operand, limits));
  }
  return found;
}

/** Opens what is read. */
function disksOf(
  options: Options,
  remote: ReadonlyMap<string, HandedOver>,
): {
  /** Those that are files. */
  files: (FileSource | undefined)[];
  words: (readonly [string, number | 'pipe', ...number[]])[];
} {
  if (options.action === 'isconfig') {
    try {
      return { files: [], words: [['c', openSync(options.operands[0]!, 'r')]] };
    } catch (error) {
      throw hostError(`cannot read ${shownLine(fromHost(options.operands[0]!))}`, error);
    }
  }
  const files = options.operands.map((path, i) => (remote.has(`${i}:${path}`) ? undefined : openDisk(path)));
  const words = files.map((file, i) => {
    if (file) return handedOver('d', file);
    const { fd } = remote.get(`${i}:${options.operands[i]}`)!;
    // Neither size nor sectors are known yet; the last number says that it is a connection.
    return ['d', fd ?? 'pipe', 0, 0, 1] as const;
  });
  return { files, words };
}

const handedOver = (letter: string, file: FileSource): [string, number, ...number[]] =>
  file.isBlockDevice ? [letter, file.fd, file.size, file.sectorSize] : [letter, file.fd];

/** What files of the host's admin say, read by this process: the parser could not. */
interface Told {
  /** `Private` as JSON. */
  readonly text: string | undefined;
  readonly header: FileSource | undefined;
}

/** @throws GuestError */
function told({ policy, keys, action }: Options): Told {
  const read = policy === undefined ? undefined : readPolicy(policy);
  const { secrets = [], header } = keys.length === 0 ? {} : openKeys(keys);
  if (action === 'isconfig' || (!read && secrets.length === 0))
    return { text: undefined, header: header as FileSource | undefined };
  const content: Private = { policy: read, keys: secrets.map((bytes) => bytes.toString('base64')) };
  return { text: JSON.stringify(content), header: header as FileSource | undefined };
}

/** The parser's descriptors begin at 10, which confine.sh does not use. */
const FIRST = 10;

function give(
  { stdio, words }: Handing,
  letter: string,
  fd: number | 'pipe',
  ...more: readonly (number | string)[]
): void {
  words.push([`${letter}${FIRST + stdio.length}`, ...more].join(':'));
  stdio.push(fd);
}

/** What the parser said, checked, as the toolstack wants it. */
function print(
  message: string,
  options: Options,
  outputs: Files,
  fd: number,
  disks: readonly (FileSource | undefined)[],
): 'kernel' | 'both' {
  const { ramdisk, args, entry } = understood(message);
  if (statSync(outputs.kernel.path).size === 0)
    throw new GuestError('corrupt', 'the sandbox wrote no kernel');
  const result = {
    kernel: fromHost(outputs.kernel.path),
    ramdisk: ramdisk ? fromHost(outputs.ramdisk.path) : undefined,
    args,
    entry,
  };
  writeAll(fd, formatResult(result, options, disks), 'the result');
  return ramdisk ? 'both' : 'kernel';
}

/** Node, and what it loads: absolute paths. Found when the program was installed (make-cache.ts), if this is that Node still. */
function filesOf(node: string): string[] {
  try {
    const [first, ...libraries] = readFileSync(join(__dirname, 'node.files'), 'utf8')
      .split('\n')
      .filter(Boolean);
    const stamp = statSync(join(__dirname, 'node.stamp'), { bigint: true }).mtimeNs;
    if (first === node && statSync(node, { bigint: true }).mtimeNs === stamp) return [node, ...libraries];
  } catch {
    // Never made: it is asked now.
  }
  return [node, ...librariesOf(node)];
}

/** Descriptors that this process was started with and would hand on: without O_CLOEXEC (fcntl.h). */
function inherited(): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1];
      if (Number(name) > 2 && flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0)
        found.push(Number(name));
    } catch {
      // The one that the folder was read with.
    }
  }
  return found;
}

interface Said {
  /** It had lived before the guest's first byte was read. */
  readonly ready: boolean;
  /** What it gave as the reason of a failure. */
  readonly reason: string | undefined;
  readonly lines: readonly string[];
  readonly answer: string;
  /** `status 0`, `SIGKILL`. */
  readonly how: string;
}

/** Ends the sandbox whose name is the first line of stdin, when that ends without a second one. */
const WATCH = `trap '' HUP INT TERM QUIT PIPE USR1 USR2
. "$0"
read -r name
read -r end && exit
eval "$end_sandbox"`;

/** A process that ends the sandbox of this name when this process has ended without calling what is returned. */
function watched(name: string): () => void {
  const watch = spawn('/bin/sh', ['-c', WATCH, join(__dirname, 'nodegrub-strict')], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
  });
  watch.on('error', () => {});
  watch.stdin.on('error', () => {});
  watch.stdin.write(`${name}\n`);
  return () => void watch.stdin.end('end\n');
}

/** The parser as a child of this process. */
class Parser {
  readonly #child: ChildProcess;
  readonly #interactive: boolean;
  readonly #stop: (() => void)[] = [];
  readonly #method: string;
  readonly #uid: number;
  readonly #given: Handing['stdio'];
  #ready = false;
  #reason: string | undefined;
  #lines: string[] = [];
  #said = 0;
  #rest = '';
  #tooMuch: string | undefined;
  /** Only now: what comes first is the word to go on. */
  #passKeys = (): void => void this.#child.stdin!.end();

  constructor(
    argv: readonly string[],
    options: Options,
    limits: Limits | undefined,
    uid: number,
    method: string,
    { stdio, words }: Handing,
    more: string | undefined,
  ) {
    this.#interactive = options.interactive && options.action === 'boot';
    this.#method = method;
    this.#uid = uid;
    this.#given = stdio;
    const mine = new Set(stdio.map((_, i) => FIRST + i));
    const pipes: number[] = [];
    const pipe = (): number => {
      const fd = FIRST + stdio.length + pipes.length;
      pipes.push(fd);
      mine.add(fd);
      return fd;
    };
    const drawing = this.#interactive ? pipe() : 0;
    const secret = more === undefined ? 0 : pipe();
    if (more !== undefined) words.push(`s${secret}`);
    const kind = consoleKind(process.env);
    const drawn = isatty(kind.fd);
    if (this.#interactive) {
      const letters = `${kind.tty ? 't' : ''}${kind.full ? 'f' : ''}${kind.utf8 ? 'u' : ''}${drawn ? 'd' : ''}`;
      const { columns = 0, rows = 0 } = kind.fd === 1 ? process.stdout : process.stderr;
      words.push([`m${drawing}`, letters, columns, rows].join(':'));
    }
    const name = randomUUID();
    words.push(`z${name}`);
    this.#stop.push(watched(name));
    words.push(
      'g0',
      ...inherited()
        .filter((fd) => !mine.has(fd))
        .map((fd) => `x${fd}`),
    );
    const { payloadBytes, memory, keyMemory } = limits ?? { ...LIMITS, payloadBytes: FILE_MB * MIB };
    const fileMb = Math.ceil(Math.min(payloadBytes, LIMITS.payloadBytes) / MIB);
    const pass = Object.entries(process.env).filter(
      ([name, value]) =>
        /^NODEGRUB_MAX_[A-Z_]+$|^PYGRUB_MAX_RAM_USAGE_MB$/.test(name) && value && !value.includes('\n'),
    );
    const node = realpathSync(process.execPath);
    this.#child = spawn(
      '/bin/sh',
      [
        '-c',
        '. "$1" && shift && confine "$@"; exit 125',
        'nodegrub',
        join(__dirname, 'nodegrub-strict'),
        String(uid),
        words.join(','),
        ...argv,
      ],
      {
        cwd: '/',
        stdio: [
          'pipe',
          'pipe',
          'pipe',
          ...Array.from({ length: FIRST - 3 }, () => 'ignore' as const),
          ...stdio,
          ...pipes.map(() => 'pipe' as const),
        ],
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          method,
          node,
          files: filesOf(node).join('\n'),
          flags: process.execArgv.join('\n'),
          d: __dirname,
          bwrap: fileOf('bwrap'),
          setpriv: process.geteuid!() === 0 ? fileOf('setpriv') : '',
          unshare: fileOf('unshare'),
          file_mb: String(fileMb),
          // Keys may be derived from what is typed, too.
          data_mb: String(
            Math.ceil((memory + (options.keys.length > 0 || this.#interactive ? keyMemory : 0)) / MIB),
          ),
          pass: [
            `PYGRUB_MAX_FILE_SIZE_MB=${fileMb}`,
            ...pass.map(([name, value]) => `${name}=${value}`),
          ].join('\n'),
        },
      },
    );
    if (more !== undefined) {
      const to = this.#child.stdio[secret] as Writable;
      to.on('error', () => {});
      to.end(more);
    }
    if (this.#interactive) this.#lend(kind.fd, this.#child.stdio[drawing] as Readable, kind.tty);
    else {
      const timer = setTimeout(
        () => this.#kill(`the sandbox took more than ${LONGEST_MS / 1000} s`),
        LONGEST_MS,
      );
      this.#stop.push(() => clearTimeout(timer));
    }
  }

  /** The connections that go through this process. */
  connect(all: readonly HandedOver[]): void {
    const ends = this.#child.stdio.slice(FIRST) as (Duplex | null)[];
    let next = 0;
    for (const connection of all) {
      if (connection.fd !== undefined) {
        // The parser has it.
        connection.close();
        continue;
      }
      while (this.#given[next] !== 'pipe') next++;
      connection.through(ends[next++]!);
    }
  }

  #kill(why: string): void {
    this.#tooMuch ??= why;
    this.#child.kill('SIGKILL');
  }

  /** Waits for its end. @param list where what it prints goes at once; otherwise it is kept */
  async end(list: ((bytes: Buffer) => void) | undefined): Promise<Said> {
    const { stdin, stdout, stderr } = this.#child;
    const parts: Buffer[] = [];
    let length = 0;
    const most = list ? LIST_BYTES : MESSAGE_BYTES;
    stdin!.on('error', () => {});
    stdout!.on('data', (bytes: Buffer) => {
      length += bytes.length;
      if (length > most) this.#kill(`the sandbox answered more than ${most} bytes`);
      else if (list) list(withoutControls(bytes));
      else parts.push(bytes);
    });
    stderr!.on('data', (bytes: Buffer) => this.#hear(bytes));
    const how = await new Promise<string>((done) => {
      this.#child.once('error', (error) => done(error.message));
      this.#child.once('close', (status, signal) => done(signal ?? `status ${status}`));
    });
    this.#hear(Buffer.from('\n'));
    for (const stop of this.#stop) stop();
    return {
      ready: this.#ready,
      reason: this.#tooMuch ?? this.#reason,
      lines: this.#lines,
      answer: fromBytes(Buffer.concat(parts)),
      how: this.#tooMuch ? 'SIGKILL' : how,
    };
  }

  /** Lines for the log, each shown as printable() shows it; the one that xapi looks for is kept for the end. */
  #hear(bytes: Buffer): void {
    this.#said += bytes.length;
    if (this.#said > MESSAGE_BYTES) {
      this.#kill(`the sandbox said more than ${MESSAGE_BYTES} bytes`);
      return;
    }
    const lines = (this.#rest + fromBytes(bytes)).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (!this.#ready && `${line}\n` === READY) {
        if (this.#method === 'unshare' && !noMoreProcesses(this.#child.pid!, this.#uid)) {
          this.#kill('its processes could not be limited');
          return;
        }
        this.#ready = true;
        this.#child.stdin!.write('\n');
        this.#passKeys();
      } else if (line.startsWith('RuntimeError: ')) this.#reason = shownLine(line.slice(14));
      else if (line !== '') {
        // Before that, they are the sandbox's own tools'.
        if (this.#ready) log(shownLine(line));
        else this.#lines.push(shownLine(line));
      }
    }
  }

  /** Keys go to the parser, what it draws comes to the console. */
  #lend(fd: number, drawing: Readable, tty: boolean): void {
    const screening = new Screening();
    const { stdin } = process;
    const raw = (on: boolean): void => {
      try {
        if (tty) stdin.setRawMode(on);
      } catch {
        // The console is gone.
      }
    };
    const show = (text: string): void => {
      try {
        writeAll(fd, Buffer.from(text), 'the console');
      } catch {
        // As above; the parser hears it by the end of its keys.
        this.#child.stdin!.end();
      }
    };
    drawing.on('data', (bytes: Buffer) => {
      const screened = screening.feed(bytes);
      if (screened.raw !== undefined) raw(screened.raw);
      if (screened.text !== '') show(screened.text);
    });
    drawing.on('error', () => {});
    const keys = (bytes: Buffer) => {
      if (!this.#child.stdin!.destroyed) this.#child.stdin!.write(bytes);
    };
    const gone = () => this.#child.stdin!.end();
    this.#passKeys = () => void stdin.on('data', keys).on('end', gone).on('close', gone).on('error', gone);
    const output = fd === 1 ? process.stdout : process.stderr;
    const resized = () => keys(Buffer.from(`\x1b[8;${output.rows ?? 0};${output.columns ?? 0}t`));
    if (isatty(fd)) output.on('resize', resized);
    const signals: NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'];
    const ended = (signal: NodeJS.Signals) => {
      if (isatty(fd)) show('\x1b[m\x1b[?25h\r\n');
      raw(false);
      for (const name of signals) process.off(name, ended);
      process.kill(process.pid, signal);
    };
    for (const signal of signals) process.on(signal, ended);
    this.#stop.push(() => {
      raw(false);
      stdin.off('data', keys).off('end', gone).off('close', gone).off('error', gone).pause();
      output.off('resize', resized);
      for (const name of signals) process.off(name, ended);
    });
  }
}

/**
 * Where no filter says that new processes may only be threads: from here on there are none at all. Node could not start so.
 * @param pid a chain of processes, each the only child of another (confine.sh); the last one is Node
 */
function noMoreProcesses(pid: number, uid: number): boolean {
  const children = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name may hold blanks and parentheses: what counts begins after the last one.
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      children.set(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  let last = pid;
  for (let next = children.get(last); next !== undefined; next = children.get(last)) last = next;
  if (last === pid) return false;
  // As that user: root in a container may not (CAP_SYS_RESOURCE).
  const words = [
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    fileOf('prlimit')!,
    '--pid',
    String(last),
  ];
  const limited = spawnSync(fileOf('setpriv')!, [...words, '--nproc=0:0'], {
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin' },
  });
  return limited.status === 0;
}

/** A list goes to whoever asked for it with the guest's bytes, but not with controls that a terminal obeys (NUL ends items). */
function withoutControls(bytes: Buffer): Buffer {
  return Buffer.from(
    bytes.map((byte) => ((byte < 0x20 && byte !== 0 && byte !== 0x0a) || byte === 0x7f ? 0x3f : byte)),
  );
}
