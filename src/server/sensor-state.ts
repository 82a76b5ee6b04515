/** Exists so that people see in `fixpoint status` whether anything is recorded, and why not. */
import type { Part } from '../api/contract.ts';
import { type Instant, isoOf, now } from '../domain/time.ts';
import type { KeptSensor } from '../record/sensor/sensor.ts';

/** The state of the sensor whenever it is asked for. */
export function sensorState(sensor: KeptSensor): () => Part {
  let restarts = 0;
  let stopped: { at: Instant; reason: string } | null = null;
  sensor.onLoss((loss) => {
    if (loss.kind === 'stopped') stopped = { at: stopped?.at ?? now(), reason: loss.reason };
    if (loss.kind !== 'interval') return;
    stopped = null;
    restarts += 1;
  });
  return () => {
    const { pid } = sensor;
    if (pid === 0 || stopped !== null) {
      const { at = now(), reason = 'it is not running' } = stopped ?? {};
      const says = `nothing is recorded since ${isoOf(at)}: ${reason}; it is started again`;
      return { name: 'sensor', state: 'degraded', says };
    }
    const again = restarts === 0 ? '' : `, started again ${restarts} times`;
    return { name: 'sensor', state: 'ok', says: `process ${pid}${again}` };
  };
}
