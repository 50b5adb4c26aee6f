// Colours of a terminal: plain text where the output is none, or where NO_COLOR asks for it.
import { stdout } from 'node:process';
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const painter = (style: Style) => (text: string) => styleText(style, text, { stream: stdout });

export const paint = { bold: painter('bold'), dim: painter('dim'), green: painter('green'), red: painter('red'), yellow: painter('yellow') } as const;
