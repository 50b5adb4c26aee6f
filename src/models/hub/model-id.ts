// Names of models on the Hugging Face Hub.
import { UserError } from '../../core/errors.ts';

/** Whether `name` has the form `owner/name`; neither part may be a step up in a path. */
export function isModelId(name: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name);
}

/** @throws UserError `BAD_MODEL_ID` */
export function checkModelId(name: string): void {
  if (!isModelId(name)) throw new UserError('BAD_MODEL_ID', { what: 'this is no name of a model on the Hugging Face Hub', got: `"${name}"`, expected: 'owner/name, such as HuggingFaceTB/SmolVLM-256M-Instruct' });
}
