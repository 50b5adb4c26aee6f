// Tests of what programs read: errors inside of events, and error documents; and of tables in a narrow terminal.
import { stdout } from 'node:process';
import { expect, test, vi } from 'vitest';
import { CapacityError } from '../core/errors.ts';
import { clock, counted, moment, rate, table } from './format.ts';
import { createOutput, errorDocument } from './output.ts';

test('an event that carries an error says its code and message', () => {
  const write = vi.spyOn(stdout, 'write').mockReturnValue(true);
  createOutput(true).data({ kind: 'source', event: { kind: 'reconnecting', attempt: 1, error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) } });
  createOutput(true).data({ error: new Error('plain') });
  const printed = write.mock.calls.map(([text]) => JSON.parse(String(text)) as unknown);
  write.mockRestore();
  expect(printed).toEqual([{ kind: 'source', event: { kind: 'reconnecting', attempt: 1, error: { code: 'ECONNREFUSED', message: 'refused' } } }, { error: { message: 'plain' } }]);
});

test('error documents have the parts of the message, and of unknown errors the message alone', () => {
  expect(errorDocument(new CapacityError('FULL', { what: 'full', got: '9', expected: '8', todo: 'wait' }))).toEqual({ kind: 'error', type: 'capacity', code: 'FULL', message: 'full; got 9; expected 8; wait', what: 'full', got: '9', expected: '8', todo: 'wait' });
  expect(errorDocument('odd')).toEqual({ kind: 'error', type: 'internal', message: 'odd' });
});

test('the last column of a table is wrapped under itself', () => {
  const rows = [['a', 'what it does'], ['bb', 'one two three four five six']];
  expect(table(rows, 24)).toBe('a   what it does\n──  ────────────────────\nbb  one two three four\n    five six');
  expect(table(rows)).toBe('a   what it does\n──  ───────────────────────────\nbb  one two three four five six');
});

test('one is not many, and before the first frame is no time', () => {
  expect([counted(1, 'run'), counted(0, 'run'), counted(1200, 'run'), rate(1), rate(2.5)]).toEqual(['1 run', '0 runs', '1,200 runs', '1 frame/s', '2.5 frames/s']);
  expect([clock(0), clock(3605), clock(-1), moment(-1), moment(65)]).toEqual(['0:00', '1:00:05', '-:--', 'before the first frame', 'at 1:05']);
});
