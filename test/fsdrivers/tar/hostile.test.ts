/** Samples of fixtures/recipes/tar.sh, and damage. */
// Before the clocks run.
import '../../../fsdrivers/tar/driver';
import { image } from '../../support';
import { type Act, damaged, link, malformedSamples, read } from '../suite';

/** Names of the top directory. */
const names: Act = (fs) => [...fs.readdir(fs.root)].map((e) => e.name);
const first = ['one'];
const both = ['one', 'last'];
const sparse = read('/sparse');

malformedSamples('tar', {
  'warned-checksum': [names, /member at 1024: the checksum of its header is wrong; what follows/, first],
  'warned-header-beyond-end': [read('/file'), /member at 2048: a header at 2048, beyond the end/, 'data'],
  'corrupt-file-beyond-end': [read('/file'), /member at 1024: 50000 bytes at 1536 reach beyond the end/],
  'warned-size-digits': [names, /member at 1024: size is not a number/, first],
  'warned-size-huge': [names, /member at 1024: .*beyond 2\^53/, first],
  'warned-size-negative': [names, /member at 1024: a size of -1 bytes/, first],
  'warned-extended-length': [names, /an extended header whose record at 0 is none/, first],
  'warned-extended-no-number': [names, /an extended header whose record at 0 is none/, first],
  'warned-extended-size': [names, /member at 1024: size is not a number/, first],
  'warned-ends-after-extended': [names, /the archive ends after an extended header/, first],
  'warned-many-headers': [names, /more than 32 headers before a member/, first],
  'limit-extended': [names, /extended header of 104857600 bytes, maximum 2097152/],
  'limit-globals': [names, /more than 1000 global headers/],
  'warned-hard-link-to-nothing': [names, /hard is left out: a hard link to nothing, which no member/, both],
  'warned-hard-link-to-a-directory': [names, /hard is left out: a hard link to d/, ['one', 'd', 'last']],
  'warned-parent': [names, /\.\.\/out is left out: '\.\.' in its path/, both],
  'warned-zero-in-path': [names, /a\\x00b is left out: a zero byte in its path/, both],
  'warned-path-long': [names, /is left out: a path of 6000 bytes, maximum 4096/, both],
  'warned-links-in-a-circle': [names, /a\/file is left out/, ['one', 'a', 'b', 'last']],
  'limit-link-size': [link('/link'), /link of 5000 bytes/],
  'corrupt-link-zero': [link('/link'), /zero byte/],
  'corrupt-map-order': [sparse, /a piece of 100 bytes at 0 of a file of 5000, after 1100/],
  'corrupt-map-overlap': [sparse, /a piece of 100 bytes at 1050 of a file of 5000, after 1100/],
  'corrupt-map-beyond-the-file': [sparse, /a piece of 100 bytes at 4950 of a file of 5000/],
  'corrupt-map-beyond-the-data': [sparse, /pieces of more than the 200 bytes/],
  'corrupt-map-of-less': [sparse, /pieces of 199 of the 200 bytes/],
  'warned-map-without-end': [names, /member at 1024: .*beyond the end/, first],
  'corrupt-map-of-an-odd-count': [sparse, /a map that ends with an offset/],
  'warned-map-number': [names, /GNU\.sparse\.map is not a number/, first],
  'warned-map-out-of-turn': [names, /GNU\.sparse\.numbytes out of turn/, first],
  'warned-map-without-size': [names, /GNU\.sparse\.realsize is not a number/, first],
  'corrupt-lines-count': [sparse, /a map that does not end/],
  'corrupt-lines-number': [sparse, /a number of the map is not a number/],
  'corrupt-lines-without-end': [sparse, /a map that does not end/],
  'corrupt-lines-long': [sparse, /a number of the map is not a number/],
  'corrupt-lines-beyond-the-file': [sparse, /a piece of 2 bytes at 4999 of a file of 5000/],
});

/** Sums that are right again, for the damage to be met further in. */
function repair(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.write('        ', 148);
    block.write(
      `${block
        .reduce((all, byte) => all + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
  }
}

/** The blocks that are headers, and what belongs to them. */
function headers(name: string): [number, number][] {
  const bytes = image(`tar-${name}.img`);
  const places: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += 512)
    if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') places.push([at, at + 1024]);
  return places;
}

damaged('tar-v7', { rounds: 40 });
for (const name of ['ustar', 'gnu', 'pax', 'bsd-pax', 'sparse-gnu', 'sparse-0.0', 'sparse-0.1', 'sparse-1.0'])
  damaged(`tar-${name}`, { rounds: 25, repair, places: headers(name) });
