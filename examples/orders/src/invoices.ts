import type { Pool } from 'pg';
import type { Order } from './orders.ts';

export interface Invoice {
  orderId: number;
  billTo: string;
  currency: string;
  amountCents: number;
  /** A day, `2026-12-24`. */
  dueOn: string;
}

export interface Invoices {
  add(invoice: Invoice): Promise<number>;
}

const daysToPay = 14;

export function draftInvoice(order: Order, price: { currency: string; perEuro: number }): Invoice {
  const due = new Date(Date.now() + daysToPay * 86_400_000);
  return {
    orderId: order.id,
    billTo: order.customer.email.toLowerCase(),
    currency: price.currency,
    amountCents: Math.round(order.totalCents * price.perEuro),
    dueOn: due.toISOString().slice(0, 10),
  };
}

export function invoicesIn(pool: Pool): Invoices {
  return {
    async add(invoice) {
      const { rows } = await pool.query<{ id: number }>(
        `INSERT INTO invoices (order_id, bill_to, currency, amount_cents, due_on)
         VALUES ($1, $2, $3, $4, $5)
         RETURNING id`,
        [invoice.orderId, invoice.billTo, invoice.currency, invoice.amountCents, invoice.dueOn],
      );
      return rows[0]!.id;
    },
  };
}
