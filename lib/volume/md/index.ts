/** Linux' software RAID. A chunk. */
export { assemble } from './array';
export { foreignRaid } from './foreign';
export { superblocks } from './superblock';
