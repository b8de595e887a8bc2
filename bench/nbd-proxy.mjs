/**
 * Between an NBD client and its server, both on Unix sockets: each byte of the server's comes later by a latency, and what is asked is
 * counted. At SIGTERM one line of JSON for each connection goes to stdout.
 *
 *   node bench/nbd-proxy.mjs LISTEN CONNECT MILLISECONDS
 *
 * trips: how often the client said something while nothing was under way, the server's greeting among them: what it could not know
 * earlier. reads, bytes: requests. long: those of 1 MiB or more. most: reads under way at a time. atLong: reads under way, the mean over the
 * long ones when each was asked for.
 */
import { connect, createServer } from 'node:net';

const [listen, target, milliseconds] = process.argv.slice(2);
const delay = Number(milliseconds);
const MIB = 1 << 20;
const connections = [];

/** Takes a stream apart: `next()` names the bytes that are wanted, and is given them. */
function parser(next) {
  let rest = Buffer.alloc(0);
  let want = next();
  let skip = 0;
  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (skip > 0) {
        const count = Math.min(skip, bytes.length - at);
        skip -= count;
        at += count;
        continue;
      }
      const count = Math.min(want - rest.length, bytes.length - at);
      rest = Buffer.concat([rest, bytes.subarray(at, at + count)]);
      at += count;
      if (rest.length < want) return;
      const whole = rest;
      rest = Buffer.alloc(0);
      const then = next(whole);
      want = then.want;
      skip = then.skip ?? 0;
    }
  };
}

function serve(client) {
  const server = connect(target);
  const seen = { trips: 1, reads: 0, bytes: 0, long: 0, most: 0, atLong: 0, other: 0, sizes: [] };
  connections.push(seen);
  let underWay = 0;
  const asked = new Map();
  let transmission = false;
  const said = () => {
    if (underWay++ === 0) seen.trips++;
  };

  // The client: flags, options, requests.
  let phase = 'flags';
  const fromClient = parser((bytes) => {
    if (!bytes) return 4;
    if (phase === 'flags') {
      phase = 'options';
      return { want: 16 };
    }
    if (phase === 'options') {
      said();
      const go = bytes.readUInt32BE(8) === 7;
      if (go) phase = 'requests';
      return { want: go ? 28 : 16, skip: bytes.readUInt32BE(12) };
    }
    const type = bytes.readUInt16BE(6);
    const length = bytes.readUInt32BE(24);
    if (type === 2) return { want: 28 };
    said();
    asked.set(bytes.readBigUInt64BE(8), length);
    if (type === 0) {
      seen.reads++;
      seen.bytes += length;
      seen.sizes.push(length);
      seen.most = Math.max(seen.most, underWay);
      if (length >= MIB) {
        seen.long++;
        seen.atLong += underWay;
      }
    } else seen.other++;
    return { want: 28 };
  });

  // The server: greeting, replies to options, replies.
  let greeted = false;
  const fromServer = parser((bytes) => {
    if (!bytes) return 18;
    if (!greeted) {
      greeted = true;
      return { want: 20 };
    }
    if (!transmission) {
      const type = bytes.readUInt32BE(12);
      const last = type === 1 || type >= 0x80000000;
      if (last) underWay--;
      if (last && type === 1 && bytes.readUInt32BE(8) === 7) transmission = true;
      return { want: 20, skip: bytes.readUInt32BE(16) };
    }
    // Both programs agree to structured replies with servers that have them.
    if (bytes.readUInt16BE(4) & 1) {
      underWay--;
      asked.delete(bytes.readBigUInt64BE(8));
    }
    return { want: 20, skip: bytes.readUInt32BE(16) };
  });

  client.on('data', (bytes) => {
    fromClient(bytes);
    server.write(bytes);
  });
  const later = (act) => (delay === 0 ? act() : setTimeout(act, delay));
  server.on('data', (bytes) =>
    later(() => {
      fromServer(bytes);
      client.write(bytes);
    }),
  );
  server.on('end', () => later(() => client.end()));
  client.on('close', () => server.end());
  for (const socket of [client, server]) socket.on('error', () => socket.destroy());
}

createServer(serve).listen(listen, () => console.error('ready'));
process.on('SIGTERM', () => {
  for (const { sizes, atLong, ...seen } of connections)
    console.log(JSON.stringify({ ...seen, atLong: seen.long ? atLong / seen.long : 0 }));
  process.exit(0);
});
