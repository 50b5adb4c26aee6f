// Wordings of the public protocols that the world's suites follow: what a model is taught with and what it is asked with are the same words.

/** EgoSchema's protocol: options by letter, then the usual instruction for multiple choice. */
export function choicePrompt(question: string, options: readonly string[]): string {
  return `${question}\n${letteredOptions(options).join('\n')}\nAnswer with the option's letter from the given choices directly.`;
}

export function letteredOptions(options: readonly string[]): string[] {
  return options.map((option, index) => `${optionLetter(index)}. ${option}`);
}

/** A, B, C, … */
export function optionLetter(index: number): string {
  return String.fromCharCode(65 + index);
}

export function streamPrompt(question: string): string {
  return `${question}\nAnswer in one short sentence or phrase.`;
}

export const captionPrompt = 'Describe the video in one short sentence.';
