/** What goes wrong with a server or the way to it, in the thread of the connection; the other side makes GuestErrors of it. */
export type FaultCode = 'io' | 'unsupported' | 'not-found' | 'limit';

export class Fault extends Error {
  /**
   * @param message may hold a server's text, as latin1; escaped where it is shown
   * @param broken the connection is gone, and may be made again
   */
  constructor(
    readonly code: FaultCode,
    message: string,
    readonly broken = false,
  ) {
    super(message);
  }
}

/** The server breaks the protocol: nothing that it says can be taken any more. */
export const violation = (what: string): Fault => new Fault('io', `the server breaks the protocol: ${what}`);
export const broken = (what: string): Fault => new Fault('io', what, true);
