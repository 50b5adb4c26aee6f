// Prompts: the wording with which each kind of question reaches the model, the same for every candidate.

/** EgoSchema's protocol: options by letter, then the usual instruction for multiple choice. */
export function choicePrompt(question: string, options: readonly string[]): string {
  return `${question}\n${letteredOptions(options).join('\n')}\nAnswer with the option's letter from the given choices directly.`;
}

export function letteredOptions(options: readonly string[]): string[] {
  return options.map((option, index) => `${String.fromCharCode(65 + index)}. ${option}`);
}

export function openPrompt(question: string): string {
  return `${question}\nAnswer the question using a single word or phrase.`;
}

export function streamPrompt(question: string): string {
  return `${question}\nAnswer in one short sentence or phrase.`;
}

export const captionPrompt = 'Describe the video in one short sentence.';

export function pollPrompt(question: string, output: string): string {
  return `${question}\nIs it the right time to output "${output}"? Answer only yes or no.`;
}

/** Tokens enough for what the prompt asks for, and for a sentence around a letter. */
export const maxTokens = { choice: 16, short: 16, sentence: 48, caption: 32, poll: 4 } as const;
