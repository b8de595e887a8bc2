/** Arguments in, exit status out. CONTRACT.md says what toolstacks are owed. */
import { fstatSync } from 'node:fs';
import { basename } from 'node:path';
import { loadFirst } from '../../fsdrivers';
import type { Kind } from '../../menu/terminal';
import type { BootTarget } from '../boot/model';
import { Bootloader, type Decision, type Request } from '../bootloader';
import { GuestError } from '../bytes/errors';
import { LIMITS, type Limits } from '../bytes/limits';
import { type ByteString, fromHost, printable } from '../bytes/text';
import { ChunkWriter, copyFile } from '../extract/copy';
import { copyInitrds } from '../extract/initrd';
import { formatResult, type Result } from '../output/format';
import { writeAll } from '../output/write';
import { dropPrivileges } from '../sandbox/drop';
import { Janitor } from '../sandbox/janitor';
import { newResult, Outputs, openResult, outputDirectory } from '../sandbox/outputs';
import { FileSource, openDisk } from '../source/file';
import { type BlockSource, NBD_URI } from '../source/types';
import { UsageError } from './getopt';
import { type Options, parseOptions } from './options';

const keys = () => require('./keys') as typeof import('./keys');

/** What a successful boot does not need is a chunk. */
const reports = () => require('./reports') as typeof import('./reports');

declare const NODEGRUB_VERSION: string | undefined;
export const VERSION = typeof NODEGRUB_VERSION === 'string' ? NODEGRUB_VERSION : '0.0.0-source';

export function log(line: string): void {
  try {
    // Under libxl stderr is a raw pty: a bare line feed would make a staircase. (process.stderr would load 2 ms of tty.)
    const end = fstatSync(2).isCharacterDevice() ? '\r\n' : '\n';
    writeAll(2, Buffer.from(line + end), 'stderr');
  } catch {
    // A closed console must not keep a guest from booting.
  }
}

/** @returns the exit status */
export async function main(argv: readonly string[], program: string): Promise<number> {
  if (/^--(inside=|show-lines$)/.test(argv[0] ?? ''))
    return (require('../sandbox/inside') as typeof import('../sandbox/inside')).inside(argv);
  let options: Options;
  let limits: Limits | undefined;
  try {
    options = parseOptions(argv);
    limits = limitsInForce();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log(`${basename(program)}: ${printable(fromHost(error.message))}`);
    for (const line of reports().usage(basename(program)).trimEnd().split('\n')) log(line);
    return 1;
  }
  const own = options.run;
  if (own) return reported(async () => own(basename(program)));
  const { sandbox, runas } = options;
  return reported(() =>
    sandbox === 'strict' || (runas && sandbox === 'auto')
      ? (require('../sandbox/parent') as typeof import('../sandbox/parent')).strict(
          argv,
          options,
          limits,
          run,
        )
      : run(options, limits),
  );
}

/** Runs `body`, whose failure becomes the last line on stderr and the status 1. */
export async function reported(body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof GuestError)) {
      log(`nodegrub ${VERSION}, an error of its own, please report it:`);
      for (const line of String((error as Error)?.stack ?? error).split('\n')) log(printable(fromHost(line)));
      log('RuntimeError: nodegrub failed by a defect of its own, see the lines above');
      return 1;
    }
    log(`RuntimeError: ${error.describe()}`);
    return 1;
  }
}

/** Undefined: as the table says, which a plain start does not load anything for. */
export const limitsInForce = (): Limits | undefined =>
  Object.keys(process.env).some((name) => /^(NODE|PY)GRUB_MAX_/.test(name))
    ? (require('./environment') as typeof import('./environment')).limitsFrom(process.env)
    : undefined;

/** What a run works with: opened by this process, or by the parent of a sandbox (sandbox/inside.ts). */
export interface Given {
  readonly disks: readonly BlockSource[];
  readonly images?: Request['images'];
  readonly secrets?: import('./keys').Keys | undefined;
  readonly policy?: Request['policy'];
  readonly outputs: Pick<Outputs, 'kernel' | 'ramdisk'> | undefined;
  /** Where the result goes. */
  readonly fd: number;
  /** What confines this process, for the log. */
  readonly force: string;
  readonly console?: Kind | undefined;
  readonly writer?: import('../writeenv/index').EnvWriter | undefined;
  /** The result as it is written; throws what cannot be said. */
  format(result: Result): Buffer;
  /** Which files the toolstack was told of. */
  keep: 'nothing' | 'kernel' | 'both';
}

async function run(options: Options, limits: Limits | undefined): Promise<number> {
  // Everything that needs root comes first, and sees no guest byte: descriptors are opened, files are made.
  const policy =
    options.policy === undefined
      ? undefined
      : (require('../policy') as typeof import('../policy')).loadPolicy(options, join);
  const disks = openDisks(options, limits);
  const images =
    options.image &&
    (require('./image') as typeof import('./image')).prepareImages(options, disks, FileSource, limits);
  const secrets = options.keys[0] && keys().openKeys(options.keys);
  const boots = options.action === 'boot';
  const writer =
    options.writeEnv && boots
      ? new (require('../writeenv/index') as typeof import('../writeenv/index')).EnvWriter(
          options.operands,
          disks,
        )
      : undefined;
  const directory = boots ? outputDirectory(options.directory, options.directoryGiven) : '';
  const created = newResult(options.output);
  const outputs = boots ? new Outputs(directory, created) : undefined;
  // A result file of ours goes after a failure of anything else, too.
  const janitor = !boots && created.length > 0 ? new Janitor(created) : undefined;
  let given: Given | undefined;
  let good = false;
  try {
    const { fd } = openResult(options.output);
    const { sandbox, runas, user } = options;
    const force = sandbox === 'off' ? 'sandbox off' : dropPrivileges(runas ?? user, __dirname);
    const format = (result: Result) => formatResult(result, options, disks);
    given = { disks, images, secrets, policy, outputs, fd, force, writer, format, keep: 'nothing' };
    const status = await boot(options, limits, given);
    good = status === 0;
    return status;
  } finally {
    for (const disk of disks) disk.end?.();
    writer?.end();
    await outputs?.end(given?.keep ?? 'nothing');
    janitor?.release(good ? [0] : []);
    await janitor?.gone;
  }
}

/** From the opened disks to the printed result. */
export async function boot(options: Options, limits: Limits | undefined, given: Given): Promise<number> {
  const { disks, images, secrets, policy, outputs, fd, force } = given;
  if (options.debug) log(`nodegrub ${VERSION}, node ${process.version}, ${force}`);
  if (options.ramdisk !== undefined && options.kernel === undefined)
    log('warning: --ramdisk without --kernel is ignored');
  const request: Request = {
    disks,
    images,
    offset: options.offset,
    openAs: options.action === 'isconfig' ? reports().configFileSystem(options.operands[0]!) : undefined,
    bootfs: options.args?.includes('zfs-bootfs=') ? reports().namedBootfs(options.args) : undefined,
    guess: options.guess && options.action !== 'isconfig',
    quiet: !options.interactive || options.action !== 'boot' || !!policy?.quiet,
    limits,
    policy,
    saves: !!given.writer,
    say: options.say ?? log,
  };
  const loader = new Bootloader(request);
  /** What is found, with encrypted volumes opened where nothing is, or one of them was missed. */
  const opened = async <T>(find: () => T | undefined): Promise<T | undefined> => {
    const found = find();
    if (found && !loader.context.crypt?.wanted) return found;
    return keys().unlock(loader, options, secrets, find, found, log, given.console);
  };
  if (/list|inspect/.test(options.action)) return reports().list(opened, loader, options, request, fd, log);
  let decision = await opened(() => decide(loader, options));
  const { offer } = loader;
  const session =
    offer &&
    new (require('../../menu/session') as typeof import('../../menu/session')).Session(
      loader,
      offer,
      decision,
      {
        version: VERSION,
        wait: options.menuTimeout,
        console: given.console,
        keys: secrets,
      },
    );
  for (;;) {
    if (session) decision = await session.choose();
    if (!decision) {
      const name = printable(fromHost(options.operands[0]!));
      for (const line of reports().failureLines(name, loader.diagnostics)) log(line);
      return 1;
    }
    // Under libxl (never quiet) this line is what the admin finds in the log.
    if (options.debug || (outputs && options.interactive))
      log(`nodegrub ${VERSION} (${force}) boots ${decision.where}`);
    for (const note of decision.target.notes) log(`note: ${note}`);
    const args = join(decision.target, options);
    if (args.length > LIMITS.guestCommandLine)
      log(
        `warning: the arguments are ${args.length} bytes, a PV guest's are cut after ${LIMITS.guestCommandLine}`,
      );
    if (!outputs) {
      writeAll(fd, reports().describe(decision, args, options, disks, loader.context), 'the result');
      return 0;
    }
    let printed: { bytes: Buffer; ramdisk: boolean };
    try {
      printed = await extract(decision, args, options, outputs, loader, given);
    } catch (error) {
      if (!session?.retry(error, outputs)) throw error;
      continue;
    }
    await given.writer?.save(decision.target.saves?.values() ?? [], loader.context, log);
    writeAll(fd, printed.bytes, 'the result');
    given.keep = printed.ramdisk ? 'both' : 'kernel';
    if (options.debug) logReads(disks);
    return 0;
  }
}

export function openDisks(
  options: Options,
  limits?: Limits,
  open = (path: string, _index: number): BlockSource =>
    NBD_URI.test(path)
      ? (require('../source/nbd') as typeof import('../source/nbd')).openNbd(path, limits, loadFirst)
      : openDisk(path),
): BlockSource[] {
  if (options.action === 'isconfig') return [reports().configDisk(options.operands[0]!, limits)];
  return options.operands.map(open);
}

function decide(loader: Bootloader, options: Options): Decision | undefined {
  return options.kernel !== undefined && options.action !== 'isconfig'
    ? loader.named(options.kernel, options.ramdisk)
    : loader.decide(options.entry);
}

/** `--args` joins with one blank, and alone stands without a leading one. */
export function join(target: BootTarget, options: Options): ByteString {
  if (target.settled) return target.args;
  const own = target.args;
  const added = options.args ?? '';
  const both = own !== '' && added !== '' ? `${own} ${added}` : own + added;
  const args = target.mergeArgs ? target.mergeArgs(added) : both;
  const zfs = target.kernel?.found?.fs.bootString;
  return zfs === undefined ? args : reports().withBootString(args, zfs);
}

async function extract(
  decision: Decision,
  args: ByteString,
  options: Options,
  outputs: Pick<Outputs, 'kernel' | 'ramdisk'>,
  loader: Bootloader,
  given: Given,
): Promise<{ bytes: Buffer; ramdisk: boolean }> {
  const { kernel, initrds } = decision.target;
  const found = kernel?.found;
  if (!kernel || !found) throw new GuestError('not-found', kernel?.problem ?? 'no kernel is named');
  const ramdisk = initrds.length > 0;
  const result: Result = {
    kernel: fromHost(outputs.kernel.path),
    ramdisk: ramdisk ? fromHost(outputs.ramdisk.path) : undefined,
    args,
    entry: decision.title,
  };
  // What cannot be said is found out before 100 MB are copied for nothing.
  const bytes = given.format(result);
  const out = new ChunkWriter(outputs.kernel.fd, outputs.kernel.path);
  const second = new ChunkWriter(outputs.ramdisk.fd, outputs.ramdisk.path);
  const stop = options.interactive ? showProgress(decision, [out, second]) : undefined;
  try {
    await copyFile(found.fs, found.node, out, loader.context);
    await out.end();
    if (ramdisk) {
      await copyInitrds(initrds, second, loader.context);
      await second.end();
    }
    loader.policy?.checkCopied(decision.target, outputs, loader.context);
    const { tasks } = options;
    if (tasks)
      await (require('../extract/kernel') as typeof import('../extract/kernel')).finishKernel(
        outputs.kernel,
        tasks,
        loader.context,
        log,
      );
  } catch (error) {
    if (error instanceof GuestError) error.where.unshift(decision.where);
    throw error;
  } finally {
    stop?.();
  }
  return { bytes, ramdisk };
}

/** A line on the console from half a second on. @returns what ends it */
function showProgress({ target }: Decision, writers: readonly ChunkWriter[]): () => void {
  let progress: import('../../menu/progress').Progress | undefined;
  const files = [target.kernel, ...target.initrds.map((part) => part.file)];
  const total = files.reduce((sum, file) => sum + (file?.found?.node.size ?? 0), 0);
  const timer = setInterval(() => {
    progress ??= new (require('../../menu/progress') as typeof import('../../menu/progress')).Progress();
    progress.show(
      writers.reduce((sum, writer) => sum + writer.position, 0),
      total,
    );
  }, 500);
  return () => {
    clearInterval(timer);
    progress?.end();
  };
}

function logReads(disks: readonly BlockSource[]): void {
  for (const disk of disks) {
    const counted = disk as { reads?: number; bytesRead?: number };
    if (counted.reads !== undefined)
      log(`${disk.label}: ${counted.bytesRead} bytes in ${counted.reads} reads`);
  }
}
