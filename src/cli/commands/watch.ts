// `thalweg watch`: watch a stream and say what is seen, again and again.
import { InvalidArgumentError, type Command } from 'commander';
import type { Session } from '../../index.ts';
import { examples, run, seconds, type RunContext } from '../command.ts';
import { clock } from '../format.ts';
import { addStreamOptions, generationOf, openFromFlags, type StreamFlags } from '../stream-options.ts';
import { summaryText } from '../summary-text.ts';
import { watchProgress } from '../watch-progress.ts';

interface WatchFlags extends StreamFlags {
  readonly ask: readonly string[];
  readonly every: number;
  readonly events?: boolean;
}

export default {
  register(program: Command) {
    const command = addStreamOptions(program.command('watch').argument('<source>', 'a camera, an address, a file; `-` is standard input'))
      .description('watch a stream and ask the same questions at intervals')
      .option('--ask <question>', 'a question; repeatable', (question: string, before: readonly string[]) => [...before, question], [])
      .option('--every <time>', 'media time between two rounds of questions', (text) => seconds(text) || refuse(), 10)
      .option('--events', 'print every frame too')
      .action(
        run(async (context, address: string, flags: WatchFlags) => {
          const { out } = context;
          await using session = await openFromFlags(address, flags, context);
          session.subscribe(watchProgress(out));
          if (flags.events) session.subscribe((event) => event.kind === 'frame' && out.data(event, `${clock(event.timeSec)}  frame ${event.index}  ${event.pictureType}`));
          await askInRounds(session, flags, context);
          await session.ended;
          const summary = session.summary();
          out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
        }),
      );
    examples(command, [
      'thalweg watch rtsp://camera.local/1 --ask "Who is at the door?" --every 10s --model HuggingFaceTB/SmolVLM-256M-Instruct',
      'thalweg watch street.mp4 --realtime --fps 2 --events --json --model ./my-checkpoint',
    ]);
  },
};

function refuse(): never {
  throw new InvalidArgumentError('expected a time above 0');
}

/** Puts the questions at every multiple of `every` that the stream passes. Each round stands alone: it leaves nothing in the dialogue. */
async function askInRounds(session: Session, flags: WatchFlags, { out, signal }: RunContext): Promise<void> {
  if (flags.ask.length === 0) return;
  for (let round = 1; !session.over; round++) {
    const answers = flags.ask.map((question) => session.ask(question, { ...generationOf(flags), atSec: round * flags.every, remember: false, signal }));
    for (const answer of answers) {
      const done = await answer;
      out.data({ kind: 'answer', ...done }, `${clock(done.timeSec)}  ${done.question}\n      ${done.text.trim()}`);
    }
  }
}
