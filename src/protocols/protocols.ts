/** The table of all protocols, in the order in which they are tried. */
import type { Protocol } from './protocol.ts';

export const protocols: readonly Protocol[] = [];
