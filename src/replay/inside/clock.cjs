// Preloaded into a Node whose libc is not glibc (Alpine), where libfaketime cannot set the clock: moves Date.
'use strict';
const offsetMs = Number(process.env.FIXPOINT_CLOCK_OFFSET_MS || 0);

if (Number.isFinite(offsetMs) && offsetMs !== 0 && !globalThis.Date.fixpointMoved) {
  const Real = globalThis.Date;
  const now = () => Real.now() + offsetMs;
  const Moved = new Proxy(Real, {
    construct: (target, args, newTarget) => {
      const made = args.length === 0 ? [now()] : args;
      return Reflect.construct(target, made, newTarget === Moved ? Real : newTarget);
    },
    apply: () => new Real(now()).toString(),
    get: (target, name, receiver) => {
      if (name === 'now') return moved;
      if (name === 'fixpointMoved') return true;
      return Reflect.get(target, name, receiver === Moved ? target : receiver);
    },
  });
  const moved = {
    now() {
      return Math.floor(now());
    },
  }.now;
  Object.defineProperty(Real.prototype, 'constructor', {
    value: Moved,
    writable: true,
    configurable: true,
  });
  globalThis.Date = Moved;
}
