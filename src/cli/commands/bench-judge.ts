// The judge of open answers, as `thalweg bench` and `thalweg bench score` are told of it.
import { join } from 'node:path';
import type { Command } from 'commander';
import { createChatJudge, type ChatJudge } from '../../bench/judge/chat-judge.ts';
import type { Judge } from '../../bench/judge/judge.ts';
import { matchJudge } from '../../bench/judge/match-judge.ts';

export interface JudgeFlags {
  readonly judgeUrl?: string;
  readonly judgeModel: string;
}

export function addJudgeOptions(command: Command): Command {
  return command
    .option('--judge-url <address>', 'an OpenAI-compatible server that judges answers (default: exact and normalised match)')
    .option('--judge-model <name>', 'model of the judge', 'judge');
}

/** @param folder keeps the replies, so that none is asked for twice */
export async function withJudge<T>({ judgeUrl, judgeModel }: JudgeFlags, folder: string, work: (judge: Judge) => Promise<T>): Promise<T> {
  if (judgeUrl === undefined) return work(matchJudge('normalised'));
  const apiKey = process.env['OPENAI_API_KEY'];
  const judge: ChatJudge = await createChatJudge({ address: judgeUrl, model: judgeModel, cacheFile: join(folder, 'judge-replies.jsonl'), ...(apiKey !== undefined && { apiKey }) });
  try {
    return await work(judge);
  } finally {
    await judge.close();
  }
}
