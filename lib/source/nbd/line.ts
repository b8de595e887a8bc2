/** One connection, from its beginning to its end: handshake, then replies. */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { dial, hostWords, upgrade } from './dial';
import { broken, Fault, violation } from './fault';
import { type Ask, type Export, negotiate } from './handshake';
import { CMD_DISC, CMD_READ, REQUEST_MAGIC } from './layout';
import type { Pending, Replies } from './replies';
import type { NbdAddress } from './uri';

export interface Setup {
  readonly address: NbdAddress;
  /** Seconds in which something must come. */
  readonly silentSeconds: number;
  /** A connected socket, of which there is only this one; TLS, if there is any, is not ours. */
  readonly fd: number | undefined;
}

/** What the line's owner hears; after `ended` nothing more. */
export interface Listener {
  /** The handshake is over. @returns who takes the replies */
  opened(found: Export): Replies;
  ended(why: Fault): void;
}

export class Line {
  #socket: Socket;
  readonly #talk: Generator<Ask, Export, Buffer>;
  #ask: Ask | undefined;
  /** Of the handshake: what came and was not asked for yet. */
  #rest: Buffer = Buffer.alloc(0);
  #replies: Replies | undefined;
  #over = false;
  readonly #deadline: NodeJS.Timeout;

  constructor(
    readonly setup: Setup,
    readonly context: SecureContext | undefined,
    readonly listener: Listener,
  ) {
    const { address, silentSeconds, fd } = setup;
    const take = (bytes: Buffer) => this.#take(bytes);
    this.#talk = negotiate(Buffer.from(address.name, 'latin1'), context !== undefined, (bytes) =>
      this.#write(bytes),
    );
    this.#deadline = setTimeout(
      () => this.#end(new Fault('io', `no end of the handshake after ${silentSeconds} s`)),
      silentSeconds * 1000,
    );
    this.#socket = dial(address, fd, context ? undefined : take);
    if (context) this.#socket.on('data', take);
    this.#hear(this.#socket);
    this.#step(undefined);
  }

  get isOpen(): boolean {
    return this.#replies !== undefined && !this.#over;
  }

  read(request: Pending): void {
    this.#replies!.pending.set(request.cookie, request);
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(REQUEST_MAGIC);
    bytes.writeUInt16BE(CMD_READ, 6);
    bytes.writeBigUInt64BE(BigInt(request.cookie), 8);
    bytes.writeBigUInt64BE(BigInt(request.at), 16);
    bytes.writeUInt32BE(request.into.length, 24);
    this.#write(bytes);
  }

  /** A soft disconnect ("Terminating the transmission phase"). */
  disconnect(): void {
    if (this.isOpen) {
      const bytes = Buffer.alloc(28);
      bytes.writeUInt32BE(REQUEST_MAGIC);
      bytes.writeUInt16BE(CMD_DISC, 6);
      this.#write(bytes);
    }
    this.#close();
    this.#socket.end();
  }

  #write(bytes: Buffer): void {
    if (!this.#over) this.#socket.write(bytes);
  }

  #hear(socket: Socket): void {
    socket.on('error', (error) => this.#end(broken(hostWords(error))));
    socket.on('end', () => this.#end(broken(`the server closed the connection${this.#phase()}`)));
    socket.on('close', () => this.#end(broken(`the connection was closed${this.#phase()}`)));
  }

  #phase(): string {
    return this.#replies ? '' : ' during the handshake';
  }

  #take(bytes: Buffer): void {
    if (this.#over) return;
    try {
      if (this.#replies) {
        this.#replies.feed(bytes);
        return;
      }
      this.#rest = Buffer.concat([this.#rest, bytes]);
      while (typeof this.#ask === 'number' && this.#rest.length >= this.#ask) {
        const part = this.#rest.subarray(0, this.#ask);
        this.#rest = this.#rest.subarray(this.#ask);
        this.#step(part);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #step(part: Buffer | undefined): void {
    const { done, value } = part ? this.#talk.next(part) : this.#talk.next();
    if (done) {
      clearTimeout(this.#deadline);
      this.#ask = undefined;
      const replies = this.listener.opened(value);
      this.#replies = replies;
      if (this.#rest.length > 0) replies.feed(this.#rest);
      this.#rest = Buffer.alloc(0);
      return;
    }
    this.#ask = value;
    if (value === 'tls') this.#secure();
  }

  #secure(): void {
    // What came in clear after the permission would be taken for what came under TLS.
    if (this.#rest.length > 0) throw violation(`${this.#rest.length} bytes in clear where TLS begins`);
    const plain = this.#socket;
    plain.removeAllListeners('data');
    const { tls } = this.setup.address;
    const secured = upgrade(plain, tls!, this.context!);
    this.#socket = secured;
    secured.on('secureConnect', () => {
      try {
        this.#step(Buffer.alloc(0));
      } catch (error) {
        this.#fail(error);
      }
    });
    secured.on('data', (bytes: Buffer) => this.#take(bytes));
    secured.on('error', (error) => this.#end(new Fault('io', `TLS: ${hostWords(error)}`, this.isOpen)));
    this.#hear(secured);
  }

  #fail(error: unknown): void {
    if (!(error instanceof Fault)) throw error;
    this.#end(error);
  }

  #end(why: Fault): void {
    if (this.#over) return;
    this.#close();
    // After what was said last, as NBD_OPT_ABORT.
    this.#socket.end();
    this.#socket.destroySoon();
    this.listener.ended(why);
  }

  #close(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
  }
}
