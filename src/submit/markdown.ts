/** Hostile text made safe in Markdown: it stays text, calls nobody and leads nowhere. */
import { redact } from '../domain/redact.ts';

const charsMax = 300;

/** One line of prose. Spans in backticks stay code, everything else loses its meaning. */
export function prose(text: string, max = charsMax): string {
  return cut(flat(text), max)
    .split(/(`[^`]*`)/)
    .map((part) => (/^`[^`]+`$/.test(part) ? code(part.slice(1, -1), max) : plain(part)))
    .join('');
}

/** The same for a cell of a table, where a bar would end it even inside code. */
export function cell(text: string, max = 160): string {
  return prose(text, max).replace(/(?<!\\)\|/g, '\\|');
}

/** A code span that its own text cannot leave. */
export function code(text: string, max = charsMax): string {
  const inner = cut(flat(text), max);
  if (inner === '') return '';
  const runs = [...inner.matchAll(/`+/g)].map((found) => found[0].length);
  const fence = '`'.repeat(Math.max(0, ...runs) + 1);
  const pad = /^`|`$/.test(inner) ? ' ' : '';
  return `${fence}${pad}${inner}${pad}${fence}`;
}

/** Redacted, on one line, without control characters or letters that change the direction. */
function flat(text: string): string {
  return redact(text)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Every sign that Markdown, HTML, or a forge's own links would read is taken out of its role. */
function plain(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\\*_{}[\]()|~`!]/g, '\\$&')
    .replace(/^([-+=]|\d+[.)])/, '\\$1')
    .replace(/^#/, '\\#')
    .replace(/@(?=\w)/g, '@\u200b')
    .replace(/([#!])(?=\d)/g, '$1\u200b')
    .replace(/:\/\//g, ':\u200b//')
    .replace(/www\./gi, 'www\u200b.');
}

function cut(text: string, max: number): string {
  const chars = [...text];
  return chars.length <= max ? text : `${chars.slice(0, max - 1).join('')}…`;
}
