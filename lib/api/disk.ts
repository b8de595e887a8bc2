/** A guest's disks, opened by a library. */
import type { Volume as GuestVolume } from '../boot/guest';
import type { BootTarget } from '../boot/model';
import { Bootloader, type Decision, type Request } from '../bootloader';
import { notFound } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import type { CallLimits } from '../bytes/meter';
import { fromHost, printable } from '../bytes/text';
import { join } from '../cli/main';
import type { Options } from '../cli/options';
import { listAsObject } from '../output/list';
import { openDisk } from '../source/file';
import { limitsOf, renewable } from './calls';
import { extractTo } from './extract';
import type {
  BootDecision,
  BootOptions,
  DiskSource,
  Extracted,
  ExtractOptions,
  GuestDisk,
  Inspection,
  ListDocument,
  OpenOptions,
  UnlockOptions,
  Volume,
} from './public';
import { Sources } from './sources';
import { OpenedVolume } from './volume';

const inspecting = () => require('../inspect') as typeof import('../inspect');

/** What the program would have been told on its command line. */
type Asked = Pick<Options, 'args' | 'action' | 'entry' | 'kernel' | 'ramdisk' | 'policy'>;

const bytes = (text: string | undefined) => (text === undefined ? undefined : fromHost(text));

export class OpenedDisk implements GuestDisk {
  readonly #sources: Sources;
  readonly #options: OpenOptions;
  readonly #limits: CallLimits;
  /** For volumes and filesystems. What is asked of the guest has a run of its own each time, as in the program. */
  readonly #base: Bootloader;
  readonly #renew: () => void;
  readonly #volumes = new Map<GuestVolume, Volume>();
  /** Names of the disks that were unlocked. */
  readonly #unlocked: string[] = [];
  #open = true;

  constructor(disks: readonly (string | DiskSource)[], options: OpenOptions) {
    const { offset } = options;
    if (offset !== undefined && (!Number.isSafeInteger(offset) || offset < 0))
      throw new TypeError(`offset: ${offset} is no place on a disk`);
    this.#options = options;
    this.#limits = limitsOf(options.limits);
    this.#sources = new Sources(disks, options, this.#limits);
    try {
      this.#base = new Bootloader(this.#request(undefined));
      this.#renew = renewable(this.#base.context.budget);
    } catch (error) {
      this.#sources.close();
      throw error;
    }
  }

  get volumes(): readonly Volume[] {
    this.#enter();
    return [...this.#base.guest.volumes()].map((volume) => this.#volume(volume));
  }

  volume(name: string): Volume | undefined {
    this.#enter();
    const found = this.#base.guest.device(fromHost(name));
    return found && this.#volume(found);
  }

  list(): ListDocument {
    const loader = this.#run(this.#asked({}, 'list'));
    return { image: this.#sources.names[0]!, ...listAsObject(loader.list(), loader.warnings) };
  }

  inspect(options: BootOptions = {}): Inspection {
    const asked = this.#asked(options, 'inspect');
    // As in the program: the document has what would be said.
    const loader = this.#run(asked, () => {});
    const { inspection, Search } = inspecting();
    const search = new Search(loader);
    const decision =
      asked.kernel === undefined ? search.decide(asked.entry) : loader.named(asked.kernel, asked.ramdisk);
    const { disks, names, images } = this.#sources;
    return inspection(loader, search, decision, {
      image: names[0]!,
      given: disks.map((source, i) => ({ path: names[i]!, source, format: images?.[i]?.format })),
      keys: [],
      args: (target) => finalArguments(target, asked),
    });
  }

  decide(options: BootOptions = {}): BootDecision {
    const asked = this.#asked(options, 'dry-run');
    const loader = this.#run(asked);
    return this.#decision(loader, decided(loader, asked), asked);
  }

  async extract(directory: string, options: ExtractOptions = {}): Promise<Extracted> {
    const asked = this.#asked(options, 'boot');
    const said: string[] = [];
    const say = (line: string) => {
      said.push(line);
      this.#say(line);
    };
    const loader = this.#run(asked);
    const decision = decided(loader, asked);
    const { boot, reasons } = this.#decision(loader, decision, asked);
    if (!decision || !boot)
      throw notFound(`does not boot: ${reasons[0]}`, printable(fromHost(this.#sources.names[0]!)));
    const args = finalArguments(decision.target, asked);
    if (args.length > LIMITS.guestCommandLine)
      say(
        `warning: the arguments are ${args.length} bytes, a PV guest's are cut after ${LIMITS.guestCommandLine}`,
      );
    const files = await extractTo(directory, decision, options, loader, say);
    const warnings = [...loader.warnings, ...said.map((line) => line.replace(/^warning: /, ''))];
    return { ...files, args: boot.args, boot, warnings };
  }

  async unlock(
    given: readonly (string | Uint8Array)[],
    options: UnlockOptions = {},
  ): Promise<readonly string[]> {
    this.#enter();
    const { unlocked } = require('../cli/keys') as typeof import('../cli/keys');
    const { guest } = this.#base;
    const secrets = given.map((key) => Buffer.from(key as Uint8Array));
    const header = options.header === undefined ? undefined : openDisk(options.header);
    const before = new Set(guest.disks);
    /** Nothing is ever found: so every volume is tried. What lies inside others is there to be seen. */
    const find = () => void [...guest.volumes()];
    try {
      find();
      await unlocked(this.#base, find, undefined, { secrets, header }, undefined, this.#say);
      // Why volumes are still closed.
      for (const { text } of this.#base.diagnostics.splice(0)) this.#say(`warning: ${text}`);
    } finally {
      for (const secret of secrets) secret.fill(0);
      header?.close();
    }
    const names = guest.disks.filter((disk) => !before.has(disk) && /^crypto/.test(disk.name));
    this.#unlocked.push(...names.map(({ name }) => name));
    return names.map(({ name }) => name);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#sources.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Begins a call. @throws Error when the disk is closed */
  readonly #enter = (): void => {
    if (!this.#open) throw new Error('this disk is closed');
    this.#renew();
  };

  readonly #say = (line: string): void => this.#options.onWarning?.(line);

  #volume(volume: GuestVolume): Volume {
    let known = this.#volumes.get(volume);
    if (!known) {
      known = new OpenedVolume(volume, this.#base.context, this.#enter);
      this.#volumes.set(volume, known);
    }
    return known;
  }

  #asked(options: BootOptions, action: Options['action']): Asked {
    const { entry, args, kernel, ramdisk } = options;
    return {
      action,
      entry: entry === undefined ? undefined : fromHost(String(entry)),
      args: bytes(args),
      kernel: bytes(kernel),
      ramdisk: bytes(ramdisk),
      policy: this.#options.policy,
    };
  }

  #request(asked: Asked | undefined, say = this.#say): Request {
    const { offset, guess = true } = this.#options;
    const { disks, images } = this.#sources;
    const { policy, args } = asked ?? {};
    return {
      disks,
      images,
      offset,
      bootfs: args?.includes('zfs-bootfs=')
        ? (require('../cli/zfs') as typeof import('../cli/zfs')).namedBootfs(args)
        : undefined,
      guess,
      quiet: true,
      limits: this.#limits,
      policy:
        policy === undefined || !asked
          ? undefined
          : (require('../policy') as typeof import('../policy')).loadPolicy(asked, finalArguments),
      say,
    };
  }

  /** A run as the program's, over the same disks. */
  #run(asked: Asked, say = this.#say): Bootloader {
    this.#enter();
    const loader = new Bootloader(this.#request(asked, say));
    for (const name of this.#unlocked) {
      const disk = this.#base.guest.disks.find((one) => one.name === name)!;
      const of = loader.guest.device(disk.of?.name ?? '');
      loader.guest.addDisk(name, disk.whole.source, {
        ...(disk.alias === undefined ? {} : { alias: disk.alias }),
        ...(of ? { of } : {}),
      });
    }
    return loader;
  }

  #decision(loader: Bootloader, decision: Decision | undefined, asked: Asked): BootDecision {
    const { bootFacts, reasonsOf } = inspecting();
    return {
      boot: decision
        ? bootFacts(decision, { args: (target: BootTarget) => finalArguments(target, asked) })
        : null,
      reasons: decision ? [] : reasonsOf(loader, new Map()),
      warnings: [...loader.warnings],
    };
  }
}

const decided = (loader: Bootloader, { kernel, ramdisk, entry }: Asked): Decision | undefined =>
  kernel === undefined ? loader.decide(entry) : loader.named(kernel, ramdisk);

/** With what the caller adds. */
const finalArguments = (target: BootTarget, asked: Asked) => join(target, asked as Options);
