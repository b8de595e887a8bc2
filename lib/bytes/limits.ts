/**
 * Every bound that hostile input meets, in one table: value, reason, source. `cli/environment.ts` makes another table of the same
 * shape where the admin says so; the budget carries the one in force (`ctx.budget.limits`).
 * Bounds that belong to one on-disk format alone are facts of that format, and stand in its `layout.ts`.
 *
 * A run, one evaluation of a configuration and one entry of it have a budget each (budget.ts: the units). A million
 * steps of a script take 0.1 s; listing 10,000 real entries takes 0.9 million.
 */
export const LIMITS = {
  /** Seconds of this process's processor time for parsing and evaluating; an endless script ends in 0.5, a list of them in 10. */
  cpuSeconds: 10,
  /**
   * Bytes resident (RSS), Node's own 45 MB among them. A list of 10,000 entries takes 80 MB; pygrub's --runas has 256 MiB, which
   * what is asked for between two looks does not exceed here. */
  memory: 224 * 1024 * 1024,
  /** Seconds in which a copy must put out something: a disk that gives nothing any more, data that unpacks to nothing. */
  silentSeconds: 30,
  runSteps: 100_000_000,
  runBytesRead: 2 ** 40,
  runBytesAllocated: 2 ** 33,
  evaluationSteps: 4_000_000,
  evaluationBytesRead: 1024 ** 3,
  evaluationBytesAllocated: 512 * 1024 ** 2,
  entrySteps: 1_000_000,
  entryBytesRead: 512 * 1024 ** 2,
  entryBytesAllocated: 64 * 1024 ** 2,
  /** Symbolic links followed in one path walk. Linux: MAXSYMLINKS 40 (fs/namei.c). GRUB: 8. Fixed. */
  symlinks: 40,
  /** Bytes of a path. Linux: PATH_MAX 4096. Fixed. */
  pathBytes: 4096,
  /** Bytes of one path component. Linux: NAME_MAX 255. Fixed. */
  nameBytes: 255,
  /** Nested source/configfile/submenu inclusion; a config that includes itself must end. */
  includeDepth: 10,
  /** Bytes of one configuration file. 10,000 real-sized entries are about 5 MB; pygrub stops at 1 MiB. */
  configBytes: 32 * 1024 * 1024,
  /** Bytes of a small helper file (environment block, BLS entry, key file). */
  smallFileBytes: 1024 * 1024,
  /** Bytes of a kernel or of one ramdisk: PYGRUB_MAX_FILE_SIZE_MB is 128 under --runas; images of 300 MB exist. */
  payloadBytes: 2 * 1024 * 1024 * 1024,
  /** Partitions taken from one table; GPT allows any count, Linux stops at 256 minors a disk. */
  partitions: 1024,
  /** Logical partitions in one extended chain; Linux: 100 (block/partitions/msdos.c). */
  logicalPartitions: 100,
  /** Logical volumes and arrays of a guest; each is a disk with a table and a filesystem to look for. */
  logicalVolumes: 256,
  /** Entries of a menu; real maximum seen is about 2,300. As many with titles of 200 bytes take 150 MB. */
  menuEntries: 20_000,
  /** Directory entries handed out by one listing. */
  directoryEntries: 2_000_000,
  /** Images that are made from one another (backing files, parents); XenServer stops at 30. */
  imageDepth: 32,
  /** Files of which one image is made; a disk of 1 TB in pieces of 2 GB has 500. */
  imageFiles: 600,
  /** Bytes of one item of `simple0`, libxl drops an item of 8,192 bytes or more. Fixed. */
  outputItem: 8191,
  /** Bytes of a PV guest's command line before the domain builder cuts it (MAX_GUEST_CMDLINE 1024 with the NUL). Fixed. */
  guestCommandLine: 1023,
};

export type Limits = Readonly<typeof LIMITS>;
export type LimitName = keyof Limits;
