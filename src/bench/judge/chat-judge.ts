// A chat model as the judge, at any OpenAI-compatible address (StreamBench's protocol).
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf, ModelError, UserError } from '../../core/errors.ts';
import { createGate } from '../run/pool.ts';
import type { Judge, JudgeRequest } from './judge.ts';
import { parseJudgement } from './parse-judgement.ts';
import { openReplyCache, replyKey, type ReplyCache } from './reply-cache.ts';

/** Address and model of a judge, and how patiently it is asked. */
export interface ChatJudgeOptions {
  /** Base address, as of OpenAI's clients: `http://127.0.0.1:8080/v1`. */
  readonly address: string;
  readonly model: string;
  readonly apiKey?: string;
  /** File that keeps replies; a resumed run asks nothing twice. */
  readonly cacheFile: string;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly concurrency?: number;
  /** First wait before a retry; doubles each time. */
  readonly backoffMs?: number;
}

/** A judge that holds a file of replies. */
export interface ChatJudge extends Judge {
  close(): Promise<void>;
}

const replySchema = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1) });

/**
 * A judge behind an OpenAI-compatible address, its replies kept on disk.
 * @throws UserError for an address that is none; verdicts throw ModelError where the judge cannot be reached after all retries
 */
export async function createChatJudge(options: ChatJudgeOptions): Promise<ChatJudge> {
  const { model, apiKey, timeoutMs = 60_000, retries = 4, concurrency = 4, backoffMs = 500 } = options;
  if (!URL.canParse(options.address))
    throw new UserError('INVALID_JUDGE', { what: 'the judge’s address is no URL', got: `"${options.address}"`, expected: 'such as http://127.0.0.1:8080/v1' });
  const url = options.address.replace(/\/+$/, '') + '/chat/completions';
  const cache: ReplyCache = await openReplyCache(options.cacheFile);
  const gate = createGate(concurrency);

  async function fetchReply(messages: readonly Message[], signal: AbortSignal): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const outcome = await request(messages, signal);
      if (outcome.kind === 'reply') return outcome.text;
      signal.throwIfAborted();
      if (!outcome.canRetry || attempt >= retries) {
        throw new ModelError('JUDGE_FAILED', {
          what: `the judge at ${url} gave no answer (${attempt + 1} attempts)`,
          got: outcome.reason,
          todo: 'check the address, the model and the key, then resume the run: what was judged is kept',
        });
      }
      await sleep(Math.max(outcome.waitMs ?? 0, backoffMs * 2 ** attempt), undefined, { signal });
    }
  }

  async function request(messages: readonly Message[], signal: AbortSignal): Promise<Outcome> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
        body: JSON.stringify({ model, messages, temperature: 0, max_tokens: 64 }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const body = await response.text();
      if (!response.ok) {
        const afterSec = Number(response.headers.get('retry-after') ?? NaN);
        return {
          kind: 'failure',
          reason: `HTTP ${response.status}: ${body.slice(0, 200)}`,
          canRetry: response.status === 408 || response.status === 429 || response.status >= 500,
          ...(afterSec >= 0 ? { waitMs: Math.min(afterSec, 60) * 1000 } : {}),
        };
      }
      return { kind: 'reply', text: replySchema.parse(JSON.parse(body)).choices[0]!.message.content };
    } catch (thrown) {
      // Network faults, time-outs and garbled bodies are worth another try.
      return { kind: 'failure', reason: messageOf(thrown), canRetry: true };
    }
  }

  return {
    description: { name: 'chat', address: url, model, temperature: 0 },
    judge: async (asked, signal) => {
      const messages = judgeMessages(asked);
      const key = replyKey({ model, messages });
      let reply = cache.get(key);
      if (reply === undefined) {
        reply = await gate(() => fetchReply(messages, signal));
        await cache.set(key, reply);
      }
      return parseJudgement(reply);
    },
    close: () => cache.close(),
  };
}

interface Message {
  readonly role: 'system' | 'user';
  readonly content: string;
}

type Outcome =
  | { readonly kind: 'reply'; readonly text: string }
  | { readonly kind: 'failure'; readonly reason: string; readonly canRetry: boolean; readonly waitMs?: number };

function judgeMessages({ question, answers, prediction }: JudgeRequest): readonly Message[] {
  return [
    {
      role: 'system',
      content:
        'You evaluate answers to questions about a video. Compare the predicted answer with the correct one and decide whether they mean the same. Accept synonyms and paraphrases; judge the meaning, not the wording.',
    },
    {
      role: 'user',
      content: `Question: ${question}\nCorrect answer: ${answers.join(' / ')}\nPredicted answer: ${prediction}\n\nReply with a Python dictionary and nothing else. Its keys: 'llama_pred', the string 'yes' or 'no', and 'score', an integer from 0 to 5, where 5 is a perfect match in meaning. Example: {'llama_pred': 'yes', 'score': 4}`,
    },
  ];
}
