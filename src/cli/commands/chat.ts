// `thalweg chat`: several questions about a stream, in a terminal.
import { createInterface } from 'node:readline/promises';
import { stdin, stdout } from 'node:process';
import type { Command } from 'commander';
import { UserError, messageOf } from '../../core/errors.ts';
import { examples, run } from '../command.ts';
import { moment } from '../format.ts';
import { errorDocument } from '../output.ts';
import { addStreamOptions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
import { answerText, summaryText } from '../summary-text.ts';
import { printSourceEvent } from '../watch-progress.ts';

export default {
  register(program: Command) {
    const command = addStreamOptions(program.command('chat').argument('<video>', 'a file, folder of images, address or device'))
      .description('talk about a stream while it is watched; one question a line, an empty line or Ctrl-D ends')
      .action(
        run(async (context, video: string, flags: StreamFlags) => {
          const { out, signal } = context;
          const isOver = () => signal.aborted;
          if (video === '-') throw new UserError('STDIN_TAKEN', { what: 'chat cannot watch standard input', got: '-', expected: 'a file, folder, address or device: questions come from standard input', todo: 'put the question on the command line: thalweg ask - "…"' });
          await using session = await openFromFlags(video, flags, context);
          out.clearProgress();
          const isTerminal = stdin.isTTY && !out.json;
          const lines = createInterface({ input: stdin, output: out.json ? undefined : stdout, prompt: '> ', terminal: isTerminal });
          // A terminal in line editing gives Ctrl-C to the editor, not to the process.
          lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
          signal.addEventListener('abort', () => lines.close(), { once: true });
          // A moving progress line and typing do not mix; what befalls the source is told.
          session.subscribe((event) => {
            if (event.kind !== 'source') return;
            printSourceEvent(out, event);
            if (isTerminal && event.event.kind !== 'dropped') lines.prompt(true);
          });
          out.line('Ask; an empty line or Ctrl-D ends.');
          if (isTerminal) lines.prompt();
          for await (const question of lines) {
            if (isOver() || question.trim() === '') break;
            try {
              const answer = session.ask(question, { ...generationOf(flags), signal });
              for await (const piece of answer) out.write(piece);
              const done = await answer;
              out.data({ kind: 'answer', ...done }, `\n  (${moment(done.timeSec)}: ${answerText(done)})`);
            } catch (error) {
              if (isOver()) break;
              // One bad question does not end the talk.
              out.data(errorDocument(error), `error: ${messageOf(error)}`);
            }
            if (isTerminal) lines.prompt();
          }
          lines.close();
          const summary = await session.stop();
          out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
        }),
      );
    examples(command, ['thalweg chat street.mp4 --model HuggingFaceTB/SmolVLM-256M-Instruct', 'printf "What is there?\\nAnd now?\\n" | thalweg chat street.mp4 --model ./my-checkpoint --json']);
  },
};
