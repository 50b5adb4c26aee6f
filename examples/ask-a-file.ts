// Ask questions about a video file: node examples/ask-a-file.ts <checkpoint folder or pulled model> <video> <question>…
import { openModel, openStream } from 'thalweg';

const [model, video, ...questions] = process.argv.slice(2);
if (!model || !video || questions.length === 0) throw new Error('usage: ask-a-file.ts <model> <video> <question>…');

await using loaded = await openModel({ model });
await using session = await openStream({ model: loaded, source: video, sourceOptions: { fps: 1 }, memory: 'uniform', memoryOptions: { frames: 16 } });

const { frames, mediaSec } = await session.ended;
console.log(`watched ${frames} frames of ${mediaSec.toFixed(1)} s`);

for (const question of questions) {
  const { text, timings } = await session.ask(question, { maxTokens: 32 });
  console.log(`${question}\n  ${text.trim()}\n  (first token after ${timings.firstTokenMs.toFixed(0)} ms)`);
}
