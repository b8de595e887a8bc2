/** docs/architecture.md and the guides for contributors: every file, folder and name that they mention is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';

const PAGES = ['architecture.md', 'adding-a-filesystem.md', 'adding-a-dialect.md', 'library.md'];

function sources(folder: string): string {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sources(path);
      return entry.name.endsWith('.ts') ? readFileSync(join(ROOT, path), 'utf8') : '';
    })
    .join('\n');
}
const code = ['lib', 'fsdrivers', 'menu', 'test/fsdrivers', 'test/boot'].map(sources).join('\n');

/** `fixtures/malformed/romfs-*` names at least one. */
function exists(path: string): boolean {
  if (!path.includes('*')) return existsSync(join(ROOT, path));
  const pattern = new RegExp(
    `^${path
      .slice(path.lastIndexOf('/') + 1)
      .replace(/[.]/g, '\\.')
      .replaceAll('*', '.*')}$`,
  );
  return readdirSync(join(ROOT, dirname(path))).some((name) => pattern.test(name));
}

for (const page of PAGES)
  t.test(page, async (t) => {
    const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
    const words = [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, word]) => word!);
    let paths = 0;
    let names = 0;
    for (const word of words) {
      if (
        /^(lib|fsdrivers|menu|fixtures|test|fuzz|bench|scripts|docs|dist)(\/|$)/.test(word) &&
        !/CODE/.test(word)
      ) {
        paths++;
        t.ok(exists(word), word);
      }
      // A type, a function, a member that is called.
      const name = /^(?:ctx\.budget\.|ctx\.|budget\.)?([A-Za-z]+)(?:\.([a-z][A-Za-z]+))?(?:\(.*\))?$/.exec(
        word,
      );
      const known = /[A-Z]/.test(word.slice(1)) && name && !/^(CODE|execFile)/.test(word);
      if (known) {
        names++;
        for (const one of [name[1]!, name[2]].filter((n) => n !== undefined))
          t.ok(new RegExp(`\\b${one}\\b`).test(code), word);
      }
    }
    for (const [, link] of text.matchAll(/\]\(([^)#]+)\)/g))
      t.ok(existsSync(join(ROOT, 'docs', link!)), `the link to ${link}`);
    if (page !== 'library.md') {
      t.ok(paths >= 10, `${paths} paths`);
      t.ok(names >= 5, `${names} names`);
    }
  });

t.test('the picture', async (t) => {
  const svg = readFileSync(join(ROOT, 'docs/architecture.svg'), 'utf8');
  t.match(svg, /prefers-color-scheme: dark/);
  t.notMatch(svg, /<script|href=|<foreignObject/i, 'it is a picture, and loads nothing');
  t.ok(svg.length < 20_000);
  for (const [, path] of svg.matchAll(/>((?:lib|fsdrivers|menu)(?:\/[^<,]*)?)(?:,[^<]*)?</g))
    t.ok(
      ['', '.ts'].some((end) => existsSync(join(ROOT, path!.replace(/\/\*$/, '') + end))),
      path!,
    );
});
