// Worker calls: results, streamed replies, aborts, errors with their class, and a death that is noticed.
import { afterAll, describe, expect, it } from 'vitest';
import { CapacityError } from '../core/errors.ts';
import type { EchoService } from './worker.fixture.ts';
import { startWorker } from './worker.ts';

const client = startWorker<EchoService>(new URL('./worker.fixture.ts', import.meta.url), 'echo');
afterAll(() => client[Symbol.asyncDispose]());

describe('worker calls', () => {
  it('answer with the result, buffers moved', async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const result = await client.call('double', bytes, { transfer: [bytes.buffer] });
    expect([...result]).toEqual([2, 4, 6]);
    expect(bytes.length).toBe(0);
  });

  it('stream replies before the result', async () => {
    const seen: number[] = [];
    expect(await client.call('count', 3, { onReply: (n) => seen.push(n) })).toBe(3);
    expect(seen).toEqual([0, 1, 2]);
  });

  it('stop when the caller aborts', async () => {
    const controller = new AbortController();
    const call = client.call('count', 1e9, { signal: controller.signal, onReply: () => controller.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(await client.call('count', 1)).toBe(1);
  });

  it('keep the class and the parts of an error', async () => {
    const error = await client.call('fail', 'CAPACITY').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CapacityError);
    expect(error).toMatchObject({ code: 'CAPACITY', kind: 'capacity', parts: { what: 'too much', got: '9' } });
  });

  it('reject when the thread dies', async () => {
    const doomed = startWorker<EchoService>(new URL('./worker.fixture.ts', import.meta.url), 'doomed');
    await expect(doomed.call('die', undefined)).rejects.toMatchObject({ code: 'WORKER_DIED' });
    await expect(doomed.call('count', 1)).rejects.toMatchObject({ code: 'WORKER_DIED' });
    await expect(doomed.exited).rejects.toMatchObject({ code: 'WORKER_DIED' });
  });
});
