/** What comes out does not fit: one kind of `corrupt`, which a caller that did not know the size may try again with more room. */
import { GuestError } from '../errors';

export class OutputFull extends GuestError {}

export const full = (format: string, room: number): OutputFull =>
  new OutputFull('corrupt', `${format}: more than ${room} bytes come out`);
