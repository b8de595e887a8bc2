/** A VMDK's descriptor: text, as a file of its own or inside a sparse extent. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import type { Reference } from '../format';
import { MAX_EXTENTS, NO_PARENT } from './layout';

export interface ExtentLine {
  readonly type: 'FLAT' | 'SPARSE' | 'ZERO';
  /** Sectors. */
  readonly size: number;
  /** Sectors of the file that come before. */
  readonly offset: number;
  readonly reference: Reference | undefined;
}

export interface Descriptor {
  readonly createType: ByteString;
  readonly cid: ByteString;
  /** The image that this one was made from, and the CID that it had. */
  readonly parent: Reference | undefined;
  readonly parentCid: ByteString;
  readonly extents: readonly ExtentLine[];
}

/** How each type of extent is read; others are named and refused. */
const TYPES: Readonly<Record<string, ExtentLine['type']>> = {
  FLAT: 'FLAT',
  VMFS: 'FLAT',
  SPARSE: 'SPARSE',
  VMFSSPARSE: 'SPARSE',
  ZERO: 'ZERO',
};

export function parseDescriptor(text: ByteString, label: string, ctx: Context): Descriptor {
  const values = new Map<string, ByteString>();
  const extents: ExtentLine[] = [];
  for (const raw of text.replace(/\0.*$/s, '').split(/\r?\n/)) {
    ctx.budget.step();
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const extent =
      /^(?:RW|RDONLY|NOACCESS)[ \t]+(\d{1,15})[ \t]+([A-Z]+)(?:[ \t]+"([^"]*)"(?:[ \t]+(\d{1,15}))?)?/.exec(
        line,
      );
    if (extent) {
      if (extents.length >= MAX_EXTENTS) throw corrupt(`more than ${MAX_EXTENTS} extents`, label);
      const [, size, word, name, offset] = extent;
      const type = TYPES[word!];
      if (!type) throw unsupported(`an extent of type ${printable(word!)}`, label);
      if (type !== 'ZERO' && name === undefined) throw corrupt('an extent without a file', label);
      extents.push({
        type,
        size: Number(size),
        offset: Number(offset ?? 0),
        reference:
          type === 'ZERO'
            ? undefined
            : { what: 'extent', name: name!, format: type === 'FLAT' ? 'raw' : 'vmdk' },
      });
      continue;
    }
    const pair = /^([A-Za-z0-9_.]+)[ \t]*=[ \t]*"?([^"]*)"?$/.exec(line);
    if (pair) values.set(pair[1]!.toLowerCase(), pair[2]!.trim());
  }
  const parentCid = (values.get('parentcid') ?? NO_PARENT).toLowerCase();
  const hint = values.get('parentfilenamehint');
  if (parentCid !== NO_PARENT && hint === undefined) throw corrupt('its parent is not named', label);
  return {
    createType: values.get('createtype') ?? '',
    cid: (values.get('cid') ?? '').toLowerCase(),
    parent: parentCid === NO_PARENT ? undefined : { what: 'parent', name: hint!, format: 'vmdk' },
    parentCid,
    extents,
  };
}
