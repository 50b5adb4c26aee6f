// Prompts: the wording with which each kind of question reaches the model, the same for every candidate. Those of the world's suites are in world/protocol-prompts.ts.

export function openPrompt(question: string): string {
  return `${question}\nAnswer the question using a single word or phrase.`;
}

export function pollPrompt(question: string, output: string): string {
  return `${question}\nIs it the right time to output "${output}"? Answer only yes or no.`;
}

/** Tokens enough for what the prompt asks for, and for a sentence around a letter. */
export const maxTokens = { choice: 16, short: 16, sentence: 48, caption: 32, poll: 4 } as const;
