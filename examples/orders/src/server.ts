import { createApp } from './app.ts';
import { connect, migrate } from './database.ts';
import { invoicesIn } from './invoices.ts';
import { ordersIn } from './orders.ts';
import { ratesAt } from './rates.ts';

const { DATABASE_URL, RATES_URL, PORT = '3000' } = process.env;
if (!DATABASE_URL || !RATES_URL) throw new Error('DATABASE_URL and RATES_URL must be set');

const pool = connect(DATABASE_URL);
await migrate(pool);

const app = createApp({
  orders: ordersIn(pool),
  invoices: invoicesIn(pool),
  rates: ratesAt(RATES_URL),
});
const server = app.listen(Number(PORT), () => console.log(`orders listening on ${PORT}`));

process.on('SIGTERM', () => {
  server.close(() => pool.end());
});
