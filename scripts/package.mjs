/**
 * Makes the packages of a release, the same bytes from the same sources whenever and wherever it runs:
 *
 *   node scripts/package.mjs npm     [--out=DIR]   nodegrub-VERSION.tgz, for `npm install -g`
 *   node scripts/package.mjs deb     [--out=DIR]   nodegrub_VERSION_all.deb, for Debian and its relatives
 *   node scripts/package.mjs tarball [--out=DIR]   nodegrub-VERSION-linux-MACHINE.tar.xz, with a Node of its own
 *     --node=PATH      this Node instead of the npm package's of packaging/tarball/node.json
 *     --node-license=PATH  its licence, where that is not beside it
 *     --no-libraries   without the C and C++ libraries; else patchelf(1) is needed
 *     --prefix=DIR     where it is to be unpacked (/opt): its Node knows the libraries by their absolute paths
 *     --fast           .tar.gz, barely compressed: for tests
 *
 * Files go to DIR, by default the folder `packages`. Needs npm, dpkg-deb, tar, xz. The time in the packages is SOURCE_DATE_EPOCH,
 * by default that of the newest entry of packaging/deb/changelog.
 */
import { deb } from './packaging/deb.mjs';
import { npm } from './packaging/npm.mjs';
import { Stage } from './packaging/stage.mjs';
import { tarball } from './packaging/tarball.mjs';

const [what, ...words] = process.argv.slice(2);
const options = Object.fromEntries(
  words.map((word) => /^--([^=]+)=?(.*)$/.exec(word)?.slice(1) ?? [word, '']),
);
const known = [
  'out',
  ...(what === 'tarball' ? ['node', 'node-license', 'no-libraries', 'prefix', 'fast'] : []),
];
const unknown = Object.keys(options).filter((name) => !known.includes(name));
const make = { npm, deb, tarball }[what];
if (!make || unknown.length > 0) {
  console.error(`package.mjs: ${make ? `unknown: ${unknown.join(' ')}` : 'npm, deb or tarball?'}`);
  process.exit(1);
}
const stage = new Stage(options.out ?? 'packages');
try {
  console.log(make(stage, options));
} finally {
  stage.remove();
}
