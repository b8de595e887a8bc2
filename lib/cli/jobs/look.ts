/** One disk of many: whether it boots, what, or why not. Runs in a worker. */
import { Bootloader, type Decision, type Listing, type Request, startsPvGrub } from '../../bootloader';
import { GuestError } from '../../bytes/errors';
import type { Limits } from '../../bytes/limits';
import { toUnicode } from '../../bytes/text';
import { failureLines } from '../../diagnostics';
import { listAsObject } from '../../output/list';
import type { PolicyText } from '../../policy/document';
import { type DiskGeometry, FileSource, labelOf } from '../../source/file';
import { prepareImages } from '../image';
import { join } from '../main';
import type { Options } from '../options';
import { NOTHING, type Seen, said, type Verdict } from './record';

/** An open disk. */
export interface Task {
  /** From 1, in the order of the list. */
  readonly number: number;
  readonly path: string;
  readonly fd: number;
  readonly geometry: DiskGeometry;
}

/** A disk of the host's that remembers what the host could not read. */
class Watched extends FileSource {
  failure: string | undefined;

  override read(at: number, into: Uint8Array): void {
    try {
      super.read(at, into);
    } catch (error) {
      if (error instanceof GuestError && error.code === 'io') this.failure ??= error.describe();
      throw error;
    }
  }
}

const keys = () => require('../keys') as typeof import('../keys');

const shown = ({ target, title }: Decision) => ({
  title: title === undefined ? null : toUnicode(title),
  kernel: toUnicode(target.kernel?.path ?? ''),
  initrd: target.initrds.map((part) => toUnicode(part.file.path)),
  volume: target.kernel?.volume?.name ?? null,
});

/** What boots by default, where the list says it plainly: then nothing is evaluated twice. */
function plainDefault(listing: Listing, options: Options): Decision | undefined {
  if (options.entry !== undefined || listing.default === null) return undefined;
  const { choice, target } = listing.entries[listing.default]!;
  if (target.problem !== null || startsPvGrub(target)) return undefined;
  const title = target === listing.menu.immediate ? '' : choice.entry.title;
  return { target: { ...target, args: join(target, options) }, title, where: '' };
}

/** As `-l --output-format=json` and `-n -q` see the disk. */
export async function look(
  task: Task,
  options: Options,
  limits: Limits | undefined,
  policyText: PolicyText | undefined,
): Promise<Seen> {
  const { number, path } = task;
  const json = options.format === 'json';
  const disk = new Watched(task.fd, labelOf(path), task.geometry);
  const one = { ...options, operands: [path] };
  const policy =
    policyText &&
    (require('../../policy') as typeof import('../../policy')).policyFrom(policyText, one, (target) =>
      join(target, one),
    );
  const request: Request = {
    disks: [disk],
    images: options.image && prepareImages(one, [disk], FileSource, limits),
    offset: options.offset,
    bootfs: options.args && (require('../zfs') as typeof import('../zfs')).namedBootfs(options.args),
    guess: options.guess,
    quiet: true,
    limits,
    policy,
    say: () => {},
  };
  /** A run of its own: nothing of another is in its diagnostics. */
  const find = async <T>(how: (loader: Bootloader) => T | undefined) => {
    const loader = new Bootloader(request);
    const found = how(loader);
    if (found && !loader.context.crypt?.wanted) return { loader, found };
    return {
      loader,
      found: await keys().unlock(
        loader,
        one,
        undefined,
        () => how(loader),
        found,
        () => {},
      ),
    };
  };
  const reasons: string[] = [];
  let boots: Decision | undefined;
  let listing: object = NOTHING;
  let verdict: Verdict;
  try {
    const list = await find((loader) => loader.list());
    listing = listAsObject(list.found, list.loader.warnings);
    boots = list.found && plainDefault(list.found, options);
    if (!boots) {
      const decided = await find((loader) => loader.decide(options.entry));
      boots = decided.found;
      if (!boots) reasons.push(...failureLines(disk.label, decided.loader.diagnostics));
    }
    verdict = boots ? 0 : disk.failure === undefined ? 1 : 2;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    verdict = error.code === 'io' ? 2 : 1;
    reasons.push(error.describe());
  }
  if (verdict === 2 && disk.failure !== undefined) reasons.push(disk.failure);
  const plain = reasons.map((line) => line.replace(/^RuntimeError: .*? does not boot: /, ''));
  return said(verdict, number, path, json, boots ? shown(boots) : null, [...new Set(plain)], listing);
}
