/**
 * `--location=URL`: from the name of a tree to the printed result. A chunk, in place of a run over a disk. As there, what needs root
 * comes first; then privileges are dropped, and only then the network is touched.
 */
import type { BootContext, BootTarget } from '../boot/model';
import { Bootloader } from '../bootloader';
import { GuestError, unsupported } from '../bytes/errors';
import { LIMITS, type Limits } from '../bytes/limits';
import { type ByteString, fromHost, toUnicode } from '../bytes/text';
import { join, limitsInForce, log, VERSION } from '../cli/main';
import type { Options } from '../cli/options';
import { formatResult } from '../output/format';
import { writeAll } from '../output/write';
import type { Policy } from '../policy/types';
import { dropPrivileges } from '../sandbox/drop';
import { Janitor } from '../sandbox/janitor';
import { newResult, Outputs, openResult, outputDirectory } from '../sandbox/outputs';
import { DirectoryFiles } from './directory';
import { doubt, fetchFile, mustBeKernel } from './fetch';
import { HttpFiles, named } from './http';
import { findInstaller } from './index';
import { fetchedFile, judged } from './judge';
import { isWeak } from './sums';
import { type Files, type Installer, safePath, shown, Tree } from './tree';

/** What was given up, or why not. @throws GuestError for what cannot be meant */
function check(o: Options): void {
  if (o.action === 'list')
    throw unsupported('--location has no entries to list: -n says what would be fetched');
  if (o.action === 'isconfig') throw unsupported('--location and --isconfig are two things');
  if (o.sandbox === 'strict')
    throw unsupported('--sandbox=strict cannot be had: it has no network and no directories');
  if (o.runas === 0) throw unsupported('--runas=0 would keep all privileges');
  if (o.sandbox === 'off' && (o.runas ?? o.user))
    throw unsupported('--sandbox=off would keep what --runas and --user give up');
  if (o.output === '') throw unsupported('--output names no file');
  if (o.ramdisk !== undefined && o.kernel === undefined)
    log('warning: --ramdisk without --kernel is ignored');
  if (o.entry !== undefined) log('warning: --entry is ignored: a tree has no entries');
  if (o.runas !== undefined && o.sandbox === 'auto')
    log(
      `warning: --runas=${o.runas} changes the user only, without namespaces and a filter of system calls: the tree is fetched by this process`,
    );
}

/** A URL or a directory, without anything being opened. @throws GuestError `unsupported` */
export function placeOf(location: string): URL | string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(location)?.[1]?.toLowerCase();
  if (scheme === undefined) return location;
  let url: URL;
  try {
    url = new URL(location);
  } catch {
    throw unsupported(`--location=${shown(location)}: no URL`);
  }
  if (url.search !== '' || url.hash !== '')
    throw unsupported(`--location=${named(url)}: a tree's URL has neither ? nor #`);
  if (scheme === 'file') {
    if (url.host !== '') throw unsupported(`--location=${named(url)}: a file: URL names no host`);
    return decodeURIComponent(url.pathname);
  }
  if (scheme !== 'http' && scheme !== 'https')
    throw unsupported(`--location=${named(url)}: http, https, file or a directory`);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** @returns the exit status */
export async function locate(location: string, o: Options): Promise<number> {
  check(o);
  const place = placeOf(location);
  const limits = limitsInForce() ?? LIMITS;
  const policy =
    o.policy === undefined
      ? undefined
      : (require('../policy') as typeof import('../policy')).loadPolicy(o, join);
  policy?.location(typeof place === 'string' ? place : named(place));
  const dry = o.action === 'dry-run';
  if (dry && policy)
    throw unsupported(
      '-n with --location and --policy: a policy judges what was fetched, and -n fetches nothing',
    );
  const directory = dry ? '' : outputDirectory(o.directory, o.directoryGiven);
  const created = newResult(o.output);
  const outputs = dry ? undefined : new Outputs(directory, created);
  const janitor = dry && created.length > 0 ? new Janitor(created) : undefined;
  let keep: 'nothing' | 'kernel' | 'both' = 'nothing';
  let good = false;
  let files: Files | undefined;
  try {
    const { fd } = openResult(o.output);
    // The trust anchors that the environment names are read as root: nobody may not be able to.
    if (typeof place !== 'string' && place.protocol === 'https:')
      (require('node:tls') as typeof import('node:tls')).createSecureContext();
    const force = o.sandbox === 'off' ? 'sandbox off' : dropPrivileges(o.runas ?? o.user, __dirname);
    if (o.debug) log(`nodegrub ${VERSION}, node ${process.version}, ${force}`);
    files = typeof place === 'string' ? new DirectoryFiles(place) : new HttpFiles(place, limits, process.env);
    keep = await fromTree(files, o, limits, policy, outputs, fd, force);
    good = true;
    return 0;
  } catch (error) {
    if (error instanceof GuestError && files && !error.describe().startsWith(files.base))
      error.where.unshift(files.base);
    throw error;
  } finally {
    files?.close();
    await outputs?.end(keep);
    janitor?.release(good ? [0] : []);
    await janitor?.gone;
  }
}

/** @returns which files the toolstack was told of */
async function fromTree(
  files: Files,
  o: Options,
  limits: Limits,
  policy: Policy | undefined,
  outputs: Outputs | undefined,
  fd: number,
  force: string,
): Promise<'nothing' | 'kernel' | 'both'> {
  const ctx = new Bootloader({ disks: [], quiet: true, limits, say: log }).context;
  const tree = new Tree(files, ctx);
  const found = await installerOf(tree, o);
  const { kernel, ramdisk } = found;
  const title = fromHost(found.what);
  if (o.debug || (outputs && o.interactive))
    log(`nodegrub ${VERSION} (${force}) boots ${shown(found.what)}: ${files.base}${shown(kernel)}`);
  const own = fromHost(found.args.join(' '));
  if (own !== '') log(`note: for the installer: ${shown(toUnicode(own), 2000)}`);
  for (const note of found.notes) log(`note: ${note}`);
  const path = (name: string): ByteString => fromHost(files.base + name);
  const target: BootTarget = {
    kernel: { volume: undefined, path: path(kernel) },
    initrds: ramdisk === undefined ? [] : [{ file: { volume: undefined, path: path(ramdisk) } }],
    args: own,
    root: '',
    problem: null,
    notes: [],
  };
  const said = (kernel: ByteString, ramdisk: ByteString | undefined, args: ByteString): Buffer => {
    if (args.length > LIMITS.guestCommandLine)
      log(
        `warning: the arguments are ${args.length} bytes, a PV guest's are cut after ${LIMITS.guestCommandLine}`,
      );
    return formatResult({ kernel, ramdisk, args, entry: title }, o, []);
  };
  if (!outputs) {
    const initrd = ramdisk === undefined ? undefined : `<ramdisk:${path(ramdisk)}>`;
    writeAll(fd, said(`<kernel:${path(kernel)}>`, initrd, join(target, o)), 'the result');
    return 'nothing';
  }
  const sizes = await fetchBoth(tree, found, outputs, o);
  let args = join(target, o);
  if (policy) args = allowed(policy, target, sizes, outputs, ctx).args;
  const initrd = ramdisk === undefined ? undefined : fromHost(outputs.ramdisk.path);
  writeAll(fd, said(fromHost(outputs.kernel.path), initrd, args), 'the result');
  return ramdisk === undefined ? 'kernel' : 'both';
}

/** What the tree offers, or the files of it that `--kernel` and `--ramdisk` name. */
async function installerOf(tree: Tree, o: Options): Promise<Installer> {
  if (o.kernel === undefined) return findInstaller(tree);
  // The checksums are those of the tree's index, if it has one.
  let known: Installer | undefined;
  try {
    known = await findInstaller(tree);
  } catch (error) {
    if (!(error instanceof GuestError) || error.code !== 'not-found') throw error;
  }
  const inner = (text: ByteString, option: string) => safePath(toUnicode(text).replace(/^\/+/, ''), option);
  return {
    what: known?.what ?? 'files of a tree',
    args: known?.args ?? [],
    notes: known?.notes ?? [],
    sum: async (path) => known?.sum(path),
    kernel: inner(o.kernel, '--kernel'),
    ramdisk: o.ramdisk === undefined ? undefined : inner(o.ramdisk, '--ramdisk'),
  };
}

/** @returns sizes in bytes */
async function fetchBoth(
  tree: Tree,
  found: Installer,
  outputs: Outputs,
  o: Options,
): Promise<readonly number[]> {
  let done = 0;
  const progress = o.interactive
    ? new (require('../../menu/progress') as typeof import('../../menu/progress')).Progress()
    : undefined;
  const timer = progress && setInterval(() => progress.came(done), 500);
  const sizes: number[] = [];
  try {
    for (const [path, out] of [
      [found.kernel, outputs.kernel],
      [found.ramdisk, outputs.ramdisk],
    ] as const) {
      if (path === undefined) continue;
      const sum = await found.sum(path);
      const { size, head } = await fetchFile(tree, path, sum, out, (bytes) => {
        done += bytes;
      });
      if (out === outputs.kernel) mustBeKernel(path, head);
      sizes.push(size);
      const warning = doubt(path, sum);
      if (warning) log(`warning: ${warning}`);
      else if (o.debug && sum && !isWeak(sum))
        log(`${shown(path)}: ${size} bytes, ${sum.algorithm} as in ${shown(sum.from)}`);
    }
  } finally {
    clearInterval(timer);
    progress?.end();
  }
  return sizes;
}

function allowed(
  policy: Policy,
  target: BootTarget,
  sizes: readonly number[],
  outputs: Outputs,
  ctx: BootContext,
): BootTarget {
  const fetched: BootTarget = {
    ...target,
    kernel: fetchedFile(target.kernel!.path, outputs.kernel, sizes[0]!),
    initrds: target.initrds.map(({ file }) => ({ file: fetchedFile(file.path, outputs.ramdisk, sizes[1]!) })),
  };
  return judged(policy, fetched, outputs, ctx);
}
