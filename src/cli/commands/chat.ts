// `thalweg chat`: several questions about a stream, in a terminal.
import { createInterface } from 'node:readline/promises';
import { stdin, stdout } from 'node:process';
import type { Command } from 'commander';
import { messageOf } from '../../core/errors.ts';
import { examples, run } from '../command.ts';
import { addStreamOptions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
import { answerText, summaryText } from '../summary-text.ts';
import { watchProgress } from '../watch-progress.ts';

export default {
  register(program: Command) {
    const command = addStreamOptions(program.command('chat').argument('<video>', 'a file, folder of images, address or device'))
      .description('talk about a stream while it is watched; one question a line, an empty line or Ctrl-D ends')
      .action(
        run(async (context, video: string, flags: StreamFlags) => {
          const { out, signal } = context;
          await using session = await openFromFlags(video, flags, context);
          const stopProgress = session.subscribe(watchProgress(out));
          // Typing and a moving progress line do not mix: a terminal waits for the video's end, or for live sources shows no progress.
          out.line('Ask; an empty line or Ctrl-D ends.');
          stopProgress();
          const lines = createInterface({ input: stdin, output: out.json ? undefined : stdout, prompt: '> ', terminal: stdin.isTTY && !out.json });
          signal.addEventListener('abort', () => lines.close(), { once: true });
          out.clearProgress();
          if (stdin.isTTY) lines.prompt();
          for await (const question of lines) {
            if (question.trim() === '') break;
            try {
              const answer = session.ask(question, { ...generationOf(flags), signal });
              for await (const piece of answer) out.write(piece);
              const done = await answer;
              out.data({ kind: 'answer', ...done }, `\n  (${answerText(done)})`);
            } catch (error) {
              if (signal.aborted) break;
              // One bad question does not end the talk.
              out.data({ kind: 'error', message: messageOf(error) }, `error: ${messageOf(error)}`);
            }
            if (stdin.isTTY) lines.prompt();
          }
          lines.close();
          const summary = await session.stop();
          out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
        }),
      );
    examples(command, ['thalweg chat street.mp4 --model HuggingFaceTB/SmolVLM-256M-Instruct', 'printf "What is there?\\nAnd now?\\n" | thalweg chat street.mp4 --model ./my-checkpoint --json']);
  },
};
