/** An app's answer as it may be stored and shown: cut, and without secrets. */
import type { AnswerText } from '../domain/fix.ts';
import type { Answer } from '../domain/outcome.ts';
import { redact } from '../domain/redact.ts';

const bodyCharactersMax = 2_000;

export function answerTextOf(answer: Answer | null): AnswerText | null {
  if (answer === null) return null;
  const text = redact(new TextDecoder().decode(answer.body));
  const cut = text.length > bodyCharactersMax ? `${text.slice(0, bodyCharactersMax)} …` : text;
  return { status: answer.status, body: cut };
}
