/** The fixtures and malformed images (every third of them, unless `THOROUGH=1`): a document of the schema's shape, a text without controls, never a crash. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import type { Inspection } from '../../lib/inspect';
import { textOf } from '../../lib/inspect/text';
import { image, ROOT, sample } from '../support';
import { inspect } from './support';

const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'inspect.schema.json'), 'utf8'));

/** The schema as it is, but with nothing in a document that it does not describe. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inside]) => [key, closed(inside)]);
  return {
    ...Object.fromEntries(entries),
    ...('properties' in value ? { additionalProperties: false } : {}),
  };
}
const validate = new Ajv2020({ strict: false }).compile(closed(schema) as object);

for (const folder of ['images', 'malformed'])
  t.test(folder, async (t) => {
    let count = 0;
    const wrong: string[] = [];
    const names = readdirSync(join(ROOT, 'fixtures', folder)).flatMap((file) => {
      const name = /^(.*\.img)(?:\.gz)?$/.exec(file)?.[1];
      return name === undefined ? [] : [name];
    });
    for (const name of sample(names)) {
      count++;
      let document: Inspection;
      try {
        document = inspect({ [name]: image(name, folder) });
      } catch (error) {
        // An image that names other files, or is of a kind that is refused: there is no disk to look at.
        if (!(error instanceof GuestError) || !/^(qcow2?|qed|vhdx?|vmdk|vdi|parallels|gzip)-/.test(name))
          throw error;
        continue;
      }
      if (!validate(JSON.parse(JSON.stringify(document))))
        wrong.push(`${name}: ${JSON.stringify(validate.errors?.slice(0, 3))}`);
      for (const look of [
        { colour: false, columns: undefined },
        { colour: false, columns: 60 },
      ]) {
        const text = textOf(document, look);
        if (/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(text)) wrong.push(`${name}: controls in the text`);
      }
      if (document.boots !== (document.boot !== null) || (!document.boots && document.reasons.length === 0))
        wrong.push(`${name}: neither boots nor says why not`);
    }
    t.same(wrong, []);
    t.ok(count > 50, `${count} images`);
  });
