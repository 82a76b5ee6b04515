export interface Rates {
  /** Units of the currency that one euro buys; undefined when nobody trades it. */
  perEuro(currency: string): Promise<number | undefined>;
}

export function ratesAt(baseUrl: string): Rates {
  return {
    async perEuro(currency) {
      const response = await fetch(`${baseUrl}/rates/${encodeURIComponent(currency)}`);
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`the rates service answered ${response.status}`);
      const body = (await response.json()) as { rate: number };
      return body.rate;
    },
  };
}
