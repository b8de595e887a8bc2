/** What the two threads share: a row of 32-bit numbers, then memory for data; and what they tell each other. */
import type { Export } from './handshake';
import type { Setup } from './line';
import type { Problem } from './replies';

/** Counts up with whatever the thread of the connection has done; waited for. */
export const SIGNAL = 0;
/** Counts up every quarter of a second. */
export const BEAT = 1;
export const STATE = 2;
/** From here on, one number a slot: a stretch that has been asked for. */
export const SLOTS = 16;
export const MOST_SLOTS = 512;
/** Bytes before the memory. */
export const HEAD = 4096;
/** Bytes: 8 MiB for what is small, 24 for what is read in long stretches. */
export const MEMORY = 32 * 1024 * 1024;

/** STATE */
export const STARTING = 0;
export const LISTENING = 1;
export const OPEN = 2;
export const FATAL = 3;
export const ENDED = 4;

/** Of a slot. */
export const FREE = 0;
export const ASKED = 1;
export const DONE = 2;
export const FAILED = 3;

export interface Start {
  readonly nbd: true;
  readonly shared: SharedArrayBuffer;
  readonly port: import('node:worker_threads').MessagePort;
  readonly setup: Setup;
  /** Connects without an order to. */
  readonly atOnce: boolean;
}

/** To the thread: connect; end; a slot, where its data goes in the memory, byte of the export, bytes. */
export type Order = 'go' | 'end' | readonly [slot: number, start: number, at: number, length: number];

/** From it, before the signal. */
export interface News {
  readonly opened?: Export;
  readonly failed?: { readonly slot: number; readonly problem: Problem };
  /** `defect`: this program's own. */
  readonly fatal?: { readonly code: string; readonly message: string };
}
