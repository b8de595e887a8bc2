/**
 * dist/index.d.ts: the library's public declarations in one file that names no other. They are written by hand, in files that hold
 * nothing else (lib/api/public.ts); what these take over from the program are plain documents and the table of limits.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

export const ENTRY = 'lib/api/public.ts';

const HEAD = `/** nodegrub's library. Made of its sources' declarations by scripts/api-types.mjs. Needs TypeScript 5.2 or newer. */
/// <reference lib="esnext.disposable" />
`;

/** The entry and what it names, each once: path from the root → parsed. */
export function publicFiles(root) {
  const files = new Map();
  const add = (path) => {
    if (files.has(path)) return;
    const text = readFileSync(join(root, path), 'utf8');
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    files.set(path, source);
    for (const one of source.statements) if (named(one)) add(`${join(dirname(path), named(one))}.ts`);
  };
  add(ENTRY);
  return [...files.values()];
}

/** The file that an import or a re-export names. */
function named(statement) {
  if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return undefined;
  const name = statement.moduleSpecifier?.text;
  if (name !== undefined && !name.startsWith('.')) throw new Error(`${name} is not the program's own`);
  return name;
}

/** Its own comment (a file's stands before the first one's), and the statement. */
function text(statement) {
  const comment = statement.jsDoc?.at(-1)?.getText();
  return `${comment ? `${comment}\n` : ''}${statement.getText()}`;
}

/** `lib/bytes/limits.ts`: a table of values there, an interface here. */
function limits(statement) {
  const [{ initializer }] = statement.declarationList.declarations;
  const rows = initializer.properties.map((row) => {
    const words = row.jsDoc?.at(-1)?.comment ?? DEFAULT_WORDS(row.name.text);
    return `  /** ${words.replaceAll('\n', '\n   * ')}\n   * @default ${row.initializer.getText()} */\n  readonly ${row.name.text}: number;`;
  });
  return `/**
 * What hostile input may cost. A call takes the place of the program's run: \`cpuSeconds\` is processor time of the calling thread in one
 * call, \`memory\` by how much the heap grows in it. Messages name the program's variables, \`NODEGRUB_MAX_CPU_SECONDS\` for \`cpuSeconds\`.
 */
export interface Limits {
${rows.join('\n')}
}`;
}

/** `evaluationBytesRead`, which needs no words of its own there. */
const DEFAULT_WORDS = (name) =>
  name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/^(run|evaluation|entry) (.*)$/, (_, kind, what) => `Of one ${KINDS[kind]}: ${what}.`);
const KINDS = { run: 'call', evaluation: 'evaluation of a configuration', entry: "entry's evaluation" };

/** @returns the text of the one file */
export function declarations(root) {
  const parts = [HEAD];
  const seen = new Set();
  for (const source of publicFiles(root)) {
    for (const statement of source.statements) {
      if (named(statement) !== undefined) continue;
      const table = source.fileName.endsWith('/limits.ts');
      if (table && !ts.isVariableStatement(statement)) continue;
      const name = table ? 'Limits' : nameOf(statement);
      if (seen.has(name)) throw new Error(`${name} is declared twice`);
      seen.add(name);
      parts.push(table ? limits(statement) : text(statement));
    }
  }
  return `${parts.join('\n')}\nexport {};\n`;
}

const nameOf = (statement) => (statement.name ?? statement.declarationList.declarations[0].name).text;
