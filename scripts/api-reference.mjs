/**
 * docs/api.md from the library's declarations (lib/api/public.ts and what it names): `node scripts/api-reference.mjs` writes it,
 * `--check` only compares. test/api/reference.test.ts does.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { declarations } from './api-types.mjs';

const HEAD = `<!-- Made by scripts/api-reference.mjs from the comments in lib/api/public.ts: change those. -->
# nodegrub's library: reference
[library.md](library.md) is the guide. \`dist/index.d.ts\` has the same for editors.
`;

/** Sections, and what is in each. What none names is a part of the documents. */
const SECTIONS = {
  'Opening disks': ['openDisk', 'DiskSource', 'OpenOptions', 'Limits', 'LIMITS'],
  'A guest’s disks': [
    'GuestDisk',
    'BootOptions',
    'ExtractOptions',
    'UnlockOptions',
    'BootDecision',
    'Extracted',
  ],
  'Volumes and files': [
    ...['Volume', 'PartitionRow', 'FileSystem', 'GuestPath', 'Stats', 'DirectoryEntry', 'FileExtent'],
  ],
  Errors: ['GuestError', 'ErrorCode'],
  'Other values': ['printable', 'version'],
  'What list() answers': ['ListDocument', 'Entry'],
  'What inspect() answers': ['Inspection'],
};

const printer = ts.createPrinter({ removeComments: true });

/** A comment's text, its tags behind it. */
function words(node) {
  const [doc] = node.jsDoc?.slice(-1) ?? [];
  if (!doc) return '';
  const text = (comment) => ts.getTextOfJSDocComment(comment) ?? '';
  const clean = (comment) => text(comment).trim();
  const tags = (doc.tags ?? []).map((tag) => {
    const name = tag.tagName.text;
    if (name === 'param') return `- \`${tag.name.getText()}\`: ${clean(tag.comment)}`;
    if (name === 'throws') return `- throws ${oneLine(clean(tag.comment))}`;
    if (name === 'returns') return `- returns ${clean(tag.comment)}`;
    if (name === 'default') return `- default \`${clean(tag.comment)}\``;
    throw new Error(`@${name} is not known`);
  });
  return [clean(doc.comment), tags.join('\n')].filter(Boolean).join('\n\n');
}

const oneLine = (text) => text.replace(/\s*\n\s*\*?\s*/g, ' ').trim();
const cell = (text) =>
  oneLine(text.replace(/\n\n?- default (.*)/g, ' Default $1.').replace(/\n\n?- /g, '; ')).replaceAll(
    '|',
    '\\|',
  );
const code = (text) => `\`${text.replaceAll('`', '')}\``;

function signature(node, source) {
  return printer
    .printNode(ts.EmitHint.Unspecified, node, source)
    .replace(/^export (declare )?/, '')
    .replace(/^readonly /, '')
    .replace(/;$/, '')
    .replace(/\s*\n\s*/g, ' ');
}

/** Methods get a paragraph each, fields a table. */
function members(declaration, source) {
  const fields = [];
  const methods = [];
  for (const member of declaration.members) {
    if (ts.isMethodSignature(member) || ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member))
      methods.push(`#### ${code(signature(member, source))}\n${words(member)}`.trim());
    else {
      const name = `${member.name.getText()}${member.questionToken ? '?' : ''}`;
      fields.push(
        `| ${code(name)} | ${cell(code(signature(member.type, source)))} | ${cell(words(member))} |`,
      );
    }
  }
  const table = fields.length > 0 ? ['| field | | |\n|---|---|---|', ...fields].join('\n') : '';
  return [table, ...methods].filter(Boolean).join('\n\n');
}

function described(name, statement, source) {
  const parts = [`### ${name}`];
  if (ts.isInterfaceDeclaration(statement) || ts.isClassDeclaration(statement)) {
    const heritage = statement.heritageClauses?.map((clause) => clause.getText()).join(' ');
    if (heritage) parts.push(code(`class ${name} ${heritage}`));
    parts.push(words(statement), members(statement, source));
  } else parts.push(`\`\`\`ts\n${signature(statement, source)}\n\`\`\``, words(statement));
  return parts.filter(Boolean).join('\n\n');
}

/** @returns {string} docs/api.md */
export function reference(root) {
  const text = declarations(root);
  const source = ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.ES2022, true);
  const found = new Map();
  for (const statement of source.statements) {
    const name = statement.name ?? statement.declarationList?.declarations[0].name;
    if (name) found.set(name.getText(), statement);
  }
  const parts = [HEAD];
  const listed = new Set(Object.values(SECTIONS).flat());
  const rest = [...found.keys()].filter((name) => !listed.has(name));
  for (const [title, names] of Object.entries(SECTIONS)) {
    parts.push(`## ${title}`);
    for (const name of names.includes('Inspection') ? [...names, ...rest] : names) {
      const statement = found.get(name);
      if (!statement) throw new Error(`${name} is not declared`);
      parts.push(described(name, statement, source));
    }
  }
  return `${parts.join('\n\n').replace(/\n{3,}/g, '\n\n')}\n`;
}

const file = fileURLToPath(import.meta.url);
if (process.argv[1] && resolve(process.argv[1]) === file) {
  const root = resolve(dirname(file), '..');
  const path = join(root, 'docs/api.md');
  const now = reference(root);
  if (!process.argv.includes('--check')) writeFileSync(path, now);
  else if (readFileSync(path, 'utf8') !== now) {
    console.error('docs/api.md is not what lib/api/public.ts says: node scripts/api-reference.mjs writes it');
    process.exit(1);
  }
}
