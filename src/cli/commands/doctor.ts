// `thalweg doctor`: is this installation well?
import type { Command } from 'commander';
import { runDoctor } from '../../session/doctor.ts';
import { examples, jsonOption, run } from '../command.ts';
import { bytes, milliseconds } from '../format.ts';

export default {
  register(program: Command) {
    const command = program
      .command('doctor')
      .description('check the installation: versions, devices, a self-test')
      .addOption(jsonOption())
      .action(
        run(async ({ out }) => {
          out.progress('checking');
          const report = await runDoctor();
          const { versions, machine, checks } = report;
          const lines = [
            `thalweg ${versions.thalweg}, Node.js ${versions.node}, ONNX Runtime ${versions.onnxRuntime}, FFmpeg ${versions.ffmpeg}`,
            `${machine.processor}, ${machine.cores} cores, ${bytes(machine.memoryBytes)} of memory (${bytes(machine.freeBytes)} free), ${machine.platform}`,
            `computes on the CPU; ONNX Runtime also ships: ${report.executionProviders.filter((name) => name !== 'cpu').join(', ') || 'none'}; cameras: ${report.captureDevices.join(', ') || 'none'}`,
            `models and packed weights: ${report.cacheFolder}`,
            '',
            ...checks.map(({ name, ok, detail, ms }) => `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail} (${milliseconds(ms)})`),
          ];
          out.data(report, lines.join('\n'));
          if (!report.ok) process.exitCode = 1;
        }),
      );
    examples(command, ['thalweg doctor', 'thalweg doctor --json']);
  },
};
