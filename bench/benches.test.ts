// What programs read of a benchmark: its last line.
import { describe, expect, it } from 'vitest';
import { figureLines, median } from './figures.ts';

describe('the last line of a benchmark', () => {
  it('is one JSON object with value, unit and ratio of every figure', () => {
    const lines = figureLines('sleep', {
      asleep: { value: 1234.56, unit: 'ms', ratio: 1.00049, against: 'of awake' },
      dreams: { value: 0.0123456, unit: '1/s', ratio: 0 },
    });
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      bench: 'sleep',
      figures: {
        asleep: { value: 1235, unit: 'ms', ratio: 1 },
        dreams: { value: 0.01235, unit: '1/s', ratio: 0 },
      },
    });
    expect(lines.slice(0, -1)).toEqual([
      'asleep     1235  ms   x1  of awake',
      'dreams  0.01235  1/s  x0',
    ]);
  });

  it('is not printed for what was not measured', () => {
    const figures = { rate: { value: 1, unit: '1/s', ratio: 0 / 0 } };
    expect(() => figureLines('broken', figures)).toThrow('broken: rate is not a number');
    expect(() => median([])).toThrow('nothing');
  });
});

describe('a median', () => {
  it('is the middle by size, and leaves its input alone', () => {
    const values = [30, 4, 100];
    expect(median(values)).toBe(30);
    expect(values).toEqual([30, 4, 100]);
  });
});
