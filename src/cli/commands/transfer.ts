/** Commands that write recordings to files and read them back. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Imported } from '../../api/contract.ts';
import { CommandError, exitCodes } from '../client.ts';
import type { Context } from '../context.ts';
import { jsonText, size, table } from '../terminal.ts';

const formats = ['har', 'portable'] as const;

interface ExportOptions {
  format: string;
  output?: string;
  withSecrets?: boolean;
}

export function transferCommands(record: Command, context: Context): void {
  record
    .command('export')
    .description('write a recording to a file, for other tools or another server')
    .argument('<id>', 'or the beginning of one')
    .option('--format <format>', 'har (HTTP exchanges, redacted) or portable (all of it)', 'har')
    .option('-o, --output <file>', 'where to; a portable one needs a file')
    .option('--with-secrets', 'a portable file holds what was recorded, secrets too: say so')
    .action((id: string, options: ExportOptions) => exportOne(id, options, context));

  record
    .command('import')
    .description('take in a portable file that another server wrote')
    .argument('<file>')
    .option('--app <app>', 'put it under this app')
    .action(async (file: string, { app }: { app?: string }) => {
      const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
        throw new CommandError(`${file} cannot be read: ${error.code}`, exitCodes.failed, 'file');
      });
      const query = app === undefined ? '' : `?${new URLSearchParams({ app })}`;
      const client = await context.client();
      context.answer(await client.upload<Imported>(`/recordings/import${query}`, bytes), page);
    });
}

async function exportOne(id: string, options: ExportOptions, context: Context): Promise<void> {
  const { format, output, withSecrets } = options;
  const usage = (text: string) => new CommandError(text, exitCodes.usage, 'usage');
  if (!formats.some((each) => each === format)) {
    throw usage(`--format is ${formats.join(' or ')}, not ${format}`);
  }
  const isPortable = format === 'portable';
  if (isPortable && withSecrets !== true) {
    throw usage(
      'A portable file holds everything as it was recorded, secrets and personal data too. ' +
        'Say --with-secrets when that is what you want.',
    );
  }
  if (isPortable && output === undefined) throw usage('Name a file: -o FILE.');
  const client = await context.client();
  const path = `/recordings/${encodeURIComponent(id)}/${format}`;
  const bytes = isPortable
    ? await client.bytes(path)
    : Buffer.from(`${jsonText(await client.get<object>(path))}\n`);
  if (output === undefined) {
    process.stdout.write(bytes);
    return;
  }
  await writeFile(output, bytes, { mode: 0o600 });
  const written = { file: output, format, bytes: bytes.length };
  context.answer(written, () => `${output}: ${size(bytes.length)}, ${format}`);
}

function page({ recordings }: Imported): string {
  const rows = recordings.map(({ id, app, known, replayable }) => [
    id,
    app,
    known ? 'was here already' : 'taken in',
    replayable ? '' : 'its release is not here: it can be shown, not replayed',
  ]);
  return table(['ID', 'APP', '', ''], rows);
}
