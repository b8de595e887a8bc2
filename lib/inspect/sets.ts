/** What lies on several volumes: LVM's groups, arrays, what is encrypted; and which volume is a part of what. */
import { shortName } from '../boot/discover';
import type { Guest, Volume } from '../boot/guest';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { type ByteString, toUnicode } from '../bytes/text';
import { readHeader } from '../volume/luks/header';
import { levelName } from '../volume/md/array';
import type { Memberships } from './content';
import type { ArrayFacts, EncryptedFacts, GroupFacts } from './document';

const assembled = (guest: Guest) =>
  (require('../boot/assemble') as typeof import('../boot/assemble')).assembledIn(guest);
const md = () => require('../volume/md/index') as typeof import('../volume/md/index');
const lvm = () => require('../volume/lvm/index') as typeof import('../volume/lvm/index');

/** mdadm's and blkid's form: `6e6f6465-6772-…`. */
const dashed = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** lvm2's form of an id of 32 letters. */
const hyphened = (id: ByteString): string =>
  /^.{32}$/.test(id)
    ? id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7')
    : id;

const double = (name: ByteString): ByteString => name.replaceAll('-', '--');

export interface Sets extends Memberships {
  readonly groups: readonly GroupFacts[];
  readonly arrays: readonly ArrayFacts[];
}

/** @param ctx whose warnings are not heard: they were given when the sets were put together */
export function setsOf(guest: Guest, ctx: Context): Sets {
  guest.assemble();
  const state = assembled(guest);
  const arrayOf = new Map<Volume, { uuid: string; name: string }>();
  const arrays: ArrayFacts[] = [];
  for (const [uuid, members] of state.arrays) {
    ctx.budget.step();
    const array = md().assemble(members, (volume) => volume.name);
    const { superblock } = array;
    const name = toUnicode(superblock.name);
    for (const member of members) arrayOf.set(member.of, { uuid: dashed(uuid), name });
    arrays.push({
      disk: guest.disks.find((disk) => disk.alias === `mduuid/${uuid}`)?.name ?? null,
      name,
      uuid: dashed(uuid),
      level: levelName(superblock.level),
      metadata: superblock.version,
      members: array.members.map((member) => member?.of.name ?? null),
      notes: array.notes,
    });
  }
  const volumeOf = new Map<unknown, Volume>();
  for (const disk of guest.disks)
    for (const volume of [disk.whole, ...disk.partitions]) volumeOf.set(volume.source, volume);
  const groups: GroupFacts[] = [];
  const groupOf = new Map<ByteString, string>();
  try {
    for (const group of state.pvs.length > 0 ? lvm().volumeGroups(state.pvs, ctx, () => {}) : []) {
      for (const { id } of group.devices.values()) groupOf.set(id.replaceAll('-', ''), group.name);
      groups.push({
        name: toUnicode(group.name),
        uuid: toUnicode(group.id),
        extentSize: group.extent,
        physicalVolumes: [...group.devices.values()].map(({ pv, id }) => ({
          uuid: toUnicode(id),
          volume: (pv && volumeOf.get(pv.source)?.name) ?? null,
        })),
        logicalVolumes: [...group.volumes.values()].map((volume) => {
          const count = volume.segments.reduce((sum, s) => sum + numberOf(s.values.get('extent_count')), 0);
          const name = `lvm/${double(group.name)}-${double(volume.name)}`;
          return {
            name: toUnicode(volume.name),
            uuid: toUnicode(volume.id),
            type: toUnicode(typeOf(volume.segments[0])),
            size: count * group.extent,
            visible: volume.visible,
            disk: guest.disks.find((disk) => disk.name === name)?.name ?? null,
          };
        }),
      });
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    ctx.warn(error.describe());
  }
  const pvOf = new Map(state.pvs.map((pv) => [volumeOf.get(pv.source), pv.id]));
  return {
    arrays,
    groups,
    array: (volume) => arrayOf.get(volume),
    group(volume) {
      const id = pvOf.get(volume);
      return id === undefined ? undefined : { uuid: hyphened(id), name: groupOf.get(id) ?? null };
    },
  };
}

const numberOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/** `striped` with one stripe is what lvm2 calls linear. */
function typeOf(segment: { readonly values: ReadonlyMap<ByteString, unknown> } | undefined): ByteString {
  const type = String(segment?.values.get('type') ?? 'unknown').split('+')[0]!;
  return type === 'striped' && segment?.values.get('stripe_count') === 1 ? 'linear' : type;
}

/** What is encrypted, open or closed. */
export function encryptedIn(
  guest: Guest,
  contents: ReadonlyMap<
    Volume,
    { kind: string; type: string | null; uuid: string | null; label: string | null; problem: string | null }
  >,
  ctx: Context,
): EncryptedFacts[] {
  const found: EncryptedFacts[] = [];
  for (const [volume, content] of contents) {
    if (content.kind !== 'encrypted') continue;
    const opened = guest.disks.find((disk) => disk.of === volume);
    const facts = {
      volume: volume.name,
      type: content.type ?? 'unknown',
      uuid: content.uuid,
      label: content.label,
      cipher: null,
      keyBits: null,
      slots: [],
      openedAs: opened?.name ?? null,
    };
    if (content.type !== 'crypto_LUKS') {
      const how =
        content.type === 'BitLocker'
          ? 'not opened here: decrypt it in Windows (manage-bde -off), or keep it for an HVM guest'
          : 'not opened here';
      found.push({ ...facts, how });
      continue;
    }
    try {
      const header = readHeader(volume.source, ctx)!;
      found.push({
        ...facts,
        type: `LUKS${header.version}`,
        cipher: toUnicode(header.segment.encryption),
        keyBits: (header.slots[0]?.keySize ?? 0) * 8 || null,
        slots: header.slots.map((slot) => slot.derivation.type),
        how: opened
          ? `opened as ${opened.name}`
          : `--key-file=FILE or --key-fd=N opens ${shortName(volume)}; at a boot with a console, its passphrase is asked for`,
      });
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      found.push({ ...facts, type: 'LUKS', how: `cannot be opened: ${error.describe()}` });
    }
  }
  return found;
}
