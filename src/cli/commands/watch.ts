// `thalweg watch`: watch a stream and say what is seen, again and again.
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { messageOf, UserError } from '../../core/errors.ts';
import type { Session } from '../../index.ts';
import { slotMapSvg } from '../../memory/slot-map.ts';
import { duration, examples, run, type RunContext } from '../command.ts';
import { createExplainer } from '../explain.ts';
import { clock } from '../format.ts';
import { createRounds } from '../rounds.ts';
import { addStreamOptions, checkQuestions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
import { summaryText } from '../summary-text.ts';
import { watchProgress } from '../watch-progress.ts';

interface WatchFlags extends StreamFlags {
  readonly ask: readonly string[];
  readonly every: number;
  readonly events?: boolean;
  readonly explain?: string;
  readonly memoryMap?: string;
}

export default {
  register(program: Command) {
    const command = addStreamOptions(program.command('watch').argument('<source>', 'a camera, an address, a file; `-` is standard input'))
      .description('watch a stream and ask the same questions at intervals')
      .option('--ask <question>', 'a question; repeatable', (question: string, before: readonly string[]) => [...before, question], [])
      .option('--every <time>', 'put a round of questions at the first frame after each such interval of media time, counted from the first frame; intervals that the stream jumps past make one round', duration, 10)
      .option('--events', 'print every frame too')
      .option('--explain <file>', 'write a video in which the patches that were computed are framed in orange and the tokens that were kept in cyan; the rest is in shade')
      .option('--memory-map <file>', 'write a picture (SVG) of what each slot of the memory covers in time at the end, by layer and head')
      .action(
        run(async (context, address: string, flags: WatchFlags) => {
          const { out, signal } = context;
          checkQuestions(flags.ask);
          await using explainer = flags.explain === undefined ? undefined : createExplainer(flags.explain, flags.fps);
          await using session = await openFromFlags(address, flags, context, explainer && { onFrame: (frame) => explainer.frame(frame) });
          if (explainer) session.subscribe((event) => event.kind === 'frame' && explainer.report(event));
          session.subscribe(watchProgress(out));
          if (flags.events) session.subscribe((event) => event.kind === 'frame' && out.data({ ...event, explained: undefined }, `${clock(event.timeSec)}  frame ${event.index}  ${event.pictureType}`));
          await askInRounds(session, flags, context).catch((error: unknown) => {
            if (!signal.aborted) throw error; // What was watched until the interrupt is still summed up.
          });
          const summary = await session.stop();
          if (flags.memoryMap !== undefined) await writeMap(flags.memoryMap, session);
          await explainer?.close();
          out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
        }),
      );
    examples(command, [
      'thalweg watch rtsp://camera.local/1 --ask "Who is at the door?" --every 10s --model HuggingFaceTB/SmolVLM-256M-Instruct',
      'thalweg watch street.mp4 --fps 5 --explain street-explained.mp4',
      'thalweg watch street.mp4 --realtime --fps 2 --events --json --model ./my-checkpoint',
    ]);
  },
};

/** @throws UserError when the file cannot be written */
async function writeMap(file: string, session: Session): Promise<void> {
  const svg = slotMapSvg(await session.slots());
  await writeFile(file, svg).catch((cause: unknown) => {
    throw new UserError('MAP_NOT_WRITTEN', { what: `cannot write ${file}`, got: messageOf(cause), cause });
  });
}

/** Puts the questions in rounds until the stream ends. Each round stands alone: it leaves nothing in the dialogue. */
async function askInRounds(session: Session, flags: WatchFlags, { out, signal }: RunContext): Promise<void> {
  const failed = Promise.withResolvers<never>();
  let printed: Promise<unknown> = Promise.resolve();
  const isDue = createRounds(flags.every);
  session.subscribe((event) => {
    if (event.kind !== 'frame' || flags.ask.length === 0 || signal.aborted || !isDue(event.timeSec)) return;
    // Put now, the questions come before the next frame.
    for (const answer of flags.ask.map((question) => session.ask(question, { ...generationOf(flags), remember: false, signal }))) {
      printed = printed.then(async () => {
        const done = await answer;
        out.data({ kind: 'answer', ...done }, `${clock(done.timeSec)}  ${done.question}\n      ${done.text.trim()}`);
      });
      printed.catch((error: unknown) => failed.reject(error));
    }
  });
  await Promise.race([session.ended.then(() => printed), failed.promise]);
}
