import { Pool } from 'pg';

export function connect(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 5 });
  pool.on('error', (error) => console.error('idle database connection failed', error));
  return pool;
}

/** Makes what is missing, so that a new deployment needs no separate step. */
export async function migrate(pool: Pool): Promise<void> {
  await pool.query(`
    CREATE TABLE IF NOT EXISTS customers (
      id serial PRIMARY KEY,
      name text NOT NULL,
      email text NOT NULL UNIQUE
    );
    CREATE TABLE IF NOT EXISTS orders (
      id serial PRIMARY KEY,
      customer_id int REFERENCES customers (id) ON DELETE SET NULL,
      total_cents int NOT NULL CHECK (total_cents > 0),
      status text NOT NULL DEFAULT 'open'
    );
    CREATE TABLE IF NOT EXISTS invoices (
      id serial PRIMARY KEY,
      order_id int NOT NULL REFERENCES orders (id),
      bill_to text,
      currency text NOT NULL,
      amount_cents int NOT NULL,
      due_on date NOT NULL
    );
  `);
  const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM customers');
  if (Number(rows[0]?.count) > 0) return;
  await pool.query(`
    INSERT INTO customers (name, email) VALUES
      ('Ada Lovelace', 'Ada@Example.com'),
      ('Grace Hopper', 'grace@example.com');
    INSERT INTO orders (customer_id, total_cents) VALUES (1, 4200), (2, 1999), (1, 750);
  `);
}
