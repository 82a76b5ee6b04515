/** Commands about recordings: the list, and one as text. */
import type { Command } from 'commander';
import type { Exchange, Recording, RecordingText } from '../../api/contract.ts';
import { isoOf } from '../../api/contract.ts';
import type { Context } from '../context.ts';
import { timeline } from '../pages/timeline.ts';
import { ago, block, oneLine, paint, size, table } from '../terminal.ts';
import { transferCommands } from './transfer.ts';

export function recordingCommands(program: Command, context: Context): void {
  program
    .command('recordings')
    .description('what was recorded, newest first')
    .option('--app <app>', 'only of this app')
    .option('--kind <kind>', 'boot, failure or sample')
    .option('--route <route>', 'only of this route, "GET /orders/:id" say')
    .option('-n, --limit <count>', 'how many', '50')
    .action(async (options: Record<string, string>) => {
      const client = await context.client();
      const { app, kind, route, limit } = options;
      const given = Object.entries({ app, kind, route, limit }).filter(([, value]) => value);
      const query = new URLSearchParams(given as [string, string][]);
      const answer = await client.get<{ recordings: Recording[] }>(`/recordings?${query}`);
      context.answer(answer, recordingsPage);
    });

  const record = program.command('record').description('one recording');
  record
    .command('show')
    .description('print a recording as text, its secrets taken away')
    .argument('<id>', 'or the beginning of one')
    .action(async (id: string) => {
      const path = `/recordings/${encodeURIComponent(id)}`;
      context.answer(await (await context.client()).get<RecordingText>(path), recordingPage);
    });
  transferCommands(record, context);
}

/** Characters of an id that tell it from others; commands take the beginning of one. */
const shortId = 8;

function recordingsPage({ recordings }: { recordings: Recording[] }): string {
  if (recordings.length === 0) return 'No recordings.';
  const rows = recordings.map((one) => [
    one.id.slice(0, shortId),
    one.kind,
    one.app,
    String(one.releaseNumber),
    ago(one.from),
    size(one.storedBytes),
    one.completeness.reasons.length === 0 ? 'whole' : 'gaps',
    one.route ?? '',
  ]);
  const heads = ['ID', 'KIND', 'APP', 'RELEASE', 'FROM', 'STORED', 'BYTES', 'ROUTE'];
  return table(heads, rows);
}

function recordingPage({ recording, trigger, calls, others, log, exit }: RecordingText): string {
  const { completeness } = recording;
  const whole = completeness.reasons.length === 0;
  const held = `${size(completeness.seenBytes)} of ${size(completeness.totalBytes)} held`;
  const lines = [
    paint('bold', `Recording ${recording.id}: ${recording.kind} of ${recording.app}`),
    `Release ${recording.releaseNumber}, ${isoOf(recording.from)} to ${isoOf(recording.to)}`,
    whole ? held : `${held}: ${completeness.reasons.map(oneLine).join(', ')}`,
  ];
  const { causality } = recording;
  if (causality !== 'exact') {
    lines.push('Other requests were in flight: some calls may belong to them.');
  }
  if (causality === 'ambiguous') {
    lines.push(
      'Some ask the same and were answered differently: whose answer is whose is not known.',
    );
  }
  if (trigger) lines.push('', ...exchangeLines('REQUEST', trigger));
  if (calls.length > 0) lines.push('', paint('bold', 'CALLS'), ...timeline(trigger, calls));
  for (const call of calls) lines.push('', ...exchangeLines('CALL', call));
  for (const other of others) lines.push('', ...exchangeLines('ALSO', other));
  if (log.length > 0) {
    lines.push('', paint('bold', 'LOG'));
    lines.push(
      ...block(
        log.map((line) => `${line.stream}: ${line.text}`),
        '  ',
        200,
      ),
    );
  }
  if (exit) {
    lines.push('', `The process ended: code ${exit.code}, signal ${exit.signal}`);
  }
  return lines.join('\n');
}

function exchangeLines(head: string, exchange: Exchange): string[] {
  const whole = exchange.end === 'complete' ? '' : ` (${exchange.end})`;
  return [
    `${paint('bold', head)}  ${oneLine(exchange.title)}${whole}`,
    ...block(exchange.lines, '  ', 100),
  ];
}
