/** Where a disk's partitions begin, as its first sectors say it: a hint, of what is asked for at once instead of one by one. */

/** As many as are worth a request for nothing. */
const MOST = 8;

/**
 * @param head the disk's first bytes, at least 1024
 * @param size the disk's
 * @returns bytes, inside the disk; wrong ones for what is wrong
 */
export function partitionStarts(head: Buffer, size: number): number[] {
  const found = new Set<number>();
  const add = (sector: number, unit: number): void => {
    const at = sector * unit;
    if (at > 0 && at < size && found.size < MOST) found.add(at);
  };
  for (const unit of [512, 4096]) {
    if (head.toString('latin1', unit, unit + 8) !== 'EFI PART' || head.length < unit + 92) continue;
    // UEFI 2.10, 5.3.2: PartitionEntryLBA, NumberOfPartitionEntries, SizeOfPartitionEntry.
    const table = Number(head.readBigUInt64LE(unit + 72)) * unit;
    const length = head.readUInt32LE(unit + 84);
    if (length < 128) continue;
    for (let at = table; at + 40 <= head.length && found.size < MOST; at += length) {
      if (head.readBigUInt64LE(at) === 0n) break;
      add(Number(head.readBigUInt64LE(at + 32)), unit);
    }
    return [...found];
  }
  if (head.readUInt16LE(510) !== 0xaa55) return [];
  for (let at = 446; at < 510; at += 16) if (head[at + 4] !== 0) add(head.readUInt32LE(at + 8), 512);
  return [...found];
}
