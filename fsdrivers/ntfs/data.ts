/** An attribute's bytes as extents: as they are, as holes, or compressed unit by unit. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { Extent } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { ATTRIBUTE, UNIT_MOST } from './layout';
import { unpackLznt1 } from './lznt1';
import type { Run } from './runs';
import type { Attribute, NtfsVolume } from './volume';

/** @throws GuestError `corrupt`, `unsupported` for encrypted data and other methods of compression */
export function* attributeExtents(volume: NtfsVolume, attribute: Attribute): Generator<Extent> {
  const { flags, initialized, resident, size } = attribute;
  const method = flags & ATTRIBUTE.compression;
  if (flags & ATTRIBUTE.encrypted) throw unsupported('an encrypted file (EFS)');
  if (method !== 0 && method !== ATTRIBUTE.lznt1) throw unsupported(`compression by method ${method}`);
  if (resident) {
    if (size > 0) yield { kind: 'inline', offset: 0, length: size, bytes: resident };
    return;
  }
  const { clusterBytes } = volume.geometry;
  let reached = 0;
  for (const extent of method === 0 ? plain(volume, attribute) : compressed(volume, attribute)) {
    const length = Math.min(extent.length, initialized - extent.offset);
    if (length <= 0) return;
    reached = extent.offset + length;
    if (extent.kind === 'packed')
      yield { ...extent, length, unpack: () => extent.unpack().subarray(0, length) };
    else if (extent.kind === 'data') {
      if (extent.at + length > volume.source.size)
        throw corrupt(`cluster ${extent.at / clusterBytes} is beyond the end (${volume.source.size} bytes)`);
      yield { ...extent, length };
    }
  }
  if (reached < initialized) throw corrupt(`the runs end after ${reached} bytes of ${initialized}`);
}

/** Runs without the place where one part of an attribute follows another. */
function* joined(volume: NtfsVolume, attribute: Attribute): Generator<Run> {
  let run: { vcn: number; lcn: number | undefined; count: number } | undefined;
  let next = 0;
  for (const { vcn, lcn, count } of attribute.runs()) {
    volume.ctx.budget.step();
    if (vcn !== next) throw corrupt(`runs of cluster ${vcn} where ${next} is next`);
    next += count;
    if (
      run &&
      (lcn === undefined ? run.lcn === undefined : run.lcn !== undefined && run.lcn + run.count === lcn)
    )
      run.count += count;
    else {
      if (run) yield run;
      run = { vcn, lcn, count };
    }
  }
  if (run) yield run;
}

function* plain(volume: NtfsVolume, attribute: Attribute): Generator<Extent> {
  for (const run of joined(volume, attribute)) yield asIs(volume, run);
}

function asIs({ source, geometry }: NtfsVolume, { vcn, lcn, count }: Run): Extent {
  const where = { offset: vcn * geometry.clusterBytes, length: count * geometry.clusterBytes };
  return lcn === undefined
    ? { kind: 'hole', ...where }
    : { kind: 'data', ...where, source, at: lcn * geometry.clusterBytes };
}

/** A unit all of whose clusters are there is stored; one that has fewer is compressed; one without is a hole. */
function* compressed(volume: NtfsVolume, attribute: Attribute): Generator<Extent> {
  const { unit } = attribute;
  if (unit === 0 || unit * volume.geometry.clusterBytes > UNIT_MOST)
    throw corrupt(`compressed in units of ${unit} clusters of ${volume.geometry.clusterBytes} bytes`);
  let pieces: Run[] = [];
  let filled = 0;
  for (const run of joined(volume, attribute)) {
    for (let done = 0; done < run.count; ) {
      const left = run.count - done;
      // Whole units at once.
      const count = filled === 0 && left >= unit ? left - (left % unit) : Math.min(left, unit - filled);
      const lcn = run.lcn === undefined ? undefined : run.lcn + done;
      const piece = { vcn: run.vcn + done, lcn, count };
      done += count;
      if (count >= unit) yield asIs(volume, piece);
      else {
        pieces.push(piece);
        filled += count;
        if (filled < unit) continue;
        yield* unitOf(volume, pieces, unit);
        pieces = [];
        filled = 0;
      }
    }
  }
  if (filled > 0) yield* unitOf(volume, pieces, unit);
}

function* unitOf(volume: NtfsVolume, pieces: readonly Run[], unit: number): Generator<Extent> {
  const { vcn } = pieces[0]!;
  const there = pieces.filter((piece) => piece.lcn !== undefined);
  const clusters = there.reduce((sum, piece) => sum + piece.count, 0);
  if (clusters === unit || clusters === 0) {
    for (const piece of pieces) yield asIs(volume, piece);
    return;
  }
  if (there.some((piece, i) => piece !== pieces[i]))
    throw corrupt(`a hole between compressed clusters, at cluster ${vcn}`);
  const { clusterBytes } = volume.geometry;
  const length = unit * clusterBytes;
  yield {
    kind: 'packed',
    offset: vcn * clusterBytes,
    length,
    unpack: () => {
      const from = there.map(({ lcn, count }) =>
        readBytes(volume.source, lcn! * clusterBytes, count * clusterBytes, volume.ctx),
      );
      volume.ctx.budget.allocate(length);
      const into = Buffer.alloc(length);
      unpackLznt1(from.length === 1 ? from[0]! : Buffer.concat(from), into);
      return into;
    },
  };
}
