/** What of an app's traffic is not recorded, and why. */
import { z } from 'zod';

export const degradation = z.object({
  kind: z.string(),
  reason: z.string(),
  since: z.number().int(),
  last: z.number().int(),
  count: z.number().int(),
  bytes: z.number().int(),
});
