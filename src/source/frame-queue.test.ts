// Tests of the bounded queue.
import { expect, test } from 'vitest';
import { createFrameQueue } from './frame-queue.ts';

test('with `wait` a full queue holds the producer until there is room', async () => {
  const queue = createFrameQueue<number>({ capacity: 2, whenFull: 'wait' });
  const order: string[] = [];
  const producing = (async () => {
    for (let item = 0; item < 4; item++) {
      await queue.push(item);
      order.push(`in ${item}`);
    }
    queue.end();
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(['in 0', 'in 1']);
  const taken: (number | undefined)[] = [];
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) taken.push(item);
  await producing;
  expect(taken).toEqual([0, 1, 2, 3]);
});

test('with `drop-oldest` the newest stay, and each loss is told', async () => {
  const dropped: number[] = [];
  const queue = createFrameQueue<number>({ capacity: 2, whenFull: 'drop-oldest', onDrop: (item) => dropped.push(item) });
  for (let item = 0; item < 5; item++) await queue.push(item);
  expect(dropped).toEqual([0, 1, 2]);
  expect([await queue.take(), await queue.take(), queue.length]).toEqual([3, 4, 0]);
});

test('a failure comes after the items before it', async () => {
  const queue = createFrameQueue<number>({ capacity: 2, whenFull: 'wait' });
  await queue.push(1);
  queue.fail(new Error('broken'));
  expect(await queue.take()).toBe(1);
  await expect(queue.take()).rejects.toThrow('broken');
});

test('clearing frees a producer and a consumer that wait', async () => {
  const full = createFrameQueue<number>({ capacity: 1, whenFull: 'wait' });
  await full.push(1);
  const producer = full.push(2);
  const empty = createFrameQueue<number>({ capacity: 1, whenFull: 'wait' });
  const consumer = empty.take();
  full.clear();
  empty.clear();
  await producer;
  expect([full.length, await consumer, await full.take()]).toEqual([0, undefined, undefined]);
});
