/**
 * What `--inspect` finds out, as one document. It is the JSON form as it stands (docs/inspect.schema.json), what the text is made
 * of, and what a library hands out. Texts of the guest's are decoded (UTF-8 where it is valid, else each byte a code point) and not
 * escaped; sizes and places are bytes. Fields are added, never renamed or removed.
 */

/** What a disk, a partition or a logical volume holds. */
export interface Content {
  /** `empty`: zeros wherever it was looked at. `unknown`: something, and nothing says what. */
  readonly kind:
    | 'filesystem'
    | 'swap'
    | 'lvm'
    | 'raid'
    | 'encrypted'
    | 'other'
    | 'boot-code'
    | 'empty'
    | 'unknown';
  /** blkid's name where it has one (`ext4`, `crypto_LUKS`, `LVM2_member`, `linux_raid_member`, `BitLocker`); null: unknown, empty. */
  readonly type: string | null;
  /** In words. */
  readonly name: string;
  /** As GRUB's `search --fs-uuid` has it for filesystems; of what else, as blkid prints it. */
  readonly uuid: string | null;
  readonly label: string | null;
  /** By its own superblock, where that was read. */
  readonly size: number | null;
  /** Why it cannot be read, or is not whole. */
  readonly problem: string | null;
}

export interface PartitionFacts {
  /** As GRUB names it: `hd0,gpt2`. */
  readonly name: string;
  /** What a Xen guest's Linux calls it when this disk is the xvda, xvdb … of its place; null for what has no number there. */
  readonly device: string | null;
  readonly number: number;
  readonly start: number;
  /** What of it lies on the disk. */
  readonly size: number;
  /** What the table says. More than `size`: the disk is cut off. */
  readonly declaredSize: number;
  /** MBR: two hexadecimal digits; GPT: the GUID in lower case; labels of BSD and Solaris: hexadecimal. */
  readonly type: string;
  readonly typeName: string | null;
  readonly uuid: string | null;
  readonly label: string | null;
  /** `active` (MBR's flag, GPT's "legacy BIOS bootable"), `extended` (holds the logical ones), `beyond-end` (not on the disk). */
  readonly flags: readonly ('active' | 'extended' | 'beyond-end')[];
  readonly content: Content | null;
}

export interface TableFacts {
  /** `gpt`, `msdos` (sfdisk: dos), `bsd`, `sun`. */
  readonly scheme: string;
  /** Disk GUID in lower case, or signature in eight hexadecimal digits. */
  readonly id: string | null;
  readonly partitions: readonly PartitionFacts[];
  /** GPT: bytes of the disk that it was made for. */
  readonly madeFor: number | null;
}

/** One entry of an El Torito catalogue. */
export interface ElToritoEntry {
  /** `BIOS`, `EFI`, `PowerPC`, `Mac`. */
  readonly platform: string;
  readonly bootable: boolean;
  /** `no emulation`, `hard disk`, `floppy 1.44 MB` … */
  readonly media: string;
  /** Bytes of the disk. */
  readonly at: number;
}

export interface DiskFacts {
  /** `hd0`; `lvm/vg-root`, `md/0`, `crypto0` for what lies on others. */
  readonly name: string;
  readonly kind: 'disk' | 'logical-volume' | 'array' | 'decrypted';
  /** The host's path as it was given; null for what lies on others. */
  readonly path: string | null;
  /** `raw`, `qcow2` … (docs/disk-images.md); null for what lies on others. */
  readonly format: string | null;
  readonly blockDevice: boolean;
  /** The file's. */
  readonly fileSize: number | null;
  /** Of the disk that it holds. */
  readonly size: number;
  readonly sectorSize: number;
  /** Whose code a BIOS starts: `GRUB 2`, `syslinux` …; null: none is known, or there is none. */
  readonly bootCode: string | null;
  readonly table: TableFacts | null;
  /** Of the disk as a whole; null where a table says all. */
  readonly content: Content | null;
  readonly elTorito: readonly ElToritoEntry[];
}

export interface GroupFacts {
  readonly name: string;
  readonly uuid: string;
  readonly extentSize: number;
  readonly physicalVolumes: readonly {
    readonly uuid: string;
    /** The volume that it is, null: missing. */
    readonly volume: string | null;
  }[];
  readonly logicalVolumes: readonly {
    readonly name: string;
    readonly uuid: string;
    /** `linear`, `striped`, `raid1`, `thin`, `snapshot` … of its first segment. */
    readonly type: string;
    readonly size: number;
    /** False: a part of others. */
    readonly visible: boolean;
    /** The disk (in `disks`) that it is; null for parts of others. */
    readonly disk: string | null;
  }[];
}

export interface ArrayFacts {
  /** The disk (in `disks`) that it is: `md/0`. */
  readonly disk: string | null;
  /** As its superblock has it: `host:name`. */
  readonly name: string;
  readonly uuid: string;
  /** `raid1`, `linear` … */
  readonly level: string;
  /** `1.2`, `0.90` … */
  readonly metadata: string;
  /** By place in the array: the volume, or null for one that is missing or not used. */
  readonly members: readonly (string | null)[];
  /** Who was left out, and why. */
  readonly notes: readonly string[];
}

export interface EncryptedFacts {
  readonly volume: string;
  /** `LUKS1`, `LUKS2`, `BitLocker` … */
  readonly type: string;
  readonly uuid: string | null;
  readonly label: string | null;
  /** `aes-xts-plain64`; null where it is not known. */
  readonly cipher: string | null;
  /** Bits of the volume key. */
  readonly keyBits: number | null;
  /** How passphrases become keys, a slot each: `argon2id`, `pbkdf2`. */
  readonly slots: readonly string[];
  /** The disk (in `disks`) that it is now; null: closed. */
  readonly openedAs: string | null;
  /** How it can be opened here, or why it cannot. */
  readonly how: string;
}

export interface SystemFacts {
  readonly volume: string;
  /** PRETTY_NAME of os-release(5), `Windows`. */
  readonly name: string;
}

export interface ConfigurationFacts {
  readonly dialect: string;
  readonly volume: string;
  readonly filesystem: string;
  readonly path: string;
  /** 1: pygrub's places; 2: further ones; 3: kernels without a configuration. */
  readonly pass: 1 | 2 | 3;
  /** Undefined entries of submenus counted, at most as many as a menu may have. */
  readonly entries: number;
  /** Whether one of them could boot. */
  readonly bootable: boolean;
  readonly chosen: boolean;
  /** Why it wins, or does not. */
  readonly why: string;
}

export interface EntryFacts {
  /** What `--entry` takes. */
  readonly index: number;
  /** GRUB's `1>0`. */
  readonly path: string;
  readonly title: string;
  /** Of the submenus around it, its own last. */
  readonly titles: readonly string[];
  readonly id: string;
  readonly root: string;
  readonly kernel: string | null;
  readonly initrd: readonly string[];
  readonly args: string;
  readonly default: boolean;
  readonly problem: string | null;
}

/** A Linux kernel's own configuration, or what lies beside it, as far as Xen is concerned. */
export interface DriverFacts {
  /** `built in`, `module`, `absent`; null: nothing says so. */
  readonly blkfront: 'built in' | 'module' | 'absent' | null;
  readonly netfront: 'built in' | 'module' | 'absent' | null;
  readonly pv: boolean | null;
  readonly pvh: boolean | null;
  /** Where that is written: `/boot/config-6.1.0`. */
  readonly source: string | null;
}

export interface KernelFacts {
  readonly volume: string | null;
  readonly path: string;
  readonly size: number;
  /** `bzImage`, `zImage`, `ELF`, `Image`, `zboot`, `PE`, `uImage`, `FIT`; null: no kernel that is known. */
  readonly format: string | null;
  /** From the outside in: `UKI`, `bzImage`, `xz`, `ELF`. */
  readonly layers: readonly string[];
  /** What the kernel proper is packed with; null: nothing, or not known. */
  readonly compression: string | null;
  readonly release: string | null;
  readonly machine: string | null;
  /** Whether Xen can start it so; null: it could not be found out. */
  readonly pv: boolean | null;
  readonly pvh: boolean | null;
  /** What it says of itself as a PV guest (Xen's FEATURES note). */
  readonly features: readonly string[];
  /** UEFI firmware can start the file itself. */
  readonly efiStub: boolean;
  /** What an admin should hear of it before a hypervisor fails; printable. */
  readonly notes: readonly string[];
  readonly problem: string | null;
  readonly drivers: DriverFacts;
}

/** What would boot, `--entry` and `--args` worked in. */
export interface BootFacts {
  /** Null: the admin named the kernel. */
  readonly title: string | null;
  /** `gpt2 ext4: /boot/grub/grub.cfg: menuentry 'X'`; printable. */
  readonly where: string;
  readonly kernel: string;
  readonly initrd: readonly string[];
  readonly args: string;
  readonly notes: readonly string[];
}

/** What an admin who brings the guest to Xen has to do, or to know. */
export interface Advice {
  /** `needed`: it does not start, or not whole, without; `advised`; `note`: nothing is to be done. */
  readonly level: 'needed' | 'advised' | 'note';
  /** What was seen, and where. */
  readonly seen: string;
  /** What to do. */
  readonly change: string | null;
}

export interface Snippet {
  /** False: the lines are there as far as they can be, and it will not start so; `why` says what is in the way. */
  readonly starts: boolean;
  readonly why: readonly string[];
  /** Commands for dom0, before the guest is created. */
  readonly commands: readonly string[];
  /** Of an xl.cfg. */
  readonly lines: readonly string[];
}

export interface Inspection {
  /** The first disk, as it was named on the command line. */
  readonly image: string;
  /** Whether something boots: the exit status. */
  readonly boots: boolean;
  readonly boot: BootFacts | null;
  /** Why nothing does, most likely reason first; printable. */
  readonly reasons: readonly string[];
  readonly disks: readonly DiskFacts[];
  readonly groups: readonly GroupFacts[];
  readonly arrays: readonly ArrayFacts[];
  readonly encrypted: readonly EncryptedFacts[];
  readonly systems: readonly SystemFacts[];
  /** In the order in which they are tried. */
  readonly configurations: readonly ConfigurationFacts[];
  /** Of the configuration that was chosen. */
  readonly entries: readonly EntryFacts[];
  readonly kernel: KernelFacts | null;
  readonly advice: readonly Advice[];
  readonly xl: {
    readonly pv: Snippet;
    readonly pvh: Snippet;
    readonly direct: Snippet;
    readonly hvm: Snippet;
  };
  /** What is damaged, cut off or left out; printable. */
  readonly warnings: readonly string[];
}
