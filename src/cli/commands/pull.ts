// `thalweg pull`: fetch a checkpoint from the Hugging Face Hub.
import type { Command } from 'commander';
import { pullModel } from '../../models/hub/pull.ts';
import { pulledFolder } from '../../session/model-folder.ts';
import { examples, jsonOption, run } from '../command.ts';
import { bytes, milliseconds } from '../format.ts';

export default {
  register(program: Command) {
    const command = program
      .command('pull')
      .argument('<id>', 'owner/name on the Hub')
      .description('fetch a checkpoint from the Hugging Face Hub; goes on where it was cut short')
      .option('--revision <name>', 'branch, tag or commit', 'main')
      .option('--out <folder>', 'where the files go (default: the cache)')
      .addOption(jsonOption())
      .action(
        run(async ({ out, signal }, id: string, { revision, out: folder }: { readonly revision: string; readonly out?: string }) => {
          const start = performance.now();
          const result = await pullModel({
            id,
            revision,
            folder: folder ?? pulledFolder(id),
            signal,
            onProgress({ file, doneBytes, totalBytes, receivedBytes }) {
              const perMs = receivedBytes / (performance.now() - start);
              const left = perMs > 0 ? `, ${milliseconds((totalBytes - doneBytes) / perMs)} left` : '';
              out.progress(`${file}: ${bytes(doneBytes)} of ${bytes(totalBytes)}, ${bytes(perMs * 1000)}/s${left}`);
            },
          });
          const rows = result.files.map(({ path, bytes: size, state }) => `  ${state.padEnd(7)}  ${path}  ${bytes(size)}`);
          out.data({ kind: 'pulled', ...result }, [`${result.id} at ${result.commit.slice(0, 12)} is in ${result.folder}`, ...rows, `next: thalweg inspect ${folder ?? id}`].join('\n'));
        }),
      );
    examples(command, ['thalweg pull HuggingFaceTB/SmolVLM-256M-Instruct', 'thalweg pull llava-hf/llava-onevision-qwen2-0.5b-ov-hf --out ./models/llava']);
  },
};
