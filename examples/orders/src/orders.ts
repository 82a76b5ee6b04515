import type { Pool } from 'pg';

export interface Customer {
  name: string;
  email: string;
}

export interface Order {
  id: number;
  totalCents: number;
  status: string;
  customer: Customer;
}

export interface Orders {
  find(id: number): Promise<Order | undefined>;
  add(order: { customerId: number | null; totalCents: number }): Promise<number>;
}

export function ordersIn(pool: Pool): Orders {
  return {
    async find(id) {
      const { rows } = await pool.query<Order>(
        `SELECT o.id, o.total_cents AS "totalCents", o.status, row_to_json(c) AS customer
           FROM orders o
           LEFT JOIN customers c ON c.id = o.customer_id
          WHERE o.id = $1`,
        [id],
      );
      return rows[0];
    },

    async add({ customerId, totalCents }) {
      const { rows } = await pool.query<{ id: number }>(
        'INSERT INTO orders (customer_id, total_cents) VALUES ($1, $2) RETURNING id',
        [customerId, totalCents],
      );
      return rows[0]!.id;
    },
  };
}
