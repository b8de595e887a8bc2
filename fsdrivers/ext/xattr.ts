/** Extended attributes inside the inode; of all of them only inline data matters here. Source: attributes.rst. */
import { corrupt } from '../../lib/bytes/errors';
import type { ExtInode } from './inode';
import { ATTRIBUTE_MAGIC, ATTRIBUTE_SYSTEM, AttributeEntry, InodeAttributes } from './layout';

/** The value of `system.data`, a view; undefined when there is none. @throws GuestError `corrupt` */
export function inlineAttribute(inode: ExtInode): Buffer | undefined {
  const { raw } = inode;
  const header = inode.extraEnd;
  if (header + InodeAttributes.size > raw.length) return undefined;
  if (InodeAttributes.read(raw, header).h_magic !== ATTRIBUTE_MAGIC) return undefined;
  const first = header + InodeAttributes.size;
  let at = first;
  // Four zero bytes end the list; each entry takes 16 bytes or more, so the inode's size bounds the loop.
  while (at + 4 <= raw.length && raw.readUInt32LE(at) !== 0) {
    const e = AttributeEntry.read(raw, at);
    const name = at + AttributeEntry.size;
    if (name + e.e_name_len > raw.length)
      throw corrupt(`inode ${inode.id}: attribute name of ${e.e_name_len} bytes reaches beyond the inode`);
    if (e.e_name_index === ATTRIBUTE_SYSTEM && raw.toString('latin1', name, name + e.e_name_len) === 'data') {
      const value = first + e.e_value_offs;
      if (e.e_value_inum !== 0) throw corrupt(`inode ${inode.id}: inline data in inode ${e.e_value_inum}`);
      if (e.e_value_size > 0 && value + e.e_value_size > raw.length)
        throw corrupt(
          `inode ${inode.id}: inline data of ${e.e_value_size} bytes at ${value}, inode of ${raw.length}`,
        );
      return raw.subarray(value, value + e.e_value_size);
    }
    at = name + ((e.e_name_len + 3) & ~3);
  }
  return undefined;
}
