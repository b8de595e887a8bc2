/** What the packages say of the program: its options, and what of other people's is in it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ALL } from '../../lib/cli/further';
import { parseOptions } from '../../lib/cli/options';
import { formats } from '../../lib/source';
import { ROOT } from '../support';

const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');
const unique = (words: readonly string[]) => [...new Set(words)].sort();

/** `--name`, and `--name=` where a value follows: the program's own table. */
const options = unique(ALL.map(({ long, takesValue }) => `--${long}${takesValue ? '=' : ''}`));
const letters = unique(ALL.flatMap(({ short }) => (short ? [`-${short}`] : [])));

t.test("bash's completion offers every option, and no other", async (t) => {
  const text = read('packaging/completions/nodegrub.bash');
  const r = spawnSync(
    'bash',
    [
      '--norc',
      '-c',
      `_get_comp_words_by_ref() { cur=$WORD prev=nodegrub; }; compopt() { :; }; . "$0"; WORD=-; _nodegrub; printf '%s\\n' "\${COMPREPLY[@]}"`,
      join(ROOT, 'packaging/completions/nodegrub.bash'),
    ],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  t.same(unique(r.stdout.split('\n').filter(Boolean)), unique([...options, ...letters]), r.stderr);
  // Those with a value are told apart from those without: none falls through to the list of options.
  const cases = unique(
    [...text.matchAll(/^ {4}(--[a-z][^)]*)\)/gm)].flatMap(([, names]) => names!.split(' | ')),
  );
  t.same(cases, unique(options.filter((name) => name.endsWith('=')).map((name) => name.slice(0, -1))));
});

t.test("zsh's completion has every option, and no other", async (t) => {
  const text = read('packaging/completions/_nodegrub');
  const found = [...text.matchAll(/['{,*)](--[a-z-]+=?)\[|(--[a-z-]+)\}/g)].map(
    ([, one, other]) => one ?? other!,
  );
  t.same(unique(found), options);
  t.same(unique([...text.matchAll(/\{(-\w),/g)].map(([, name]) => name!)), letters);
});

t.test('the completions offer the values that there are', async (t) => {
  const bash = read('packaging/completions/nodegrub.bash');
  const zsh = read('packaging/completions/_nodegrub');
  /** The words that the error names. */
  const refused = (option: string): string[] => {
    try {
      parseOptions([`${option}=nonsense`, 'd']);
    } catch (error) {
      return (error as Error).message.replace(/^.*'?nonsense'?: /, '').split(/, | or /);
    }
    throw new Error(`${option}=nonsense was accepted`);
  };
  const all = {
    '--output-format': refused('--output-format'),
    '--sandbox': refused('--sandbox'),
    '--image-format': ['auto', 'raw', ...formats.map(({ name }) => name)],
    '--image-references': ['none', 'directory'],
  };
  for (const [option, values] of Object.entries(all)) {
    const ours = new RegExp(`${option}\\)\\s+COMPREPLY=\\(\\$\\(compgen -W \\$'([^']*)'`)
      .exec(bash)?.[1]
      ?.split('\\n');
    t.same(unique(ours ?? []), unique(values), `bash: ${option}`);
    const theirs = new RegExp(
      `'\\*?${option}=\\[[^\\]]*\\]:\\w+:(?:_sequence compadd - ([a-z0-9 ]+)|\\(([^)]*)\\))`,
    ).exec(zsh);
    t.same(unique((theirs?.[1] ?? theirs?.[2] ?? '').split(' ')), unique(values), `zsh: ${option}`);
  }
});

t.test('the manual page has every option of the usage, which are options that there are', async (t) => {
  const program = join(ROOT, 'dist/nodegrub.js');
  const usage = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', program, '--help'], {
    encoding: 'utf8',
  });
  const names = unique([...usage.stdout.matchAll(/^ +(?:-\w, )? *(--[a-z-]+=?)/gm)].map(([, name]) => name!));
  t.ok(names.length > 25, `${names.length}`);
  const page = read('docs/nodegrub.8').replaceAll('\\-', '-');
  for (const name of names) {
    t.ok(options.includes(name), name);
    t.ok(page.includes(name.replace('=', '')), `manual page: ${name}`);
  }
});

t.test('third parties: what package-lock.json has, each with its licence', async (t) => {
  const document = JSON.parse(read('dist/sbom.cdx.json'));
  const notices = read('dist/THIRD-PARTY-NOTICES.txt');
  const locked = JSON.parse(read('package-lock.json')).packages;
  t.equal(document.bomFormat, 'CycloneDX');
  t.equal(document.metadata.component.version, JSON.parse(read('package.json')).version);
  // Found without esbuild's word: text of theirs that minifying does not change.
  const marks: Record<string, RegExp> = {
    'hash-wasm': /Salt should be at least 8 bytes/,
    'smol-toml': /Invalid TOML document/,
  };
  const built = readdirSync(join(ROOT, 'dist')).filter((name) => name.endsWith('.js'));
  t.same(
    document.components.map(({ name }: { name: string }) => name),
    Object.keys(marks),
  );
  for (const { name, version, hashes, licenses, properties, purl } of document.components) {
    const { integrity, license } = locked[`node_modules/${name}`];
    t.equal(version, locked[`node_modules/${name}`].version);
    t.equal(purl, `pkg:npm/${name}@${version}`);
    t.equal(`sha512-${Buffer.from(hashes[0].content, 'hex').toString('base64')}`, integrity);
    t.equal(licenses[0].license.id, license);
    const files = built.filter((file) => marks[name]!.test(read('dist', file)));
    t.same(
      properties.map(({ value }: { value: string }) => value),
      files,
      `${name} is in ${files}`,
    );
    const text = readFileSync(join(ROOT, 'node_modules', name, 'LICENSE'), 'utf8').trim();
    t.ok(notices.includes(text), `${name}'s licence`);
  }
  t.match(notices, /Copyright 2009 The Go Authors/);
  // A dependency at run time would have to be shipped, or be here.
  t.notOk(JSON.parse(read('package.json')).dependencies);
});
