/** What of a file is there at run time: its syntax tree without types, comments and positions. */
import { isScript, parseSource } from './syntax.ts';

/** Exist at run time although TypeScript alone knows them. */
const lasting = new Set([
  'TSEnumDeclaration',
  'TSEnumBody',
  'TSEnumMember',
  'TSModuleDeclaration',
  'TSModuleBlock',
  'TSParameterProperty',
  'TSImportEqualsDeclaration',
  'TSExternalModuleReference',
  'TSExportAssignment',
]);

/** Stand around an expression and leave it what it is. */
const wrappers = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
]);

/** Fields that say nothing at run time, or where in the text a node stands. */
const silent = new Set([
  ...['start', 'end', 'range', 'loc', 'raw', 'comments', 'definite', 'readonly'],
  ...['accessibility', 'override', 'abstract', 'typeAnnotation', 'returnType', 'implements'],
  ...['typeParameters', 'typeArguments', 'superTypeArguments'],
]);

/** Equal for texts that do the same when they run; null when the text cannot be read. */
export function erased(path: string, text: string): string | null {
  if (!isScript(path)) return null;
  const parsed = parseSource(path, text);
  return parsed.kind === 'unreadable' ? null : JSON.stringify(bare(parsed.program));
}

function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare).filter((item) => item !== undefined);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  const node = value as Record<string, unknown>;
  const type = String(node.type ?? '');
  if (wrappers.has(type)) return bare(node.expression);
  if (type.startsWith('TS') && !lasting.has(type)) return undefined;
  if (node.declare === true || node.importKind === 'type' || node.exportKind === 'type') {
    return undefined;
  }
  const fields = Object.entries(node).filter(
    ([name]) => !silent.has(name) && !(name === 'optional' && isBinding(type)),
  );
  return Object.fromEntries(fields.map(([name, inner]) => [name, bare(inner)]));
}

/** `optional` is `x?: T` there, and `x?.y` elsewhere. */
function isBinding(type: string): boolean {
  return /^(Identifier|PropertyDefinition|MethodDefinition|\w+Pattern)$/.test(type);
}
