/** kboot.conf, as petitboot reads it: each `label='kernel initrd=FILE arguments'` is an entry. */
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { payload } from '../guest';
import { readConfig } from '../lilo/entry';
import type { BootContext, BootMenu, BootTarget, ConfigFile, GuestFile, MenuEntry } from '../model';
import { findVolume, SystemFiles } from '../system';
import { trimBlanks, wordsOf } from '../words';

/** For all entries; and names that are no entries although they look like it. */
const GLOBAL = new Set(['default', 'dtb', 'initrd', 'root', 'video', 'delay', 'message', 'timeout']);

/** `name='value'`; undefined for comments, blank lines and lines without `=`. */
function pairOf(line: ByteString): { name: ByteString; value: ByteString } | undefined {
  const text = trimBlanks(line);
  const equals = text.indexOf('=');
  if (equals <= 0 || text.startsWith('#')) return undefined;
  const value = trimBlanks(text.slice(equals + 1));
  const quoted = /^(["'])([\s\S]*)\1$/.exec(value);
  return { name: trimBlanks(text.slice(0, equals)), value: quoted ? trimBlanks(quoted[2]!) : value };
}

export function evaluate(config: ConfigFile, ctx: BootContext): BootMenu {
  const budget = ctx.budget.child('evaluation', 'the configuration');
  const files = new SystemFiles(ctx.guest, config.volume, ctx);
  const globals = new Map<ByteString, ByteString>();
  const options: { name: ByteString; value: ByteString; line: ByteString }[] = [];
  for (const line of readConfig(config, ctx).split('\n')) {
    budget.step(1 + (line.length >> 6));
    const pair = pairOf(line);
    if (!pair) continue;
    if (GLOBAL.has(pair.name)) {
      globals.set(pair.name, pair.value);
      continue;
    }
    budget.most('menuEntries', options.length + 1, 'menu entries');
    budget.allocate(line.length + 200);
    options.push({ ...pair, line });
  }
  const entries = options.map(({ name, value, line }): MenuEntry => {
    return {
      title: name,
      id: name,
      text: `${line}\n`,
      resolve(edited) {
        const changed =
          edited === undefined
            ? undefined
            : edited
                .split('\n')
                .map(pairOf)
                .find((pair) => pair);
        return target(edited === undefined ? value : (changed?.value ?? ''), globals, files);
      },
    };
  });
  const wanted = globals.get('default');
  const position = wanted === undefined ? 0 : options.findIndex(({ name }) => name === wanted);
  const seconds = Number.parseInt(globals.get('timeout') ?? '', 10);
  return {
    entries,
    default: [Math.max(position, 0)],
    fallback: [],
    timeout: Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, -1), 0x7fffffff),
    timeoutStyle: 'menu',
    console: '',
    warnings:
      position < 0 && entries.length > 0
        ? [`the default '${printable(wanted!)}' does not exist, the first entry is taken`]
        : [],
  };
}

function target(
  value: ByteString,
  globals: ReadonlyMap<ByteString, ByteString>,
  files: SystemFiles,
): BootTarget {
  const [kernelName = '', ...words] = wordsOf(value);
  let initrd = globals.get('initrd');
  let root = globals.get('root');
  const args: ByteString[] = [];
  for (const word of words) {
    if (word.startsWith('initrd=')) initrd = word.slice('initrd='.length);
    else if (word.startsWith('root=')) root = word.slice('root='.length);
    // A device tree is the toolstack's.
    else if (!word.startsWith('dtb=')) args.push(word);
  }
  if (root) args.unshift(`root=${root}`);
  const kernel = kernelName === '' ? undefined : payload(find(kernelName, files), true);
  const initrds = initrd ? [payload(find(initrd, files))] : [];
  const missing = [kernel, ...initrds].find((file) => file?.problem !== undefined);
  return {
    kernel,
    initrds: initrds.map((file) => ({ file })),
    args: args.join(' '),
    root: files.volume.name,
    problem: missing?.problem ?? (kernel ? null : 'names no kernel'),
    notes: [],
  };
}

/** `/path`, `sda1:/path`, `UUID=…:/path`; a URL is no file of a disk. */
function find(name: ByteString, files: SystemFiles): GuestFile {
  if (/^[a-z]+:\/\//i.test(name))
    return { volume: undefined, path: name, problem: `${printable(name)}: is not on a disk of this guest` };
  const colon = name.indexOf(':');
  if (name.startsWith('/') && !name.startsWith('/dev/')) return files.file(name);
  if (colon < 0) return files.file(name.startsWith('/') ? name : `/${name}`);
  const path = name.slice(colon + 1).replace(/^(?!\/)/, '/');
  try {
    const volume = findVolume(files.guest, name.slice(0, colon));
    if (volume) return files.guest.file(path, volume);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
  }
  return files.file(path);
}
