/** A thread that looks at one disk after the other. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { limitsInForce } from '../main';
import { look, type Task } from './look';
import type { Order } from './protocol';
import { type Seen, unseen } from './record';

/** Disks after which garbage is collected: V8 would let what was cached of a hundred of them lie. */
const BETWEEN = 8;

/** V8's collection, which it shows only where a flag asks for it. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** What a worker hears: a disk. What it says: its result. */
export async function work(): Promise<void> {
  const { options, policy } = workerData as Pick<Order, 'options' | 'policy'>;
  const limits = limitsInForce();
  const whole = { ...options, run: undefined };
  const port = parentPort!;
  const collect = collector();
  let looked = 0;
  port.on('message', async (task: Task) => {
    let seen: Seen;
    try {
      seen = await look(task, whole, limits, policy);
    } catch (error) {
      // Out of memory is not caught here: the thread ends, and the batch hears of it.
      const { number, path } = task;
      const reason = `a defect of nodegrub, please report it: ${String((error as Error)?.stack ?? error)}`;
      seen = unseen(number, path, options.format === 'json', reason.replace(/\s+/g, ' '));
    }
    port.postMessage(seen);
    if (++looked % BETWEEN === 0) collect();
  });
}
