/** Reads test names and results out of what test runners print: node:test, TAP, Jest, Vitest,
 * Mocha, pytest and go test. What cannot be read leaves the exit status to judge by. */

export type TestResult = 'pass' | 'fail' | 'skip';

/** Names of tests are shorter; what tests print may be anything. */
const lineCharsMax = 2000;

const marks: { pattern: RegExp; result: TestResult | ((found: RegExpMatchArray) => TestResult) }[] =
  [
    // TAP (testanything.org): `ok 1 - name # SKIP reason`
    { pattern: /^\s*ok \d+ -? ?(.+?)(?: # time=.*)?$/i, result: skipOr('pass') },
    { pattern: /^\s*not ok \d+ -? ?(.+?)(?: # time=.*)?$/i, result: skipOr('fail') },
    // spec-like reporters of node:test, Mocha, Jest, Vitest, AVA
    { pattern: /^\s*[✔✓√] (.+)$/u, result: skipOr('pass') },
    { pattern: /^\s*[✖✗✕×] (.+)$/u, result: skipOr('fail') },
    { pattern: /^\s*[﹣↓○] (.+)$/u, result: 'skip' },
    { pattern: /^\s*PASS (\S+)/, result: 'pass' },
    { pattern: /^\s*FAIL (\S+)/, result: 'fail' },
    // pytest -v
    { pattern: /^(\S+::.+?) PASSED\b/, result: 'pass' },
    { pattern: /^(\S+::.+?) (?:FAILED|ERROR)\b/, result: 'fail' },
    { pattern: /^(\S+::.+?) (?:SKIPPED|XFAIL)\b/, result: 'skip' },
    // go test -v
    { pattern: /^\s*--- PASS: (\S+)/, result: 'pass' },
    { pattern: /^\s*--- FAIL: (\S+)/, result: 'fail' },
    { pattern: /^\s*--- SKIP: (\S+)/, result: 'skip' },
  ];

/**
 * Results by test name. A name that occurs several times is counted (`name #2`), so that one
 * of them vanishing is noticed; durations are taken off the names.
 */
export function testResults(output: string): Map<string, TestResult> {
  const results = new Map<string, TestResult>();
  const seen = new Map<string, number>();
  for (const whole of stripColours(output).split('\n')) {
    const line = whole.slice(0, lineCharsMax);
    // node:test repeats its failures after this line; they are the same tests.
    if (/^✖ failing tests:/.test(line)) break;
    for (const { pattern, result } of marks) {
      const found = line.match(pattern);
      if (found === null) continue;
      const name = bareName(found[1] ?? '');
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      const label = times === 1 ? name : `${name} #${times}`;
      results.set(label, typeof result === 'function' ? result(found) : result);
      break;
    }
  }
  return results;
}

function skipOr(result: TestResult): (found: RegExpMatchArray) => TestResult {
  return (found) => (/# (SKIP|TODO)\b/i.test(found[0]) ? 'skip' : result);
}

function bareName(text: string): string {
  return text
    .replace(/ # (SKIP|TODO)\b.*$/i, '')
    .replace(/\s+\(?\d+(?:\.\d+)?\s?m?s\)?\s*$/, '')
    .trim();
}

function stripColours(text: string): string {
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}
