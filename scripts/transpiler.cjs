/**
 * TypeScript → JavaScript for tap's ts-node (tsconfig.json, "ts-node"): each test file is a process of its own, and TypeScript's own
 * compiler takes a second and a half in each, esbuild some milliseconds. Types are checked by `npm run typecheck`.
 */
const { transformSync } = require('esbuild');

exports.create = () => ({
  transpile(input, { fileName }) {
    const options = { loader: 'ts', format: 'cjs', platform: 'node', target: 'es2022', sourcemap: true };
    const { code, map } = transformSync(input, { ...options, sourcefile: fileName });
    return { outputText: code, sourceMapText: map };
  },
});
