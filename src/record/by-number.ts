// A map by the sensor's numbers of connections. Those are large (made of the wall clock), and V8
// keeps large numbers as objects; their distance to the first one is small and looked up faster.

export class ByNumber<T> {
  readonly #map = new Map<number, T>();
  #first = 0;

  get(number: number): T | undefined {
    return this.#map.get(number - this.#first);
  }

  has(number: number): boolean {
    return this.#map.has(number - this.#first);
  }

  set(number: number, value: T): void {
    if (this.#map.size === 0) this.#first = number;
    this.#map.set(number - this.#first, value);
  }

  delete(number: number): void {
    this.#map.delete(number - this.#first);
  }

  values(): Iterable<T> {
    return this.#map.values();
  }
}
