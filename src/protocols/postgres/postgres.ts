/** PostgreSQL's protocol, version 3, as one of those that Fixpoint reads and answers. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import type { Detection, Peek, Protocol } from '../protocol.ts';
import { PostgresAnswerer } from './answerer.ts';
import { answerOf, type PgResult, queryOf } from './meaning.ts';
import { questionOf, valueText } from './question.ts';
import { PostgresReader } from './reader.ts';
import { PostgresTurns } from './turns.ts';

export const postgres: Protocol = {
  name: 'postgres',
  lasting: 'state',
  turns: () => new PostgresTurns(),
  detect,
  reader: (head, options) => new PostgresReader(head, options),
  onlyFrames,
  question: questionOf,
  answerer: (context) => new PostgresAnswerer(context),
  explain,
};

const port = 5432;

/**
 * A start-up packet is proof. In the middle of a connection, a message that is likely to be the
 * first of a cycle is taken for one if the server's first bytes look like its messages, too, or
 * nothing but the port is known.
 */
function detect(peek: Peek): Detection {
  if (peek.transport !== 'tcp') return 'no';
  const client = Buffer.from(peek.client.subarray(0, 8));
  if (client.length >= 8) {
    const code = client.readInt32BE(4);
    const length = client.readInt32BE(0);
    if ([80877102, 80877103, 80877104].includes(code) && length <= 300) return 'yes';
    if (code >> 16 === 3 && length >= 9 && length <= 10_000) return 'yes';
  } else if (client.length > 0 && client[0] === 0) return 'more';
  const server = Buffer.from(peek.server.subarray(0, 5));
  const asks = isMessage(client, 'QPBCDFS');
  const answers = isMessage(server, '123CDEIKNRSTZnstA');
  if (asks === 'yes' && answers === 'yes') return 'yes';
  if (asks === 'no' || answers === 'no') {
    const joined = peek.serverPort === port && (asks === 'yes' || answers === 'yes');
    return joined ? 'yes' : 'no';
  }
  return 'more';
}

/** A type and a length that a message of it may have. */
function isMessage(bytes: Buffer, types: string): Detection {
  if (bytes.length > 0 && !types.includes(String.fromCharCode(bytes[0]!))) return 'no';
  if (bytes.length < 5) return 'more';
  const length = bytes.readInt32BE(1);
  return length >= 4 && length < 1 << 24 ? 'yes' : 'no';
}

/** Sync, Flush and Terminate, which have no content. */
function onlyFrames(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return /^(?:[SHX]\0\0\0\x04)+$/.test(text);
}

function explain(exchange: Exchange): string[] {
  const query = queryOf(exchange);
  const answer = answerOf(exchange);
  const lines = [exchange.title];
  if (query?.sql != null) lines.push(...query.sql.split('\n').map((line) => `> ${line}`));
  query?.params.forEach((param, i) => {
    lines.push(`> $${i + 1} = ${valueText(param.value)}`);
  });
  for (const result of answer?.results ?? []) lines.push(...resultLines(result));
  for (const [code, value] of answer?.error?.fields ?? []) lines.push(`< error ${code}: ${value}`);
  if (exchange.end !== 'complete') lines.push(`(${exchange.end})`);
  return lines;
}

function resultLines(result: PgResult): string[] {
  const names = Array.isArray(result.columns) ? result.columns.map((column) => column.name) : [];
  const rows = result.rows.map((row) => {
    const cells = row.map((value, i) => `${names[i] ?? i + 1}=${valueText(value)}`);
    return `< ${cells.join(' ')}`;
  });
  return [...rows, `< ${result.tag ?? result.end}`];
}
