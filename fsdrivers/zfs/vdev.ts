/** The tree of members. What a vdev reads comes as a row of attempts, for whoever asks knows the checksum. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, unsupported } from '../../lib/bytes/errors';
import { printable } from '../../lib/bytes/text';
import { type BlockSource, readOnce } from '../../lib/source/types';
import { DATA_START } from './layout';
import { count, identifier, listsOf, type Nvlist, textOf } from './nvlist';
import { choices, Field, raidzLayout, reconstruct } from './raidz';

export interface Vdev {
  /** The bytes of [offset, offset+size), from one place after another; none when nothing can be read. */
  attempts(offset: number, size: number): Generator<Buffer>;
}

/** A member, as it was found or not. */
export interface Member {
  readonly source: BlockSource;
  /** Of its label: members that were away are older. */
  readonly txg: number;
}

export type FindMember = (guid: bigint) => Member | undefined;
/** How an indirect vdev (one that was removed) finds its new places. */
export type OpenMapping = (object: number) => Vdev;

const NESTED_MOST = 4;
const CHILDREN_MOST = 255;
/** Ways tried to tell which columns of a RAID-Z block are wrong. */
const ATTEMPTS_MOST = 200;

class Leaf implements Vdev {
  constructor(
    readonly member: Member,
    readonly ctx: Context,
  ) {}

  *attempts(offset: number, size: number): Generator<Buffer> {
    const { source } = this.member;
    const at = offset + DATA_START;
    if (!(at + size <= source.size)) return;
    this.ctx.budget.step();
    this.ctx.budget.read(size);
    this.ctx.budget.allocate(size);
    const into = Buffer.allocUnsafeSlow(size);
    try {
      readOnce(source, at, into);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      return;
    }
    yield into;
  }
}

class Mirror implements Vdev {
  constructor(readonly children: readonly Vdev[]) {}

  *attempts(offset: number, size: number): Generator<Buffer> {
    for (const child of this.children) yield* child.attempts(offset, size);
  }
}

class Raidz implements Vdev {
  #field: Field | undefined;

  constructor(
    readonly children: readonly (Vdev | undefined)[],
    readonly parity: number,
    readonly ashift: number,
    readonly ctx: Context,
  ) {}

  /** The first thing that a child has to give. */
  #column(column: { child: number; at: number; length: number }): Buffer | undefined {
    const child = this.children[column.child];
    if (!child) return undefined;
    for (const bytes of child.attempts(column.at, column.length)) return bytes;
    return undefined;
  }

  *attempts(offset: number, size: number): Generator<Buffer> {
    const sector = 2 ** this.ashift;
    const whole = Math.ceil(size / sector) * sector;
    const layout = raidzLayout(offset, whole, this.ashift, this.children.length, this.parity);
    this.ctx.budget.allocate(2 * whole);
    const bytes = Buffer.alloc(whole);
    const data: Buffer[] = [];
    const missing: number[] = [];
    let at = 0;
    for (const [i, column] of layout.data.entries()) {
      const part = bytes.subarray(at, at + column.length);
      const found = this.#column(column);
      if (found) part.set(found);
      else missing.push(i);
      data.push(part);
      at += column.length;
    }
    if (missing.length === 0) yield Buffer.from(bytes.subarray(0, size));
    const parity = new Map<number, Buffer>();
    for (const [i, column] of layout.parity.entries()) {
      const found = this.#column(column);
      if (found) parity.set(i, found);
    }
    this.#field ??= new Field();
    const present = data.map((_, i) => i).filter((i) => !missing.includes(i));
    let attempts = 0;
    // Those that are missing, then further ones that may be wrong.
    for (let wrong = missing.length; wrong <= Math.min(parity.size, data.length); wrong++) {
      if (wrong === 0) continue;
      for (const more of choices(present, wrong - missing.length)) {
        for (const rows of choices([...parity.keys()], wrong)) {
          if (++attempts > ATTEMPTS_MOST) return;
          this.ctx.budget.step(1 + Math.ceil(whole / 512));
          const kept = more.map((i) => Buffer.from(data[i]!));
          reconstruct(
            this.#field,
            data,
            [...missing, ...more],
            new Map(rows.map((row) => [row, parity.get(row)!])),
          );
          yield Buffer.from(bytes.subarray(0, size));
          for (const [i, column] of more.entries()) data[column]!.set(kept[i]!);
        }
      }
    }
  }
}

/** `mirror-0`, `disk 1a2b…`, for messages. */
function nameOf(tree: Nvlist): string {
  const path = textOf(tree, 'path');
  const guid = identifier(tree, 'guid');
  return `${path === undefined ? '' : `${printable(path, 80)}, `}${guid === undefined ? 'nameless' : guid.toString(16)}`;
}

/**
 * What a configuration's tree describes; undefined where none of it is there.
 * @throws GuestError `corrupt`, `unsupported`
 */
export function openVdev(
  tree: Nvlist,
  find: FindMember,
  mapping: OpenMapping | undefined,
  ctx: Context,
  depth = 0,
): Vdev | undefined {
  ctx.budget.step();
  const type = textOf(tree, 'type') ?? '';
  const children = listsOf(tree, 'children');
  if (depth > NESTED_MOST) throw corrupt(`vdevs nested deeper than ${NESTED_MOST}`);
  if (children.length > CHILDREN_MOST) throw corrupt(`a vdev of ${children.length} members`);
  const inner = () => children.map((child) => openVdev(child, find, mapping, ctx, depth + 1));
  switch (type) {
    case 'disk':
    case 'file': {
      const guid = identifier(tree, 'guid');
      const member = guid === undefined ? undefined : find(guid);
      if (member) return new Leaf(member, ctx);
      ctx.warn(`pool member ${nameOf(tree)} is missing`);
      return undefined;
    }
    case 'mirror':
    case 'replacing':
    case 'spare': {
      const found = inner().filter((child): child is Vdev => child !== undefined);
      const age = (vdev: Vdev) => (vdev instanceof Leaf ? vdev.member.txg : 0);
      return found.length === 0 ? undefined : new Mirror(found.sort((a, b) => age(b) - age(a)));
    }
    case 'raidz': {
      const parity = count(tree, 'nparity') ?? 1;
      const ashift = count(tree, 'ashift') ?? 9;
      if (parity < 1 || parity > 3 || children.length <= parity || ashift < 9 || ashift > 16)
        throw corrupt(`raidz of ${children.length} members with ${parity} of parity, sectors of 2^${ashift}`);
      return new Raidz(inner(), parity, ashift, ctx);
    }
    case 'indirect': {
      const object = count(tree, 'com.delphix:indirect_object');
      return object === undefined ? undefined : mapping?.(object);
    }
    case 'missing':
    case 'hole':
      return undefined;
    default:
      throw unsupported(`vdev of type '${printable(type, 40)}'`);
  }
}
