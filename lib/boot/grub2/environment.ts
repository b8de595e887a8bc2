/**
 * Variables and functions, in layers: an entry's copy of the environment is an empty layer over the shared one, so
 * that 10,000 entries cost nothing until they write.
 */
import type { ByteString } from '../../bytes/text';

/** A map over another map that it never changes. */
export class Layered<V> {
  readonly #own: Map<ByteString, V | undefined> = new Map();
  readonly #base: Layered<V> | undefined;
  readonly #depth: number = 0;

  constructor(base?: Layered<V>) {
    // On a command line each line adds a layer.
    if (base && base.#depth > 60) this.#own = base.entries();
    else if (base) {
      this.#base = base;
      this.#depth = base.#depth + 1;
    }
  }

  get(key: ByteString): V | undefined {
    for (let layer: Layered<V> | undefined = this; layer; layer = layer.#base) {
      const value = layer.#own.get(key);
      if (value !== undefined) return value;
      if (layer.#own.size > 0 && layer.#own.has(key)) return undefined;
    }
    return undefined;
  }

  set(key: ByteString, value: V | undefined): void {
    this.#own.set(key, value);
  }

  /** All of it, unordered. */
  entries(): Map<ByteString, V> {
    const all = this.#base ? this.#base.entries() : new Map<ByteString, V>();
    for (const [key, value] of this.#own) {
      if (value === undefined) all.delete(key);
      else all.set(key, value);
    }
    return all;
  }
}

interface Variable {
  readonly value: ByteString;
  readonly exported: boolean;
  /** GRUB watches it: `unset` only empties it; `root` loses its parentheses; the clock's are read when asked for. */
  readonly watched: boolean;
}

/** Read from the clock (GRUB's datehook module). */
const CLOCK: Readonly<Record<string, (now: Date) => string>> = {
  YEAR: (d) => String(d.getUTCFullYear()),
  MONTH: (d) => String(d.getUTCMonth() + 1),
  DAY: (d) => String(d.getUTCDate()),
  HOUR: (d) => String(d.getUTCHours()),
  MINUTE: (d) => String(d.getUTCMinutes()),
  SECOND: (d) => String(d.getUTCSeconds()),
  WEEKDAY: (d) =>
    ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'][d.getUTCDay()]!,
};

/** GRUB's context: a set of variables, each possibly exported to the contexts that are opened inside it. */
export class Environment {
  readonly #variables: Layered<Variable>;
  /** `$?`; undefined until the first command. */
  status: number | undefined;

  constructor(variables: Layered<Variable> = new Layered(), status?: number) {
    this.#variables = variables;
    this.status = status;
  }

  /** A copy; neither sees what the other does from now on, provided that this one is not written any more. */
  fork(): Environment {
    return new Environment(new Layered(this.#variables), this.status);
  }

  /** GRUB's new context, for submenus and `configfile`: exported variables only. */
  openContext(): Environment {
    const inner = new Layered<Variable>();
    for (const [name, variable] of this.#variables.entries())
      if (variable.exported) inner.set(name, variable);
    return new Environment(inner);
  }

  get(name: ByteString): ByteString | undefined {
    if (name === '?') return this.status === undefined ? undefined : String(this.status);
    const variable = this.#variables.get(name);
    if (variable === undefined) return undefined;
    if (variable.watched && Object.hasOwn(CLOCK, name)) return CLOCK[name]!(new Date());
    return variable.value;
  }

  set(name: ByteString, value: ByteString): void {
    if (name === '?') {
      this.status = Number.parseInt(value, 10) || 0;
      return;
    }
    const old = this.#variables.get(name);
    let kept = value;
    if (name === 'root' && old?.watched && value.startsWith('(') && value.endsWith(')'))
      kept = value.slice(1, -1);
    this.#variables.set(name, {
      value: kept,
      exported: old?.exported ?? false,
      watched: old?.watched ?? false,
    });
  }

  unset(name: ByteString): void {
    if (name === '?') this.status = undefined;
    else if (this.#variables.get(name)?.watched) this.set(name, '');
    else this.#variables.set(name, undefined);
  }

  export(name: ByteString): void {
    const old = this.#variables.get(name);
    this.#variables.set(name, { value: old?.value ?? '', exported: true, watched: old?.watched ?? false });
  }

  /** Sets a variable as GRUB's own modules do: exported, and watched where the module says so. */
  provide(name: ByteString, value: ByteString, watched = false): void {
    this.#variables.set(name, { value, exported: true, watched });
  }

  provideClock(): void {
    for (const name of Object.keys(CLOCK)) this.provide(name, '', true);
  }

  /** Sorted by name, bytewise. */
  sorted(): [ByteString, ByteString][] {
    const names = [...this.#variables.entries().keys()];
    if (this.status !== undefined) names.push('?');
    return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => [name, this.get(name) ?? '']);
  }
}
