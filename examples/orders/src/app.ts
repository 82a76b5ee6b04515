import express from 'express';
import { draftInvoice, type Invoices } from './invoices.ts';
import type { Orders } from './orders.ts';
import type { Rates } from './rates.ts';

export interface Services {
  orders: Orders;
  invoices: Invoices;
  rates: Rates;
}

export function createApp({ orders, invoices, rates }: Services): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(express.json());

  app.get('/health', (_req, res) => {
    res.json({ ok: true });
  });

  app.get('/orders/:id', async (req, res) => {
    const order = await orders.find(Number(req.params.id));
    if (!order) {
      res.status(404).json({ error: 'no such order' });
      return;
    }
    res.json(order);
  });

  app.post('/orders', async (req, res) => {
    const { customerId, totalCents } = req.body ?? {};
    if (!Number.isInteger(totalCents) || totalCents <= 0) {
      res.status(400).json({ error: 'totalCents must be a positive integer' });
      return;
    }
    const id = await orders.add({ customerId: customerId ?? null, totalCents });
    res.status(201).json({ id });
  });

  app.post('/orders/:id/invoices', async (req, res) => {
    const order = await orders.find(Number(req.params.id));
    if (!order) {
      res.status(404).json({ error: 'no such order' });
      return;
    }
    const currency = String(req.body?.currency ?? 'EUR').toUpperCase();
    const perEuro = await rates.perEuro(currency);
    if (perEuro === undefined) {
      res.status(422).json({ error: `no rate for ${currency}` });
      return;
    }
    const invoice = draftInvoice(order, { currency, perEuro });
    const id = await invoices.add(invoice);
    res.status(201).json({ id, ...invoice });
  });

  return app;
}
