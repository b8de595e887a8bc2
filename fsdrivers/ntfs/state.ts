/** Whether Windows has put the filesystem down: its version, and what is said of a state that is not the last one. */
import { corrupt, GuestError, unsupported, within } from '../../lib/bytes/errors';
import type { FileSystem } from '../../lib/fs/types';
import {
  ATTR,
  FILE,
  NO_CLIENT,
  RESTART_PAGE,
  RESTART_VOLUME_IS_CLEAN,
  RestartArea,
  RestartPage,
  VOLUME_IS_DIRTY,
  VolumeInformation,
} from './layout';
import { putRight } from './record';
import type { NtfsVolume } from './volume';

const HIBERNATED = /^hibr$/i;

/** @throws GuestError `unsupported` for other versions of NTFS than 1.x and 3.x */
export function checkState(volume: NtfsVolume, fs: FileSystem): void {
  const { ctx } = volume;
  try {
    checkVersion(volume);
    if (isHibernated(volume, fs))
      ctx.warn('NTFS belongs to a Windows that hibernates: what it keeps in memory is not on the disk');
    else if (!logIsClean(volume))
      ctx.warn('NTFS was not unmounted: its $LogFile is not replayed, it is read as it stands');
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit' || error.code === 'unsupported') throw error;
    ctx.warn(`NTFS ${error.describe()}; whether it was unmounted is not known`);
  }
}

function checkVersion(volume: NtfsVolume): void {
  const record = volume.record({ number: FILE.volume, sequence: 0 });
  const information = volume.attribute(record, ATTR.volumeInformation)?.resident;
  if (!information) throw corrupt('no volume information', record.place);
  const { flags, major_ver, minor_ver } = within(record.place, () => VolumeInformation.read(information));
  if (major_ver !== 1 && major_ver !== 3) throw unsupported(`NTFS version ${major_ver}.${minor_ver}`);
  if (flags & VOLUME_IS_DIRTY)
    volume.ctx.warn('NTFS is marked as dirty: chkdsk was to be run; it is read as it stands');
}

function logIsClean(volume: NtfsVolume): boolean {
  const data = volume.attribute(volume.record({ number: FILE.logFile, sequence: 0 }), ATTR.data);
  if (!data || data.resident || data.initialized < 2 * RESTART_PAGE) return true;
  const map = volume.map(data);
  /** Of two, the one written last. */
  let last: { readonly lsn: bigint; readonly clean: boolean } | undefined;
  for (const at of [0, RESTART_PAGE]) {
    const page = map.read(at, RESTART_PAGE);
    if (page.toString('latin1', 0, 4) !== 'RSTR') continue;
    putRight(page, 'RSTR');
    const area = RestartArea.read(page, RestartPage.read(page).restart_area_offset);
    const clean = area.client_in_use_list === NO_CLIENT || (area.flags & RESTART_VOLUME_IS_CLEAN) !== 0;
    if (!last || area.current_lsn > last.lsn) last = { lsn: area.current_lsn, clean };
  }
  // Emptied by a program that leaves nothing to replay.
  return last?.clean ?? true;
}

/** The file of memory begins with `hibr`; awake, Windows empties it or writes `wake`. */
function isHibernated(volume: NtfsVolume, fs: FileSystem): boolean {
  const file = fs.lookup(fs.root, 'hiberfil.sys');
  if (file?.kind !== 'file' || file.size < 4096) return false;
  for (const extent of fs.extents(file)) {
    if (extent.offset > 0 || extent.kind !== 'data') return false;
    const head = Buffer.alloc(4);
    volume.ctx.budget.read(head.length);
    extent.source.read(extent.at, head);
    return HIBERNATED.test(head.toString('latin1'));
  }
  return false;
}
