/** On-disk structures of HFS Plus. Names: Apple's Technical Note 1150. All numbers are big-endian. */
import { bytes, struct, u8, u16be, u32be, u64be } from '../../lib/bytes/struct';

/** Of the volume header; its copy stands as far from the end. */
export const HEADER_AT = 1024;
export const SIGNATURE = { hfs: 0x4244, plus: 0x482b, x: 0x4858 } as const;

/** What is needed of a HFS that an HFS Plus is wrapped in (Inside Macintosh: Files, 2-60). */
export const MasterDirectoryBlock = struct('MasterDirectoryBlock', 162, {
  drSigWord: u16be(0),
  drAlBlkSiz: u32be(20),
  drAlBlSt: u16be(28),
  drEmbedSigWord: u16be(124),
  drEmbedStartBlock: u16be(126),
  drEmbedBlockCount: u16be(128),
});

export const FORK_SIZE = 80;
export const VolumeHeader = struct('HFSPlusVolumeHeader', 512, {
  signature: u16be(0),
  version: u16be(2),
  attributes: u32be(4),
  journalInfoBlock: u32be(12),
  blockSize: u32be(40),
  totalBlocks: u32be(44),
  /** The last eight bytes of finderInfo. */
  volumeId: bytes(104, 8),
  extentsFile: bytes(192, FORK_SIZE),
  catalogFile: bytes(272, FORK_SIZE),
});
/** `kHFSVolumeJournaledBit` */
export const JOURNALED = 1 << 13;

export const ForkData = struct('HFSPlusForkData', FORK_SIZE, {
  logicalSize: u64be(0),
  extents: bytes(16, 64),
});
export const EXTENTS = 8;

export const JournalInfoBlock = struct('JournalInfoBlock', 52, { flags: u32be(0), offset: u64be(36) });
export const JOURNAL_IN_FS = 1;
/** Of a journal's header the magic number is the machine's that wrote it, as are all others there. */
export const JOURNAL_MAGIC = 0x4a4e4c78;

export const NodeDescriptor = struct('BTNodeDescriptor', 14, {
  fLink: u32be(0),
  kind: u8(8),
  height: u8(9),
  numRecords: u16be(10),
});
export const NODE = { index: 0, header: 1, leaf: 0xff } as const;
/** Behind the descriptor of node 0. */
export const HeaderRecord = struct('BTHeaderRec', 106, {
  treeDepth: u16be(0),
  rootNode: u32be(2),
  nodeSize: u16be(18),
  totalNodes: u32be(22),
  keyCompareType: u8(37),
});
export const BINARY_COMPARE = 0xbc;
export const DEPTH_MOST = 16;

/** Catalog node IDs that are fixed. */
export const CNID = { rootParent: 1, root: 2, extents: 3, catalog: 4 } as const;
export const RECORD = { folder: 1, file: 2 } as const;

export const CatalogKey = struct('HFSPlusCatalogKey', 8, { parentID: u32be(2), nameLength: u16be(6) });
export const NAME_MOST = 255;
export const ExtentKey = struct('HFSPlusExtentKey', 12, {
  forkType: u8(2),
  fileID: u32be(4),
  startBlock: u32be(8),
});

/** Common to folders and files. */
export const CatalogFolder = struct('HFSPlusCatalogFolder', 88, {
  folderID: u32be(8),
  contentModDate: u32be(16),
});
export const CatalogFile = struct('HFSPlusCatalogFile', 248, {
  fileID: u32be(8),
  contentModDate: u32be(16),
  ownerFlags: u8(41),
  fileMode: u16be(42),
  /** Of a hard link: the number in the name of what it stands for. */
  iNodeNum: u32be(44),
  fdType: u32be(48),
  fdCreator: u32be(52),
  dataFork: bytes(88, FORK_SIZE),
});
/** `UF_COMPRESSED` */
export const COMPRESSED = 0x20;
/** Type and creator of hard links: `hlnk`, `hfs+`. */
export const HARD_LINK = { type: 0x686c6e6b, creator: 0x6866732b } as const;
export const PRIVATE_DIRECTORY = '\0\0\0\0HFS+ Private Data';
/** Seconds from 1904 to 1970. */
export const EPOCH = 2082844800;
