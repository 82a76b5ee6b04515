/** A branch answers and goes on: the missing `return` after it. */
import type { Draft } from '../draft.ts';
import { leaves, responseAt } from '../exits.ts';
import { answers } from '../place.ts';
import type { Frame } from '../site.ts';
import { ancestorsOf, child, findAll, indentAt, lineOf, list } from '../tree.ts';

/** Needs no exact place: the second answer's function is enough. */
export function answeredTwice(frames: readonly Frame[]): Draft[] {
  for (const { tree, offset, running } of frames) {
    const inside = findAll(running, (n) => n.start <= offset && offset < n.end).at(-1) ?? running;
    const response = responseAt(tree, inside);
    if (response === null) continue;
    const branches = findAll(running, (n) => n.type === 'IfStatement' && n.end <= offset)
      .filter((n) => child(n, 'alternate') === undefined)
      .map((n) => child(n, 'consequent'))
      .filter((body) => body !== undefined && !leaves(body));
    const drafts = branches.flatMap((body) => {
      const last = body?.type === 'BlockStatement' ? list(body, 'body').at(-1) : undefined;
      if (last === undefined || !answers(last, response)) return [];
      if (ancestorsOf(tree, last).find((a) => a === running) === undefined) return [];
      const text = `\n${indentAt(tree, last.start)}return${tree.style.semicolon}`;
      return [
        {
          template: 'missing-return',
          tree,
          changes: [{ start: last.end, end: last.end, text }],
          explanation: `Ends here: line ${lineOf(tree, last.start)} has answered already.`,
          score: 5,
        },
      ];
    });
    if (drafts.length > 0) return drafts;
  }
  return [];
}
