/**
 * dist/nbdworker.js: the thread that holds the connection, beside the synchronous one that waits for it. A file of its own,
 * without the core.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { Engine } from './engine';
import { Fault } from './fault';
import {
  ASKED,
  BEAT,
  DONE,
  ENDED,
  FAILED,
  FATAL,
  HEAD,
  LISTENING,
  type News,
  OPEN,
  type Order,
  SIGNAL,
  SLOTS,
  STATE,
  type Start,
} from './shared';

function serve({ shared, port, setup, atOnce }: Start): void {
  const ints = new Int32Array(shared, 0, HEAD / 4);
  const memory = new Uint8Array(shared, HEAD);
  const signal = (place: number, value: number, news?: News): void => {
    if (news) port.postMessage(news);
    Atomics.store(ints, place, value);
    Atomics.add(ints, SIGNAL, 1);
    Atomics.notify(ints, SIGNAL);
  };
  const fatal = (code: string, message: string): void => {
    if (Atomics.load(ints, STATE) !== FATAL) signal(STATE, FATAL, { fatal: { code, message } });
  };
  process.on('uncaughtException', (error) => fatal('defect', String(error?.stack ?? error)));
  const beats = setInterval(() => Atomics.add(ints, BEAT, 1), 250);
  let engine: Engine;
  try {
    engine = new Engine(setup, {
      opened: (found) => signal(STATE, OPEN, { opened: found }),
      done: (slot) => signal(SLOTS + slot, DONE),
      failed: (slot, problem) => signal(SLOTS + slot, FAILED, { failed: { slot, problem } }),
      fatal: (fault) => fatal(fault.code, fault.message),
    });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    fatal(error.code, error.message);
    return;
  }
  port.on('message', (order: Order) => {
    if (order === 'go') engine.start();
    else if (order === 'end') {
      engine.end();
      clearInterval(beats);
      port.close();
      signal(STATE, ENDED);
    } else {
      const [slot, start, at, length] = order;
      Atomics.store(ints, SLOTS + slot, ASKED);
      engine.read(slot, at, memory.subarray(start, start + length));
    }
  });
  signal(STATE, LISTENING);
  if (atOnce) engine.start();
}

if (!isMainThread && (workerData as Partial<Start> | null)?.nbd) serve(workerData as Start);
