// All caption metrics over one set of captions, from plain text.
import { UserError } from '../../core/errors.ts';
import { bleu } from './bleu.ts';
import { ciderD, ciderPlain } from './cider.ts';
import type { CaptionPair, CorpusScore } from './caption-pair.ts';
import { meteor } from './meteor.ts';
import { captionTokens } from './ptb-tokenizer.ts';
import { rougeL } from './rouge-l.ts';

/** Captions of one clip, as text. */
export interface CaptionText {
  readonly hypothesis: string;
  readonly references: readonly string[];
}

/** Figures as fractions of 1, but CIDEr, which runs from 0 to 10. */
export interface CaptionScores {
  readonly bleu1: CorpusScore;
  readonly bleu2: CorpusScore;
  readonly bleu3: CorpusScore;
  readonly bleu4: CorpusScore;
  readonly rougeL: CorpusScore;
  /** METEOR 1.5 with exact and stem modules only: see meteor.ts. */
  readonly meteor: CorpusScore;
  /** What the COCO caption toolkit prints as CIDEr: the formula of CIDEr-D. */
  readonly ciderD: CorpusScore;
  /** CIDEr without clipping and length penalty. */
  readonly ciderPlain: CorpusScore;
}

/**
 * @param uncaptioned references of clips that got no caption: they count in CIDEr's document frequencies and nowhere else,
 * so that a clip's CIDEr does not depend on which other clips were answered
 * @throws UserError where there is no caption at all, or one has no reference
 */
export function scoreCaptions(captions: readonly CaptionText[], uncaptioned: readonly (readonly string[])[] = []): CaptionScores {
  if (captions.length === 0) throw new UserError('NO_CAPTIONS', { what: 'cannot score captions', got: 'none', expected: 'at least one' });
  const pairs = captions.map(({ hypothesis, references }, index): CaptionPair => {
    if (references.length === 0) throw new UserError('NO_REFERENCE', { what: `caption ${index} ("${hypothesis}") has no reference`, expected: 'at least one' });
    return { hypothesis: captionTokens(hypothesis), references: references.map(captionTokens) };
  });
  const documents = [...pairs, ...uncaptioned.map((references) => ({ references: references.map(captionTokens) }))];
  const [bleu1, bleu2, bleu3, bleu4] = bleu(pairs);
  return {
    bleu1: bleu1!,
    bleu2: bleu2!,
    bleu3: bleu3!,
    bleu4: bleu4!,
    rougeL: rougeL(pairs),
    meteor: meteor(pairs),
    ciderD: ciderD(pairs, documents),
    ciderPlain: ciderPlain(pairs, documents),
  };
}
