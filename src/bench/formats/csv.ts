// Comma-separated values with a header (RFC 4180): quoted fields may hold commas, line ends and doubled quotes.
import { UserError } from '../../core/errors.ts';

const plain = /[^,\r\n]*/y;

/** One object a row, keyed by the header. @throws UserError for an unclosed quote or a row of another width */
export function parseCsv(text: string, file: string): Record<string, string>[] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let field: string;
    if (text[at] === '"') {
      let end = at + 1;
      while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
      if (end >= text.length) throw new UserError('INVALID_CSV', { what: `${file}: row ${rows.length + 1} has a quote that is never closed` });
      field = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      plain.lastIndex = at;
      field = plain.exec(text)![0];
      at += field.length;
    }
    row.push(field);
    if (text[at] === ',') {
      at++;
      if (at === text.length) row.push('');
      continue;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  const header = rows.shift() ?? [];
  return rows
    .filter((fields) => fields.length > 1 || fields[0] !== '')
    .map((fields, index) => {
      if (fields.length !== header.length)
        throw new UserError('INVALID_CSV', {
          what: `${file}: row ${index + 2}`,
          got: `${fields.length} fields`,
          expected: `${header.length}, as in its header`,
        });
      return Object.fromEntries(header.map((name, column) => [name, fields[column]!]));
    });
}
