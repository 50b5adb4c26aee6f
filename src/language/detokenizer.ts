// Text from tokens as they come: characters that are split over tokens wait until they are whole.

/** Turns ids into text, piece by piece. The pieces joined are the text of all ids. */
export interface Detokenizer {
  /** Text that became certain with this token; often empty. */
  push(id: number): string;
  /** What is left at the end, broken characters as U+FFFD. */
  flush(): string;
}

/**
 * Makes a detokenizer for one answer.
 * @param decode text of a list of ids, special tokens left out
 * @param before the token before the first: some tokenizers strip the space after the beginning of a text
 */
export function createDetokenizer(decode: (ids: readonly number[]) => string, before?: number): Detokenizer {
  // Only the last certain token and what follows are decoded again: a tokenizer may treat the start of a text specially.
  let ids: number[] = before === undefined ? [] : [before];
  let certain = ids.length;
  let certainText = decode(ids);
  const advance = (text: string) => {
    const piece = text.slice(certainText.length);
    ids = ids.slice(certain);
    certain = ids.length;
    certainText = decode(ids);
    return piece;
  };
  return {
    push(id) {
      ids.push(id);
      const text = decode(ids);
      // An unfinished character decodes to U+FFFD. If it was meant, the next token tells.
      return text.endsWith('\uFFFD') || text.length <= certainText.length ? '' : advance(text);
    },
    flush: () => advance(decode(ids)),
  };
}
