/**
 * Every bound that hostile input meets, in one table: value, reason, source.
 * Bounds that belong to one on-disk format alone stand in that format's `layout.ts`.
 */
export const LIMITS = {
  /** Symbolic links followed in one path walk. Linux: MAXSYMLINKS 40 (fs/namei.c). GRUB: 8. */
  symlinks: 40,
  /** Bytes of a path. Linux: PATH_MAX 4096. */
  pathBytes: 4096,
  /** Bytes of one path component. Linux: NAME_MAX 255. */
  nameBytes: 255,
  /** Nested source/configfile/submenu inclusion; a config that includes itself must end. */
  includeDepth: 10,
  /** Bytes of one configuration file. 10,000 real-sized entries are about 5 MB; pygrub stops at 1 MiB. */
  configBytes: 32 * 1024 * 1024,
  /** Bytes of a small helper file (environment block, BLS entry, key file). */
  smallFileBytes: 1024 * 1024,
  /** Bytes of a kernel or of one initrd: PYGRUB_MAX_FILE_SIZE_MB is 128 under --runas; images of 300 MB exist. */
  payloadBytes: 2 * 1024 * 1024 * 1024,
  /** Partitions taken from one table; GPT allows any count, Linux stops at 256 minors a disk. */
  partitions: 1024,
  /** Logical partitions in one extended chain; Linux: 100 (block/partitions/msdos.c). */
  logicalPartitions: 100,
  /** Menu entries evaluated for a list; real maximum seen is about 2,300. */
  menuEntries: 100_000,
  /** Directory entries handed out by one listing. */
  directoryEntries: 2_000_000,
  /** Bytes of one item of `simple0`, libxl drops an item of 8,192 bytes or more. */
  outputItem: 8191,
  /** Bytes of a PV guest's command line before the domain builder cuts it (MAX_GUEST_CMDLINE 1024 with the NUL). */
  guestCommandLine: 1023,
} as const;

/**
 * Default budgets: a whole run, one evaluation of a configuration, and one entry of it. See budget.ts for the units. A
 * million steps of a script take 0.1 s; listing 10,000 real entries takes 0.9 million.
 */
export const BUDGETS = {
  run: { steps: 100_000_000, bytesRead: 2 ** 40, bytesAllocated: 2 ** 33 },
  evaluation: { steps: 4_000_000, bytesRead: 1024 ** 3, bytesAllocated: 512 * 1024 ** 2 },
  entry: { steps: 1_000_000, bytesRead: 512 * 1024 ** 2, bytesAllocated: 128 * 1024 ** 2 },
} as const;
