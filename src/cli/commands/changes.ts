/** Commands about change requests: reading, merging and closing them. */
import type { Command } from 'commander';
import type { Change, ChangeDetail, Merged } from '../../api/contract.ts';
import { CommandError, exitCodes } from '../client.ts';
import type { Context } from '../context.ts';
import { attemptPage } from '../pages/attempt.ts';
import { ago, block, clean, oneLine, paint, table } from '../terminal.ts';
import { numberOf } from './issues.ts';

export function changeCommands(program: Command, context: Context): void {
  program
    .command('changes')
    .description('the change requests, newest first')
    .option('--app <app>', 'only of this app')
    .option('--status <status>', 'open, merged or closed')
    .action(async (options: { app?: string; status?: string }) => {
      const path = `/changes?${new URLSearchParams(options)}`;
      const answer = await (await context.client()).get<{ changes: Change[] }>(path);
      context.answer(answer, changesPage);
    });

  program
    .command('change')
    .description('one change request with its diff and its proof')
    .argument('<id>', 'number of the change request', numberOf)
    .action(async (id: number) => {
      const detail = await (await context.client()).get<ChangeDetail>(`/changes/${id}`);
      context.answer(detail, changePage);
    });

  program
    .command('merge')
    .description("merge an issue's change request and deploy it")
    .argument('[issue]', 'number of the issue', numberOf)
    .option('--change <id>', 'number of the change request, instead of the issue', numberOf)
    .action(async (issue: number | undefined, options: { change?: number }) => {
      if ((issue === undefined) === (options.change === undefined)) {
        const text =
          'Name either the issue ("merge 7") or the change request ("merge --change 3").';
        throw new CommandError(text, exitCodes.usage, 'usage');
      }
      const what = issue === undefined ? `changes/${options.change}` : `issues/${issue}`;
      const client = await context.client();
      const { progress } = context;
      const result = await client.stream<Merged>('POST', `/${what}/merge`, { progress });
      context.answer(result, mergedPage);
      const deployed = result.kind === 'merged' && isDeployed(result);
      if (!deployed) context.fail();
    });

  program
    .command('close')
    .description('close a change request without merging it')
    .argument('<id>', 'number of the change request', numberOf)
    .option('--comment <text>', 'why', '')
    .action(async (id: number, { comment }: { comment: string }) => {
      const client = await context.client();
      const path = `/changes/${id}/close`;
      const answer = await client.send<{ change: Change }>('POST', path, { comment });
      context.answer(answer, ({ change }) => `Change request ${change.id} is ${change.status}.`);
    });
}

function isDeployed(result: Extract<Merged, { kind: 'merged' }>): boolean {
  return result.deployment === null || result.deployment.status === 'serving';
}

function changesPage({ changes }: { changes: Change[] }): string {
  if (changes.length === 0) return 'No change requests.';
  const rows = changes.map((change) => [
    String(change.id),
    change.app,
    `#${change.issueId}`,
    change.status,
    ago(change.createdAt),
    change.branch,
    change.title,
  ]);
  return table(['CHANGE', 'APP', 'ISSUE', 'STATUS', 'OPENED', 'BRANCH', 'WHAT'], rows, {
    3: (text) => (text === 'open' ? 'green' : null),
  });
}

function changePage({ change, issue, attempt }: ChangeDetail): string {
  const open = change.status === 'open' ? `; merge it with "fixpoint merge ${issue.id}"` : '';
  return [
    paint('bold', `Change request ${change.id}: ${oneLine(change.title)}`),
    `${change.app}, ${change.status}, branch ${oneLine(change.branch)} at ` +
      `${change.commit.slice(0, 10)}${open}`,
    `For issue #${issue.id}: ${oneLine(issue.title)}`,
    '',
    ...block(clean(change.body).split('\n'), '  ', 60),
    '',
    ...(attempt === null ? [] : attemptPage(attempt)),
  ].join('\n');
}

function mergedPage(result: Merged): string {
  const name = `Change request ${result.change.id}`;
  if (result.kind === 'not-open') return `${name} is ${result.change.status}, not open.`;
  if (result.kind === 'conflict') {
    return [`${name} conflicts with the branch in:`, ...result.files.map(oneLine)].join('\n  ');
  }
  const { commit, deployment } = result;
  const merged = `${name} is merged as ${commit.slice(0, 10)}.`;
  if (deployment === null) return merged;
  const reason = deployment.reason === null ? '' : `: ${oneLine(deployment.reason)}`;
  const release = deployment.releaseNumber === null ? '' : ` (release ${deployment.releaseNumber})`;
  return `${merged}\nDeployment ${deployment.id} is ${deployment.status}${release}${reason}`;
}
