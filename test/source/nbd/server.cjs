/**
 * An NBD server in a thread of its own, for tests that wait for it synchronously; what it does wrong has a name. Written from proto.md,
 * without the client's code.
 *
 * Is told { id, behaviour, size, blocks }; posts { id, port }, then { id, event } for each option, read and end.
 */
const { createServer } = require('node:net');
const { parentPort } = require('node:worker_threads');

const u16 = (n) => { const b = Buffer.alloc(2); b.writeUInt16BE(n); return b; };
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt.asUintN(64, BigInt(n))); return b; };
const IHAVEOPT = u64(0x49484156454f5054n);
const content = (at, length) => {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = ((at + i) * 7) ^ ((at + i) >> 8);
  return bytes;
};

const FLOOD = Buffer.alloc(1 << 20, 0x67);

function listen({ id, behaviour, size = 3_000_000, blocks }) {
let connections = 0;
const tell = (event) => parentPort.postMessage({ id, event });

function serve(socket) {
  const nth = ++connections;
  const send = (...parts) => socket.destroyed || socket.write(Buffer.concat(parts));
  const reply = (option, type, ...data) => {
    const all = Buffer.concat(data);
    send(u64(0x3e889045565a9n), u32(option), u32(type), u32(all.length), all);
  };
  const info = (option, kind, ...data) => reply(option, 3, u16(kind), ...data);
  let structured = false;
  let reads = 0;
  const chunk = (cookie, flags, type, ...data) => {
    const all = Buffer.concat(data);
    send(u32(0x668e33ef), u16(flags), u16(type), cookie, u32(all.length), all);
  };
  const simple = (cookie, error, data = Buffer.alloc(0)) => send(u32(0x67446698), u32(error), cookie, data);
  const good = (cookie, at, length) => {
    const bytes = content(at, length);
    if (structured) chunk(cookie, 1, 1, u64(at), bytes);
    else simple(cookie, 0, bytes);
  };
  const drip = (bytes, ms) => {
    let at = 0;
    const timer = setInterval(() => {
      if (at === bytes.length || socket.destroyed) clearInterval(timer);
      else socket.write(bytes.subarray(at, ++at));
    }, ms);
  };

  /** What is different; returns true where that was all. */
  const OPTIONS = {
    'bad reply magic': (o) => (send(u64(5), u32(o), u32(1), u32(0)), true),
    'reply to another option': () => (reply(99, 1), true),
    'huge option reply': (o) => (send(u64(0x3e889045565a9n), u32(o), u32(3), u32(0xffffffff)), true),
    'strange option reply': (o) => (reply(o, 17), true),
    'endless replies': (o) => o === 7 && (() => { for (let i = 0; i < 100_000; i++) info(o, 77, Buffer.alloc(50)); return true; })(),
    'no export information': (o) => o === 7 && (reply(o, 1), true),
    'short export information': (o) => o === 7 && (info(o, 0, u64(5)), reply(o, 1), true),
    'empty information': (o) => o === 7 && (reply(o, 3), true),
    'short block sizes': (o) => o === 7 && (info(o, 3, u32(1)), reply(o, 1), true),
    'unknown export': (o) => o === 7 && (reply(o, 0x80000006, Buffer.from('no such \x1b[31mexport\nRuntimeError: x')), true),
    'unknown error': (o) => o === 7 && (reply(o, 0x80000063), true),
    'wants TLS': (o) => (reply(o, 0x80000005, Buffer.from('TLS first')), true),
    'wants TLS for this export': (o) => o === 7 && (reply(o, 0x80000005), true),
    'refuses TLS': (o) => o === 5 && (reply(o, 0x80000002), true),
    'injects before TLS': (o) => o === 5 && (send(u64(0x3e889045565a9n), u32(5), u32(1), u32(0), Buffer.from('injected')), true),
    'no GO': (o) => o === 7 && (reply(o, 0x80000001), true),
    'no GO, closes': (o) => (o === 7 ? (reply(o, 0x80000001), true) : o === 1 ? (socket.end(), true) : false),
    'no structured replies': (o) => o === 8 && (reply(o, 0x80000001), true),
    'structured reply to a simple read': (o) => o === 8 && (reply(o, 0x80000001), true),
    'wrong simple magic': (o) => o === 8 && (reply(o, 0x80000001), true),
    'simple, unknown cookie': (o) => o === 8 && (reply(o, 0x80000001), true),
    'bad sector, simple': (o) => o === 8 && (reply(o, 0x80000001), true),
    'closes in the handshake': (o) => o === 7 && (socket.end(), true),
    'silent handshake': () => true,
    'drips in the handshake': (o) => o === 7 && (drip(Buffer.alloc(100_000, 0), 50), true),
    'size of 2^63': (o) => o === 7 && (info(o, 0, u64(2n ** 63n), u16(1)), reply(o, 1), true),
    'size of 2^64-1': (o) => o === 7 && (info(o, 0, u64(2n ** 64n - 1n), u16(1)), reply(o, 1), true),
    'another size later': (o) => o === 7 && nth > 1 && (info(o, 0, u64(size / 2), u16(1)), reply(o, 1), true),
    'describes itself': (o) => o === 7 && (info(o, 2, Buffer.from('a \x1b[1mdisk')), info(o, 1, Buffer.from('name')), false),
    'long description': (o) => o === 7 && (info(o, 2, Buffer.alloc(16_000, 65)), false),
    'floods': (o) => o === 7 && (() => { info(o, 0, u64(size), u16(1)); reply(o, 1); for (let i = 0; i < 64; i++) socket.write(FLOOD); return true; })(),
  };
  const READS = {
    'wrong structured magic': (c, at, n) => (send(u32(7), Buffer.alloc(16)), true),
    'unknown cookie': (c, at, n) => (chunk(u64(12345), 1, 1, u64(at), content(at, n)), true),
    'cookie beyond 2^53': (c, at, n) => (chunk(u64(2n ** 60n), 1, 1, u64(at), content(at, n)), true),
    'data before the request': (c, at, n) => (chunk(c, 1, 1, u64(BigInt(at) - 1n), content(at, 8)), true),
    'data behind the request': (c, at, n) => (chunk(c, 1, 1, u64(at + n - 4), content(at, 8)), true),
    'data at 2^63': (c) => (chunk(c, 1, 1, u64(2n ** 63n), content(0, 8)), true),
    'more data than asked': (c, at, n) => (chunk(c, 1, 1, u64(at), content(at, n + 1)), true),
    'chunk of 4 GiB': (c) => (send(u32(0x668e33ef), u16(1), u16(1), c, u32(0xffffffff)), true),
    'overlapping chunks': (c, at, n) => (chunk(c, 0, 1, u64(at), content(at, n)), chunk(c, 1, 1, u64(at + 5), content(at, 5)), true),
    'overlapping hole': (c, at, n) => (chunk(c, 0, 1, u64(at), content(at, n)), chunk(c, 1, 2, u64(at), u32(n)), true),
    'missing chunk': (c, at, n) => (chunk(c, 0, 1, u64(at), content(at, n - 1)), chunk(c, 1, 0), true),
    'empty data chunk': (c, at) => (chunk(c, 1, 1, u64(at)), true),
    'empty hole': (c, at) => (chunk(c, 1, 2, u64(at), u32(0)), true),
    'hole of wrong size': (c, at) => (chunk(c, 1, 2, u64(at)), true),
    'hole of 4 GiB': (c, at) => (chunk(c, 1, 2, u64(at), u32(0xffffffff)), true),
    'none without done': (c) => (chunk(c, 0, 0), true),
    'none with payload': (c) => (chunk(c, 1, 0, u32(1)), true),
    'unknown chunk': (c) => (chunk(c, 1, 77, u32(1)), true),
    'chunk flood': (c, at, n) => { for (let i = 0; i < n; i += 2) chunk(c, 0, 1, u64(at + i), content(at + i, 1)); return true; },
    'error flood': (c) => { for (let i = 0; i < 10_000; i++) chunk(c, 0, 0x8001, u32(5), u16(0)); return true; },
    'error without number': (c) => (chunk(c, 1, 0x8001, u32(0), u16(0)), true),
    'error with too long a message': (c) => (chunk(c, 1, 0x8001, u32(5), u16(500), Buffer.from('x')), true),
    'short error': (c) => (chunk(c, 1, 0x8001, u32(5)), true),
    'long error': (c) => (chunk(c, 1, 0x8001, u32(5), u16(6000), Buffer.alloc(6000, 66)), true),
    'simple reply to a structured read': (c, at, n) => (simple(c, 0, content(at, n)), true),
    'structured reply to a simple read': (c, at, n) => (chunk(c, 1, 1, u64(at), content(at, n)), true),
    'wrong simple magic': () => (send(Buffer.alloc(16, 3)), true),
    'simple, unknown cookie': () => (simple(u64(77), 0), true),
    'simple error to a structured read': (c) => (simple(c, 5), true),
    'silent': () => true,
    'drips': (c, at, n) => { send(u32(0x668e33ef), u16(1), u16(1), c, u32(n + 8), u64(at)); drip(content(at, n), 20); return true; },
    'closes in a reply, once': (c, at, n) => reads === 2 && nth === 1 && (send(u32(0x668e33ef), u16(1), u16(1), c, u32(n + 8), u64(at), content(at, n >> 1)), setTimeout(() => socket.destroy(), 20), true),
    'closes in a reply, always': (c, at, n) => reads > 1 && (reads > 2 || send(u32(0x668e33ef), u16(1), u16(1), c, u32(n + 8), u64(at), content(at, n >> 1)), setTimeout(() => socket.destroy(), 20), true),
    'closes at every read after the first': () => nth === 1 ? reads > 1 && (socket.destroy(), true) : (socket.destroy(), true),
    'another size later': () => nth === 1 && reads > 1 && (socket.destroy(), true),
    'goes away': () => reads > 1 && (server.close(), socket.destroy(), true),
    'is shutting down, once': (c) => nth === 1 && reads > 1 && (chunk(c, 1, 0x8001, u32(108), u16(4), Buffer.from('bye!')), true),
    'bad sector': (c, at, n) => at <= 200_000 && at + n > 200_000 && (chunk(c, 0, 1, u64(at), content(at, n)), chunk(c, 1, 0x8002, u32(5), u16(9), Buffer.from('bad \x1bdisk'), u64(200_000)), true),
    'bad sector, simple': (c, at, n) => at <= 200_000 && at + n > 200_000 && (simple(c, 5), true),
    'strange error': (c, at, n) => at <= 200_000 && at + n > 200_000 && (chunk(c, 1, 0x8fff, u32(4711), u16(2), Buffer.from('hm'), u32(1)), true),
    'in pieces': (c, at, n) => {
      const pieces = [];
      for (let i = 0; i < n; i += 4096) pieces.push([at + i, Math.min(4096, n - i)]);
      pieces.reverse();
      for (const [i, [from, length]] of pieces.entries()) chunk(c, i === pieces.length - 1 ? 1 : 0, 1, u64(from), content(from, length));
      return true;
    },
  };
  /** Replies that wait, last one first. */
  const late = [];
  const respond = (c, at, n) => {
    if (behaviour !== 'out of order') return READS[behaviour]?.(c, at, n) || good(c, at, n);
    late.push([c, at, n]);
    clearTimeout(late.timer);
    late.timer = setTimeout(() => { for (const one of late.splice(0).reverse()) good(...one); }, 20);
  };

  if (behaviour === 'silent at once') return;
  if (behaviour === 'speaks HTTP') return void send(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  if (behaviour === 'oldstyle') return void send(Buffer.from('NBDMAGIC'), u64(0x00420281861253n), u64(size), Buffer.alloc(128));
  if (behaviour === 'wrong style') return void send(Buffer.from('NBDMAGIC'), u64(1), u16(3));
  const fixed = behaviour !== 'not fixed';
  const zeroes = behaviour === 'not fixed' || behaviour === 'no GO';
  send(Buffer.from('NBDMAGIC'), IHAVEOPT, u16((fixed ? 1 : 0) | (zeroes ? 0 : 2)));

  let rest = Buffer.alloc(0);
  let phase = 'flags';
  socket.on('data', (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (step());
  });
  const step = () => {
    const take = (n) => { const b = rest.subarray(0, n); rest = rest.subarray(n); return b; };
    if (phase === 'flags') {
      if (rest.length < 4) return false;
      const flags = take(4).readUInt32BE(0);
      if (flags !== ((fixed ? 1 : 0) | (zeroes ? 0 : 2))) { tell(`flags ${flags}`); socket.destroy(); return false; }
      phase = 'options';
      return true;
    }
    if (phase === 'options') {
      if (rest.length < 16 || rest.length < 16 + rest.readUInt32BE(12)) return false;
      const option = rest.readUInt32BE(8);
      if (!rest.subarray(0, 8).equals(IHAVEOPT)) { tell('bad option magic'); socket.destroy(); return false; }
      const data = Buffer.from(take(16 + rest.readUInt32BE(12)).subarray(16));
      tell(`option ${option}`);
      if (OPTIONS[behaviour]?.(option)) {
        if (option === 7) phase = behaviour === 'floods' ? 'read' : phase;
        return true;
      }
      if (option === 8) { structured = true; reply(8, 1); }
      else if (option === 7) {
        const length = data.readUInt32BE(0);
        tell(`export ${data.toString('latin1', 4, 4 + length)}`);
        if (data.length !== 6 + length + 2 * data.readUInt16BE(4 + length)) tell('bad GO');
        info(7, 0, u64(size), u16(3));
        if (blocks) info(7, 3, ...blocks.map(u32));
        reply(7, 1);
        phase = 'read';
      } else if (option === 1) {
        tell(`export ${data.toString('latin1')}`);
        send(u64(size), u16(3), zeroes ? Buffer.alloc(124) : Buffer.alloc(0));
        phase = 'read';
      } else if (option === 2) { reply(2, 1); socket.end(); }
      else reply(option, 0x80000001);
      return true;
    }
    if (rest.length < 28) return false;
    const head = take(28);
    const type = head.readUInt16BE(6);
    if (head.readUInt32BE(0) !== 0x25609513 || head.readUInt16BE(4) !== 0) { tell('bad request'); socket.destroy(); return false; }
    if (type === 2) { tell('disconnect'); socket.end(); return false; }
    if (type !== 0) { tell(`command ${type}`); return true; }
    const at = Number(head.readBigUInt64BE(16));
    const n = head.readUInt32BE(24);
    tell(`read ${at} ${n}`);
    const [minimum = 1, , maximum = 0xffffffff] = blocks ?? [];
    if (at % minimum || n % minimum || n > maximum || n === 0 || at + n > size) tell(`BAD read ${at} ${n}`);
    reads++;
    respond(Buffer.from(head.subarray(8, 16)), at, n);
    return true;
  };
  socket.on('error', () => {});
  socket.on('close', () => { tell('closed'); });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => parentPort.postMessage({ id, port: server.address().port }));
}

parentPort.on('message', listen);
