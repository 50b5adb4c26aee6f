// `thalweg ask`: watch a video and answer one question or several.
import type { Command } from 'commander';
import { examples, run, seconds } from '../command.ts';
import { clock, moment } from '../format.ts';
import { addStreamOptions, checkQuestions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
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
          checkQuestions(questions);
          await using session = await openFromFlags(video, flags, context);
          session.subscribe(watchProgress(out));
          const { at } = flags;
          const putAfterEnd = new Set<string>();
          if (at === undefined) await session.ended;
          else session.subscribe((event) => event.kind === 'question' && session.over && putAfterEnd.add(event.question));
          const options = { ...generationOf(flags), ...(at !== undefined && { atSec: at }), signal };
          // All are put before the first is read, so that a time finds all of them waiting.
          const answers = questions.map((question) => ({ question, answer: session.ask(question, options) }));
          for (const { question, answer } of answers) {
            let started = false;
            for await (const piece of answer) {
              if (!started && questions.length > 1) out.line(`> ${question}`);
              started = true;
              out.write(piece);
            }
            const done = await answer;
            out.data({ kind: 'answer', ...done }, '');
            out.line(`  (${moment(done.timeSec)}: ${answerText(done)})`);
          }
          if (at !== undefined && putAfterEnd.size > 0) {
            const text = `the video ended before ${clock(at)}; what is answered is its end`;
            out.data({ kind: 'notice', code: 'ENDED_BEFORE_AT', message: text }, `[${text}]`);
          }
          const summary = at === undefined ? session.summary() : await session.stop();
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
