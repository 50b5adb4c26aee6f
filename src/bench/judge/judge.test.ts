// Tests of the judges: parsing of verdicts, retries, time-outs, concurrency, and the cache that asks nothing twice.
import { createServer, type Server } from 'node:http';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createChatJudge, type ChatJudgeOptions } from './chat-judge.ts';
import { matchJudge } from './match-judge.ts';
import { parseJudgement } from './parse-judgement.ts';

const asked = { question: 'What is it?', answers: ['a dog'], prediction: 'a puppy' };
const never = new AbortController().signal;

describe('a verdict is read from', () => {
  test.each([
    ["{'llama_pred': 'yes', 'score': 4}", true, 4],
    ['{"llama_pred": "no", "score": 0}', false, 0],
    ["```python\n{'llama_pred': 'Yes', 'score': 4.8}\n```", true, 4.8],
    ["Sure! {'score': 5, 'llama_pred': 'yes'} Hope that helps.", true, 5],
    ["{'llama_pred': 'yes', 'score': 4} {'llama_pred': 'yes', 'score': 4}", true, 4],
    ['{‘llama_pred’: ‘no’, ‘score’: 1,}', false, 1],
  ])('%s', (reply, correct, score) => {
    expect(parseJudgement(reply)).toEqual({ kind: 'judged', correct, score });
  });
});

describe('unscored is', () => {
  test.each([
    [''],
    ['yes, 5'],
    ["{'llama_pred': 'maybe', 'score': 3}"],
    ["{'llama_pred': 'yes'}"],
    ["{'score': 3}"],
    ["{'llama_pred': 'yes', 'score': '4'}"],
    ["{'llama_pred': 'yes', 'score': 7}"],
    ["{'llama_pred': 'yes', 'score': -1}"],
    ["{'llama_pred': 'yes', 'score': 4} {'llama_pred': 'no', 'score': 1}"],
    ["{'llama_pred': 'yes', 'score': 4"],
  ])('%s', (reply) => {
    expect(parseJudgement(reply).kind).toBe('unscored');
  });
});

test('without a model, a match is the judge: right is 5, wrong is 0', async () => {
  expect(await matchJudge('normalised').judge({ ...asked, prediction: 'The dog!' }, never)).toEqual({ kind: 'judged', correct: true, score: 5 });
  expect(await matchJudge('exact').judge({ ...asked, prediction: 'The dog!' }, never)).toEqual({ kind: 'judged', correct: false, score: 0 });
});

describe('a chat model as the judge', () => {
  let folder: string;
  let server: Server;
  let requests: { body: { model: string; messages: { content: string }[] }; authorization: string | undefined }[];
  let reply: (count: number) => { status?: number; content?: string; body?: string; afterMs?: number };
  let underWay: number;
  let most: number;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'judge-'));
    requests = [];
    underWay = most = 0;
    reply = () => ({ content: "{'llama_pred': 'yes', 'score': 4}" });
    server = createServer((request, response) => {
      most = Math.max(most, ++underWay);
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        requests.push({ body: JSON.parse(text) as never, authorization: request.headers.authorization });
        const { status = 200, content, body, afterMs = 0 } = reply(requests.length);
        setTimeout(() => {
          underWay--;
          response.writeHead(status, { 'content-type': 'application/json' }).end(body ?? JSON.stringify({ choices: [{ message: { content } }] }));
        }, afterMs);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  const create = (options: Partial<ChatJudgeOptions> = {}) =>
    createChatJudge({
      address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`,
      model: 'judge-1',
      cacheFile: path.join(folder, 'replies.jsonl'),
      backoffMs: 1,
      retries: 2,
      ...options,
    });

  test('question, right answer and prediction reach the model, and its verdict comes back', async () => {
    const judge = await create({ apiKey: 'secret' });
    expect(await judge.judge(asked, never)).toEqual({ kind: 'judged', correct: true, score: 4 });
    const said = requests[0]!.body.messages.map((message) => message.content).join('\n');
    for (const part of ['What is it?', 'a dog', 'a puppy', 'llama_pred']) expect(said).toContain(part);
    expect(requests[0]).toMatchObject({ body: { model: 'judge-1', temperature: 0 }, authorization: 'Bearer secret' });
    await judge.close();
  });

  test('a resumed run asks nothing twice, and unparseable replies are kept as they are', async () => {
    reply = () => ({ content: 'hard to say' });
    const first = await create();
    expect((await first.judge(asked, never)).kind).toBe('unscored');
    await first.close();
    const second = await create();
    expect((await second.judge(asked, never)).kind).toBe('unscored');
    await second.judge({ ...asked, prediction: 'a cat' }, never);
    await second.close();
    expect(requests).toHaveLength(2);
  });

  test('a cut-off line in the cache costs that one question and no other', async () => {
    const file = path.join(folder, 'replies.jsonl');
    const first = await create();
    for (const prediction of ['one', 'two']) await first.judge({ ...asked, prediction }, never);
    await first.close();
    await truncate(file, (await readFile(file)).length - 10);
    const second = await create();
    for (const prediction of ['one', 'two']) await second.judge({ ...asked, prediction }, never);
    await second.close();
    expect(requests).toHaveLength(3);
    const third = await create();
    for (const prediction of ['one', 'two']) await third.judge({ ...asked, prediction }, never);
    await third.close();
    expect(requests).toHaveLength(3);
  });

  test('busy servers and garbled bodies are asked again', async () => {
    reply = (count) =>
      count === 1 ? { status: 503, content: '' } : count === 2 ? { body: '{"choices": []}' } : { content: "{'llama_pred': 'no', 'score': 1}" };
    const judge = await create();
    expect(await judge.judge(asked, never)).toEqual({ kind: 'judged', correct: false, score: 1 });
    expect(requests).toHaveLength(3);
    await judge.close();
  });

  test('a refusal is not repeated, and a judge out of reach is an error, not a wrong answer', async () => {
    reply = () => ({ status: 401, content: '' });
    const judge = await create();
    await expect(judge.judge(asked, never)).rejects.toMatchObject({ code: 'JUDGE_FAILED' });
    expect(requests).toHaveLength(1);
    reply = () => ({ status: 500, content: '' });
    await expect(judge.judge(asked, never)).rejects.toMatchObject({ code: 'JUDGE_FAILED' });
    expect(requests).toHaveLength(4);
    await judge.close();
  });

  test('a reply that does not come in time is asked for again', async () => {
    reply = (count) => (count === 1 ? { afterMs: 400, content: 'late' } : { content: "{'llama_pred': 'yes', 'score': 5}" });
    const judge = await create({ timeoutMs: 100 });
    expect(await judge.judge(asked, never)).toMatchObject({ kind: 'judged', score: 5 });
    await judge.close();
  });

  test('no more requests are under way than allowed', async () => {
    reply = () => ({ afterMs: 10, content: "{'llama_pred': 'yes', 'score': 5}" });
    const judge = await create({ concurrency: 2 });
    await Promise.all(Array.from({ length: 8 }, (_, index) => judge.judge({ ...asked, prediction: String(index) }, never)));
    expect(most).toBe(2);
    await judge.close();
  });

  test('an abort ends the wait', async () => {
    reply = () => ({ afterMs: 2000, content: '' });
    const abort = new AbortController();
    const judge = await create();
    const waiting = judge.judge(asked, abort.signal);
    setTimeout(() => abort.abort(), 20);
    await expect(waiting).rejects.toThrow(/abort/i);
    await judge.close();
  });

  test('an address that is no URL is refused at once', async () => {
    await expect(create({ address: 'localhost' })).rejects.toMatchObject({ code: 'INVALID_JUDGE' });
  });
});
