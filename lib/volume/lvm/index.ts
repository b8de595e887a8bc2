/** LVM2. A chunk, loaded where there is a label. */
export { volumeGroups } from './group';
export { readPhysicalVolume } from './label';
export { GroupReader } from './map';
