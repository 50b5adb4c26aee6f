// Curves as SVG: every point where it belongs, gaps where a figure is missing, text escaped.
import { describe, expect, it } from 'vitest';
import { curvesOf } from './log.ts';
import { curvesSvg, ticks } from './plot.ts';

describe('curves', () => {
  it('start and end at the corners of their panel, and break at what is no number', () => {
    const svg = curvesSvg([{ panel: 'loss', label: 'training', points: [[0, 4], [1, NaN], [2, 2], [4, 0]] }], { title: 'a < b' });
    expect(svg).toContain('a &lt; b');
    expect(svg).toContain('d="M52 28M200 109L348 190"');
    expect(svg.match(/NaN|Infinity/)).toBeNull();
  });

  it('of one figure share a panel, training beside held out', () => {
    const curves = curvesOf([{ kind: 'train', step: 5, loss: 2, note: 'text' }, { kind: 'evaluate', step: 5, loss: 3 }, { kind: 'train', step: 10, loss: 1 }]);
    expect(curves).toEqual([
      { panel: 'loss', label: 'training', points: [[5, 2], [10, 1]] },
      { panel: 'loss', label: 'held out', points: [[5, 3]] },
    ]);
    expect(curvesSvg(curves, { title: '' }).match(/<g /g)).toHaveLength(1);
  });

  it('have round ticks inside the range, and a flat line has a range too', () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(130, 990)).toEqual([200, 400, 600, 800]);
    expect(curvesSvg([{ panel: 'flat', label: '', points: [[1, 7]] }], { title: '' })).toMatch(/d="M200 109"/);
  });
});
