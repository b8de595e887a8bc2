/**
 * Checks a document against docs/policy.schema.json itself, so that the two cannot differ: the keywords of JSON Schema that it
 * uses, and no others. The schema is ours; the document is the admin's.
 */
import schema from '../../docs/policy.schema.json';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

export interface Mistake {
  /** `['arguments', 'refused', 2]` */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const WORDS: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a table',
  string: 'a text',
  boolean: 'true or false',
  integer: 'a whole number',
};

const definitions = schema.$defs as Readonly<Record<string, Schema>>;
const inner = ({ $ref }: Schema): Schema | undefined =>
  $ref ? definitions[$ref.slice('#/$defs/'.length)] : undefined;

/** The first thing that is wrong, or undefined. */
export function firstMistake(
  value: unknown,
  rule: Schema = schema as Schema,
  path: readonly (string | number)[] = [],
): Mistake | undefined {
  const wrong = (message: string): Mistake => ({ path, message });
  const below = inner(rule);
  if (below) return firstMistake(value, below, path);
  if (rule.oneOf) {
    const mistakes = rule.oneOf.map((one) => firstMistake(value, one, path));
    return mistakes.includes(undefined)
      ? undefined
      : mistakes[typeOf(value) === 'string' ? mistakes.length - 1 : 0];
  }
  if (rule.enum && !rule.enum.includes(value)) return wrong(`must be one of ${rule.enum.join(', ')}`);
  if (rule.type && typeOf(value) !== rule.type) return wrong(`must be ${WORDS[rule.type]}`);
  if (typeof value === 'string') {
    if ([...value].length < (rule.minLength ?? 0)) return wrong('must not be empty');
    if ([...value].length > (rule.maxLength ?? Number.POSITIVE_INFINITY))
      return wrong(`must have at most ${rule.maxLength} characters`);
    if (rule.pattern && !new RegExp(rule.pattern, 'u').test(value))
      return wrong(`must have the form ${rule.pattern}`);
  }
  if (typeof value === 'number') {
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = rule;
    if (value < minimum || value > maximum) return wrong(`must lie between ${minimum} and ${maximum}`);
  }
  if (Array.isArray(value)) {
    if (value.length < (rule.minItems ?? 0)) return wrong('must not be empty: leave it out to allow all');
    if (value.length > (rule.maxItems ?? Number.POSITIVE_INFINITY))
      return wrong(`must have at most ${rule.maxItems} items`);
    for (const [i, item] of value.entries()) {
      const mistake = rule.items && firstMistake(item, rule.items, [...path, i]);
      if (mistake) return mistake;
    }
  }
  if (rule.properties) {
    for (const [key, item] of Object.entries(value as object)) {
      if (!Object.hasOwn(rule.properties, key))
        return {
          path: [...path, key],
          message: `there is no such key; there are ${Object.keys(rule.properties).join(', ')}`,
        };
      const mistake = firstMistake(item, rule.properties[key]!, [...path, key]);
      if (mistake) return mistake;
    }
    for (const key of rule.required ?? [])
      if (!Object.hasOwn(value as object, key)) return { path: [...path, key], message: 'is missing' };
  }
  return undefined;
}
