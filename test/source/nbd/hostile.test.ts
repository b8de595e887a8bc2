/** Servers that break the protocol, say nothing, or too much: a clear error each, soon, and nothing else. */
import t from 'tap';
import { GuestError } from '../../../lib/bytes/errors';
import { content, type Options, server } from './support';

/** @param at what is read first, if the connection can be opened */
function cases(
  list: Readonly<Record<string, RegExp>>,
  options: Options = {},
  silent?: number,
  uri?: (port: number) => string,
): void {
  for (const [behaviour, message] of Object.entries(list))
    t.test(`${behaviour} ${options.blocks ?? ''}`, async (t) => {
      const one = await server(t, behaviour, options);
      const start = Date.now();
      try {
        const source = one.open(silent, uri);
        const into = Buffer.alloc(300_000);
        source.read(0, into.subarray(0, 1000));
        source.read(1_000_000, into.subarray(0, 100));
        source.read(0, into);
        t.fail('nothing was thrown');
      } catch (error) {
        t.type(error, GuestError);
        const told = (error as GuestError).describe();
        t.match(told, message);
        t.match(told, /^nbds?:\/\/127\.0\.0\.1:\d+\/disk: /);
        t.notMatch(told, /[\x00-\x1f]|RuntimeError: /);
        t.ok(told.length < 1300);
      }
      t.ok(Date.now() - start < 8000, `${Date.now() - start} ms`);
      t.ok(process.memoryUsage().rss < 400e6);
    });
}

cases({
  'speaks HTTP': /not an NBD server: it begins with 0x485454502f312e31/,
  oldstyle: /oldstyle/,
  'wrong style': /0x1 where IHAVEOPT is due/,
  'bad reply magic': /0x5 where an option's reply is due/,
  'reply to another option': /a reply to option 99, asked was 8/,
  'huge option reply': /an option's reply of 4294967295 bytes, at most 16384/,
  'strange option reply': /reply 17 to option 8/,
  'endless replies': /more than 64 replies to NBD_OPT_GO/,
  'no export information': /NBD_REP_ACK without NBD_INFO_EXPORT/,
  'short export information': /NBD_INFO_EXPORT of 10 bytes/,
  'empty information': /NBD_REP_INFO of 0 bytes/,
  'short block sizes': /NBD_INFO_BLOCK_SIZE of 6 bytes/,
  'unknown export':
    /the server refuses the export 'disk' \(NBD_REP_ERR_UNKNOWN, 'no such \\x1b\[31mexport\\x0aRuntimeError\\x3a x'\)/,
  'unknown error': /the server refuses the export 'disk' \(reply 0x80000063\)/,
  'wants TLS': /refuses to go on without TLS \(NBD_REP_ERR_TLS_REQD, 'TLS first'\); it wants TLS: nbds:/,
  'wants TLS for this export': /refuses the export 'disk' \(NBD_REP_ERR_TLS_REQD\); it wants TLS/,
  'no GO, closes': /closed the connection during the handshake/,
  'closes in the handshake': /closed the connection during the handshake/,
  'size of 2^63': /an export of 9223372036854775808 bytes, at most 2\^53-1/,
  'size of 2^64-1': /an export of 18446744073709551615 bytes/,
  floods: /0x67676767 where a structured reply is due/,
  'wrong structured magic': /0x7 where a structured reply is due/,
  'unknown cookie': /a reply to a request that was not made \(cookie 0x3039\)/,
  'cookie beyond 2^53': /a reply to a request that was not made/,
  'data before the request': /8 bytes at 18446744073709551615 in a reply to a read of 131072 bytes at 0/,
  'data behind the request': /8 bytes at 131068 in a reply/,
  'data at 2^63': /8 bytes at 9223372036854775808 in a reply/,
  'more data than asked': /a chunk of type 1 with 131081 bytes/,
  'chunk of 4 GiB': /a chunk of type 1 with 4294967295 bytes/,
  'overlapping chunks': /5 bytes at 5 overlap/,
  'overlapping hole': /131072 bytes at 0 overlap/,
  'missing chunk': /131071 of 131072 bytes at 0, and the reply is said to be done/,
  'empty data chunk': /a chunk of type 1 with 8 bytes/,
  'empty hole': /0 bytes at 0 in a reply/,
  'hole of wrong size': /a chunk of type 2 with 8 bytes/,
  'hole of 4 GiB': /4294967295 bytes at 0 in a reply/,
  'none without done': /a chunk of type 0 with 0 bytes/,
  'none with payload': /a chunk of type 0 with 4 bytes/,
  'unknown chunk': /a chunk of unknown type 77/,
  'chunk flood': /more than 320 chunks for 131072 bytes/,
  'error flood': /more than 320 chunks for 131072 bytes/,
  'error without number': /an error chunk with error 0/,
  'error with too long a message': /a message of 500 bytes in 7/,
  'short error': /a chunk of type 32769 with 4 bytes/,
  'long error': /a chunk of type 32769 with 6006 bytes/,
  'simple reply to a structured read': /0x67446698 where a structured reply is due/,
  'simple error to a structured read': /0x67446698 where a structured reply is due/,
  'structured reply to a simple read': /0x668e33ef where a simple reply is due/,
  'wrong simple magic': /0x3030303 where a simple reply is due/,
  'simple, unknown cookie': /a reply to a request that was not made/,
  'closes at every read after the first': /the connection broke \(.*\), was made again, and broke again/,
  'another size later': /when it was made again the export had another size/,
  'goes away': /the connection broke \(.*\), was made again, and broke again \(connect ECONNREFUSED/,
});
cases(
  {
    'silent at once': /no end of the handshake after 1 s/,
    'silent handshake': /no end of the handshake after 1 s/,
    'drips in the handshake': /no end of the handshake after 1 s|where an option's reply is due/,
    silent: /nothing came for 1 s \(NODEGRUB_MAX_SILENT_SECONDS\)/,
    drips: /no more than \d+ bytes came for 1 s/,
  },
  {},
  1,
);
for (const blocks of [
  [0, 4096, 65536],
  [3, 4096, 65536],
  [131072, 131072, 2 ** 25],
  [512, 3000, 65536],
  [4096, 512, 65536],
] as const)
  cases({ '': /block sizes of \d+ \(minimum\) and \d+ \(preferred\)/ }, { blocks });
cases({ '': /a maximum of 100 bytes below the minimum of 512/ }, { blocks: [512, 4096, 100] });
cases(
  {
    'refuses TLS': /the server refuses TLS \(NBD_REP_ERR_POLICY\)/,
    'not fixed': /the server has no TLS/,
    'injects before TLS': /8 bytes in clear where TLS begins/,
  },
  {},
  undefined,
  (port) => `nbds://127.0.0.1:${port}/disk`,
);

t.test('after such an error nothing is asked for any more', async (t) => {
  const one = await server(t, 'unknown cookie');
  const source = one.open();
  for (let i = 0; i < 3; i++) t.throws(() => source.read(i * 500_000, Buffer.alloc(10)), { code: 'io' });
  await one.settle();
  t.equal(one.events.filter((event) => event === 'closed').length, 1);
  t.equal(one.events.filter((event) => event.startsWith('option 7')).length, 1);
  t.same(content(5, 2).length, 2);
});
