// Units of a currency that one euro buys.
const perEuro = { EUR: 1, USD: 1.09, GBP: 0.85, CHF: 0.94, SEK: 11.2, JPY: 163.5 };

export function rateOf(currency) {
  const name = currency.toUpperCase();
  return Object.hasOwn(perEuro, name) ? { base: 'EUR', currency: name, rate: perEuro[name] } : null;
}
