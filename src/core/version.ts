// The version of this package, from its own package.json.
import { readFileSync } from 'node:fs';

const packageFile = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** Version of this package. */
export const version = packageFile.version;
