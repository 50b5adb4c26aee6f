// `thalweg inspect`: what a checkpoint is, and what a frame of it will cost.
import type { Command } from 'commander';
import type { CheckpointDescription } from '../../index.ts';
import { builtInModel } from '../../session/model-folder.ts';
import { inspectModel } from '../../session/inspect-model.ts';
import { examples, jsonOption, positive, run } from '../command.ts';
import { bytes, counted, rate, thousands } from '../format.ts';

export default {
  register(program: Command) {
    const command = program
      .command('inspect')
      .argument('[model]', 'a checkpoint folder, a model fetched with `thalweg pull`, or the built-in `nano`', builtInModel)
      .description('show a checkpoint: family, shapes, sizes, estimated cost of a frame in work and memory')
      .option('--fps <rate>', 'frames a second, for the memory of a minute', positive, 1)
      .addOption(jsonOption())
      .action(
        run(async ({ out }, model: string, { fps }: { readonly fps: number }) => {
          const description = await inspectModel(model, { framesPerSec: fps });
          out.data(description, text(description, fps));
        }),
      );
    examples(command, ['thalweg inspect', 'thalweg inspect HuggingFaceTB/SmolVLM-256M-Instruct', 'thalweg inspect ./my-checkpoint --fps 4 --json']);
  },
};

function text(description: CheckpointDescription, fps: number): string {
  const { family, folder, parameters, dtypes, weightFiles, bytesOnDisk, image, vision, projector, decoder, tokensPerFrame, frameGflop, decodeTokenGflop, attentionGflopPerThousandTokens, memory, adapters } = description;
  const rows: (readonly [string, string])[] = [
    ['checkpoint', folder],
    ['family', family],
    ['parameters', `${thousands(parameters.total)}: vision ${thousands(parameters.vision)}, projector ${thousands(parameters.projector)}, decoder ${thousands(parameters.decoder)}`],
    ['weights', `${bytes(bytesOnDisk)} in ${counted(weightFiles.length, 'file')}, ${Object.keys(dtypes).join(' and ')}`],
  ];
  if (image && vision && projector) {
    rows.push(
      ['picture', `${image.widthPx}×${image.heightPx} px, ${vision.columns}×${vision.rows} patches of ${vision.patchPx} px`],
      ['vision', `${vision.layers} layers, ${vision.width} wide, ${vision.heads} heads, MLP ${vision.mlpWidth}`],
      ['projector', `${projector.kind}, ${counted(tokensPerFrame, 'visual token')} a frame`],
    );
  }
  rows.push(
    ['decoder', `${decoder.layers} layers, ${decoder.width} wide, ${decoder.queryHeads} query and ${decoder.kvHeads} KV heads of ${decoder.headWidth}, MLP ${decoder.mlpWidth}`],
    ['vocabulary', `${thousands(decoder.vocabulary)}${decoder.tiedEmbeddings ? ', output tied to the embedding' : ''}`],
    ['context', `${thousands(decoder.contextLength)} positions`],
    ...(image ? [['a frame', `${gflop(frameGflop.total)}: encoder ${gflop(frameGflop.encoder)}, its attention ${gflop(frameGflop.encoderAttention)}, projector ${gflop(frameGflop.projector)}, prefill ${gflop(frameGflop.prefill)}`] as const] : []),
    ['a token', `${gflop(decodeTokenGflop)}, and ${gflop(attentionGflopPerThousandTokens)} for each thousand tokens in memory`],
    ['memory', `${bytes(memory.bytesPerToken)} a token${image ? `, ${bytes(memory.bytesPerFrame)} a frame, ${bytes(memory.bytesPerMinute)} a minute at ${rate(fps)}` : ''}, dense`],
  );
  for (const { name, kind, ratio, window, fault } of adapters) {
    rows.push(['adapter', fault === undefined ? `${name}: ${kind}, ratio ${ratio}${window === undefined ? '' : `, window ${window}`}` : `${name}: cannot be used: ${fault}`]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

function gflop(value: number): string {
  return value >= 0.1 ? `${value.toFixed(1)} GFLOP` : `${(value * 1000).toPrecision(2)} MFLOP`;
}
