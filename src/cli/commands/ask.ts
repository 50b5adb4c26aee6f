// `thalweg ask`: watch a video and answer one question or several.
import type { Command } from 'commander';
import { examples, run, seconds } from '../command.ts';
import { clock } from '../format.ts';
import { addStreamOptions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
import { answerText, summaryText } from '../summary-text.ts';
import { watchProgress } from '../watch-progress.ts';

export default {
  register(program: Command) {
    const command = addStreamOptions(program.command('ask').argument('<video>', 'a file, folder of images, address or device; `-` is standard input').argument('<question...>', 'one question or several, each in quotes'))
      .description('watch a video, then answer')
      .option('--at <time>', 'ask when the video reaches that time instead of at its end', seconds)
      .action(
        run(async (context, video: string, questions: readonly string[], flags: StreamFlags & { readonly at?: number }) => {
          const { out, signal } = context;
          await using session = await openFromFlags(video, flags, context);
          session.subscribe(watchProgress(out));
          if (flags.at === undefined) await session.ended;
          const atSec = flags.at === undefined ? {} : { atSec: flags.at };
          for (const question of questions) {
            const answer = session.ask(question, { ...generationOf(flags), ...atSec, signal });
            let started = false;
            for await (const piece of answer) {
              if (!started && questions.length > 1) out.line(`> ${question}`);
              started = true;
              out.write(piece);
            }
            const done = await answer;
            out.data({ kind: 'answer', ...done }, '');
            out.line(`  (at ${clock(Math.max(0, done.timeSec))}: ${answerText(done)})`);
          }
          const summary = flags.at === undefined ? session.summary() : await session.stop();
          out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
        }),
      );
    examples(command, [
      'thalweg ask street.mp4 "What happened after the red car stopped?" --model HuggingFaceTB/SmolVLM-256M-Instruct',
      'thalweg ask street.mp4 "Who is at the door?" --at 1m --memory uniform --memory-option frames=16',
      'ffmpeg -i in.mov -f matroska - | thalweg ask - "What is this?" --json',
    ]);
  },
};
