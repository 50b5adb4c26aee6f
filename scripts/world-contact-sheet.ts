// Draws docs/world-contact-sheet.jpg: ten moments of the synthetic world with their questions and answers, and each once more at half size.
import { writeFile } from 'node:fs/promises';
import { createSurface, surfaceOf } from '../src/runtime/canvas.ts';
import { createRenderer } from '../src/world/render.ts';
import { streamClips } from '../src/world/suite.ts';
import type { StreamClip } from '../src/world/suite.ts';
import type { WorldQuestion } from '../src/world/questions/question.ts';

/** One moment for each of these templates: all six classes of question, and poses that are hard to draw. */
const WANTED = ['sm-what-did', 'kg-wheels', 'os-holder', 'sf-who-does', 'lm-who-did', 'ci-doing', 'sm-item-colour', 'os-nearest', 'sf-action', 'lm-colour'] as const;
const CELL_WIDTH = 320 + 160 + 12;
const CELL_HEIGHT = 240 + 44;

const chosen = new Map<string, { clip: StreamClip; question: WorldQuestion }>();
const places = new Map<string, number>();
for (const clip of streamClips({ seed: 2, split: 'test', clips: 200 })) {
  for (const question of clip.questions) {
    const wanted = WANTED.find((t) => t === question.template);
    if (wanted === undefined || chosen.has(wanted)) continue;
    const scene = clip.world.scenes[clip.world.shotAt(question.timeSec).scene]!.kind;
    if ((places.get(scene) ?? 0) >= 4 || [...chosen.values()].some((c) => c.clip === clip)) continue;
    if (wanted === 'sf-action' && question.answer !== 'riding') continue;
    places.set(scene, (places.get(scene) ?? 0) + 1);
    chosen.set(wanted, { clip, question });
  }
}

const rows = WANTED.flatMap((t) => chosen.get(t) ?? []);
const sheet = createSurface(CELL_WIDTH * 2, CELL_HEIGHT * Math.ceil(rows.length / 2));
const g = sheet.context;
g.fillStyle = '#ffffff';
g.fillRect(0, 0, sheet.widthPx, sheet.heightPx);
g.font = '13px "DejaVu Sans", "Liberation Sans", sans-serif';
for (const [i, { clip, question }] of rows.entries()) {
  const x = (i % 2) * CELL_WIDTH;
  const y = Math.floor(i / 2) * CELL_HEIGHT;
  const [from, to] = question.evidence[0]!;
  // The large picture shows the evidence; the small ones, as a model may get them, its beginning and the moment of asking.
  const pictures: [number, number, number, number][] = [[(from + to) / 2, 320, x, y], [from, 160, x + 324, y], [question.timeSec, 160, x + 324, y + 122]];
  for (const [timeSec, widthPx, left, top] of pictures) {
    const heightPx = (widthPx * 3) / 4;
    const { rgb } = createRenderer(clip.world, { widthPx, heightPx }).frameAt(timeSec);
    g.drawImage(surfaceOf(rgb, widthPx, heightPx).drawable, left, top);
  }
  g.fillStyle = '#111111';
  const before = question.history.map((turn) => `${turn.question} ${turn.answer}. `).join('');
  g.fillText(`${question.class}: ${before}${question.question}`, x + 4, y + 257, CELL_WIDTH - 12);
  g.fillStyle = '#0a6b2c';
  g.fillText(question.answer, x + 4, y + 275);
}
const file = new URL('../docs/world-contact-sheet.jpg', import.meta.url);
await writeFile(file, sheet.toJpeg(86));
console.log(`docs/world-contact-sheet.jpg: ${rows.length} moments`);
