/** Commands about issues: reading them, and having them reproduced, fixed and verified. */
import type { Command } from 'commander';
import type { Attempt, Fixed, Issue, IssueDetail, Reproduction } from '../../api/contract.ts';
import { CommandError, exitCodes } from '../client.ts';
import type { Context } from '../context.ts';
import { attemptPage } from '../pages/attempt.ts';
import { issuePage, reproductionText } from '../pages/issue.ts';
import { ago, oneLine, table } from '../terminal.ts';

export function issueCommands(program: Command, context: Context): void {
  program
    .command('issues')
    .description('what fails, last seen first')
    .option('--app <app>', 'only of this app')
    .option('--status <status>', 'only where they stand so: open, proposed, resolved ...')
    .action(async (options: { app?: string; status?: string }) => {
      const path = `/issues?${new URLSearchParams(options)}`;
      const answer = await (await context.client()).get<{ issues: Issue[] }>(path);
      context.answer(answer, issuesPage);
    });

  program
    .command('issue')
    .description('one issue on one page: what failed, the request, its calls, the fix, the proof')
    .argument('<id>', 'number of the issue', numberOf)
    .action(async (id: number) => {
      const detail = await (await context.client()).get<IssueDetail>(`/issues/${id}`);
      context.answer(detail, issuePage);
    });

  program
    .command('reproduce')
    .description('replay the failing request in the sandbox until it fails three times')
    .argument('<id>', 'number of the issue', numberOf)
    .action(async (id: number) => {
      const { progress } = context;
      const client = await context.client();
      const path = `/issues/${id}/reproduce`;
      const result = await client.stream<Reproduction>('POST', path, { progress });
      context.answer(result, (value) => reproductionText(value).join('\n'));
      if (result.kind !== 'reproduced') context.fail();
    });

  program
    .command('fix')
    .description('propose patches and verify them until one is proven')
    .argument('<id>', 'number of the issue', numberOf)
    .action(async (id: number) => {
      const { progress } = context;
      const client = await context.client();
      const result = await client.stream<Fixed>('POST', `/issues/${id}/fix`, { progress });
      context.answer(result, fixedPage);
      if (result.change === null) context.fail();
    });

  program
    .command('verify')
    .description("the verdict on anybody's patch, pushed as a branch")
    .argument('<id>', 'number of the issue', numberOf)
    .requiredOption('--branch <branch>', 'the branch that holds the patch')
    .action(async (id: number, { branch }: { branch: string }) => {
      const options = { body: { branch }, progress: context.progress };
      const client = await context.client();
      const result = await client.stream<Attempt>('POST', `/issues/${id}/verify`, options);
      const isProven = result.verdict?.kind === 'verified';
      const next = `\nProven. To take it: git push fixpoint ${branch}:<your default branch>`;
      context.answer(result, (attempt) => attemptPage(attempt).join('\n') + (isProven ? next : ''));
      if (!isProven) context.fail();
    });
}

/** A number, also as `#7`. */
export function numberOf(text: string): number {
  const number = Number(text.replace(/^#/, ''));
  if (Number.isInteger(number) && number > 0) return number;
  throw new CommandError(`"${oneLine(text)}" is not a number.`, exitCodes.usage, 'usage');
}

function issuesPage({ issues }: { issues: Issue[] }): string {
  if (issues.length === 0) return 'No issues.';
  const rows = issues.map((issue) => [
    `#${issue.id}`,
    issue.app,
    issue.status,
    `${issue.count}x`,
    ago(issue.lastSeenAt),
    issue.route ?? '',
    issue.title,
  ]);
  const heads = ['ISSUE', 'APP', 'STATUS', 'SEEN', 'LAST', 'ROUTE', 'WHAT'];
  return table(heads, rows, {
    2: (text) => (text === 'proposed' ? 'green' : text === 'open' ? 'red' : null),
  });
}

function fixedPage({ issue, change }: Fixed): string {
  if (change === null) {
    const reason = issue.reason === null ? '' : `: ${oneLine(issue.reason)}`;
    return `No proven fix for issue ${issue.id} (${issue.status}${reason})`;
  }
  return [
    `Change request ${change.id} for issue ${issue.id}: ${oneLine(change.title)}`,
    `Look at it with "fixpoint change ${change.id}", merge it with "fixpoint merge ${issue.id}".`,
  ].join('\n');
}
