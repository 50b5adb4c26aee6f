// A picture of what slots cover in time, as SVG: a row for each head, a line for each slot, lanes so that neighbours can be told apart.
import type { HeadCoverage, SlotCoverage } from './slot-coverage.ts';
import type { SlotKind } from './slots.ts';

/** Colours of Okabe and Ito (2008). */
const colours: Readonly<Record<SlotKind, string>> = { opening: '#7f7f7f', visual: '#0072b2', wrap: '#56b4e9', question: '#d55e00', answer: '#009e73' };
const lanes = 8;
const lanePx = 3;
const rowPx = lanes * lanePx + 6;
const plotPx = 900;
const left = 230;
const top = 46;

const round = (value: number): number => Math.round(value * 10) / 10;
const total = (slots: readonly SlotCoverage[]): number => slots.reduce((sum, { tokens }) => sum + tokens, 0);

/** An SVG document. A row says how many slots its head has, and how many tokens each stands for on average. */
export function slotMapSvg(heads: readonly HeadCoverage[]): string {
  const slots = heads.flatMap((head) => head.slots);
  const end = slots.reduce((latest, { timeSec }) => Math.max(latest, timeSec), 0);
  const at = (sec: number) => round(left + (end > 0 ? sec / end : 0) * plotPx);
  const height = top + heads.length * rowPx + 30;
  const rows = heads.map((head, row) => {
    const y = top + row * rowPx;
    const ratio = head.slots.length === 0 ? 0 : total(head.slots) / head.slots.length;
    const paths = Map.groupBy(head.slots.entries(), ([, { kind }]) => kind);
    const lines = [...paths].map(([kind, entries]) => {
      // A slot of one moment is a dot.
      const path = entries.map(([i, { sinceSec, timeSec }]) => `M${at(sinceSec)} ${y + (i % lanes) * lanePx + 2}h${Math.max(1, round(at(timeSec) - at(sinceSec)))}`);
      return `<path d="${path.join('')}" stroke="${colours[kind]}" stroke-width="${lanePx - 1}" fill="none"/>`;
    });
    return `<g><text x="${left - 8}" y="${y + rowPx / 2 + 2}" text-anchor="end">layer ${head.layer} head ${head.kvHead}: ${head.slots.length} slots, ${ratio.toFixed(1)} tokens each</text>${lines.join('')}</g>`;
  });
  const ticks = Array.from({ length: 7 }, (_, i) => (i * end) / 6).map((sec) => `<text x="${at(sec)}" y="${height - 8}" text-anchor="middle" fill="#555">${round(sec)} s</text>`);
  const legend = (Object.keys(colours) as SlotKind[]).map((kind, i) => `<text x="${left + i * 90}" y="38" fill="${colours[kind]}">${kind}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + plotPx + 30}" height="${height}" viewBox="0 0 ${left + plotPx + 30} ${height}" font-family="sans-serif" font-size="10">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="12" y="22" font-size="15">What each slot covers in time: ${slots.length} slots for ${round(total(slots))} tokens</text>
${[...legend, ...rows, ...ticks].join('\n')}
</svg>
`;
}
