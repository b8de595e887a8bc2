/** What a file is: system attributes (SA) in its bonus and spill block, or the fixed structure of ZPL versions 1 to 4. */
import { corrupt, unsupported, within } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { Dnode, Objset } from './dnode';
import { type Block, number, OT, SA_MAGIC } from './layout';
import { Zap } from './zap';

export interface Attributes {
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  /** Of a symbolic link that is kept beside the attributes. */
  readonly target?: ByteString;
}

const align = (at: number) => Math.ceil(at / 8) * 8;
const LAYOUTS_KEPT = 1024;
const ATTRIBUTES_MOST = 256;

/** Of one dataset: which attributes there are, and in which orders they are kept. */
class Registry {
  readonly #objset: Objset;
  readonly #layoutZap: Zap;
  readonly #names = new Map<number, { name: ByteString; length: number }>();
  readonly #layouts = new Map<number, readonly number[]>();

  constructor(objset: Objset, master: number) {
    this.#objset = objset;
    const zap = new Zap(objset.dnode(master));
    const registry = zap.count('REGISTRY');
    const layouts = zap.count('LAYOUTS');
    if (registry === undefined || layouts === undefined)
      throw corrupt('attributes without registry or layouts');
    for (const { name, high, low } of new Zap(objset.dnode(registry)).entries()) {
      // ATTR_NUM in bits 0 to 15, ATTR_LENGTH in 24 to 39.
      if (this.#names.size >= ATTRIBUTES_MOST) throw corrupt(`more than ${ATTRIBUTES_MOST} attributes`);
      this.#names.set(low & 0xffff, { name, length: (low >>> 24) | ((high & 0xff) << 8) });
    }
    this.#layoutZap = new Zap(objset.dnode(layouts));
  }

  #layout(id: number): readonly number[] {
    let layout = this.#layouts.get(id);
    if (!layout) {
      const value = this.#layoutZap.get(String(id))?.value;
      if (!value) throw corrupt(`layout ${id} of attributes is not there`);
      layout = Array.from({ length: value.length >>> 1 }, (_, i) => value.readUInt16BE(2 * i));
      if (this.#layouts.size >= LAYOUTS_KEPT) this.#layouts.clear();
      this.#layouts.set(id, layout);
    }
    return layout;
  }

  /** Where each attribute is. */
  places(block: Block, into: Map<ByteString, Block>): void {
    const { bytes } = block;
    if (bytes.length < 8) throw corrupt(`attributes in ${bytes.length} bytes`);
    // Attributes are in the order of bytes of who wrote them, which the dnode's need not be.
    const order =
      bytes.readUInt32LE(0) === SA_MAGIC ? false : bytes.readUInt32BE(0) === SA_MAGIC ? true : undefined;
    if (order === undefined) throw corrupt(`attributes begin with 0x${bytes.toString('hex', 0, 4)}`);
    const { SaHeader, u16 } = this.#objset.pool.of(order);
    const info = SaHeader.read(bytes).sa_layout_info;
    const header = (info >>> 10) * 8;
    let at = header;
    let lengths = 6;
    for (const id of this.#layout(info & 0x3ff)) {
      this.#objset.pool.ctx.budget.step();
      const attribute = this.#names.get(id);
      if (!attribute) throw corrupt(`attribute ${id} is not registered`);
      let { length } = attribute;
      if (length === 0) {
        if (lengths + 2 > header || lengths + 2 > bytes.length)
          throw corrupt('attributes without their lengths');
        length = u16.read(bytes, lengths);
        lengths += 2;
      }
      if (at + length > bytes.length) throw corrupt(`${attribute.name} reaches beyond ${bytes.length} bytes`);
      into.set(attribute.name, { bytes: bytes.subarray(at, at + length), big: order });
      at = align(at + length);
    }
  }
}

export class AttributeReader {
  readonly #objset: Objset;
  readonly #master: number | undefined;
  #registry: Registry | undefined;

  /** @param master object that says which attributes there are, in datasets that have them */
  constructor(objset: Objset, master: number | undefined) {
    this.#objset = objset;
    this.#master = master;
  }

  /** @throws GuestError `corrupt` */
  of(dnode: Dnode): Attributes {
    if (dnode.bonusType === OT.znode) return this.#znode(dnode);
    if (dnode.bonusType !== OT.sa) throw unsupported(`a file with a bonus of type ${dnode.bonusType}`);
    if (this.#master === undefined) throw corrupt('a file with attributes that nothing describes');
    this.#registry ??= within('attributes', () => new Registry(this.#objset, this.#master!));
    const places = new Map<ByteString, Block>();
    this.#registry.places(dnode.bonus, places);
    if (dnode.spill) this.#registry.places(dnode.pool.kept(dnode.spill), places);
    const value = (name: string): number => {
      const place = places.get(name);
      if (!place || place.bytes.length < 8) throw corrupt(`a file without ${name}`);
      return number(place, 0);
    };
    const target = places.get('ZPL_SYMLINK');
    return {
      mode: value('ZPL_MODE'),
      size: value('ZPL_SIZE'),
      mtime: value('ZPL_MTIME'),
      ...(target ? { target: fromBytes(target.bytes) } : {}),
    };
  }

  #znode(dnode: Dnode): Attributes {
    const { bytes, big } = dnode.bonus;
    const { Znode } = dnode.pool.of(big);
    const raw = Znode.read(bytes);
    const inside = Znode.size + raw.zp_size <= bytes.length;
    return {
      mode: raw.zp_mode,
      size: raw.zp_size,
      mtime: raw.zp_mtime,
      ...(inside ? { target: fromBytes(bytes.subarray(Znode.size, Znode.size + raw.zp_size)) } : {}),
    };
  }
}
