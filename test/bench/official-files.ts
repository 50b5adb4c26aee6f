// Tiny made-up samples of each benchmark's files in its official format, with empty files for videos. No research data.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface Sample {
  readonly suite: string;
  readonly folder: string;
}

const animals = ['cat', 'dog', 'horse', 'bird'] as const;
const times = (index: number) => `00:${String(Math.floor(index / 60)).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}`;

/** Right answers are spread evenly over the options, so that always choosing one scores exactly chance. */
export async function writeOfficialFiles(root: string): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const add = async (suite: string, files: Readonly<Record<string, unknown>>, videos: readonly string[]) => {
    const folder = path.join(root, suite);
    for (const [name, content] of Object.entries(files)) await write(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    for (const video of videos) await write(path.join(folder, 'videos', video), '');
    samples.push({ suite, folder });
  };

  await add(
    'streambench',
    {
      'streambench.json': [0, 1, 2, 3].map((video) => ({
        info: { video_path: `ego/clip_${video}.mp4`, class_1: video % 2 === 0 ? 'ego' : 'web', class_2: 'kitchen' },
        breakpoint: [0, 1, 2, 3].map((point) => ({
          time: 10 * (point + 1),
          question: `Which animal is in picture ${point}?`,
          answer: animals[(video + point) % 4],
          class: ['OS', 'LM', 'SM', 'SF'][point],
        })),
      })),
    },
    [0, 1, 2, 3].map((video) => `ego/clip_${video}.mp4`),
  );
  const clips = [0, 1, 2, 3].map((index) => `video${7010 + index}`);
  await add(
    'msrvtt-caption',
    {
      'test_videodatainfo.json': {
        info: { version: '1' },
        videos: [
          { id: 0, video_id: 'video1', category: 3, url: 'none', 'start time': 0, 'end time': 9, split: 'train' },
          ...clips.map((video_id, id) => ({ id: id + 1, video_id, category: id, url: 'none', 'start time': 1.5, 'end time': 9, split: 'test' })),
        ],
        sentences: [
          { sen_id: 0, video_id: 'video1', caption: 'not in the test split' },
          ...clips.flatMap((video_id, id) =>
            ['runs across the wet grass', 'is running in a garden', 'moves quickly over a lawn'].map((what, place) => ({
              sen_id: 3 * id + place + 1,
              video_id,
              caption: `a ${animals[id]} ${what}`,
            })),
          ),
        ],
      },
    },
    clips.map((clip) => `${clip}.mp4`),
  );
  await add(
    'msrvtt-qa',
    {
      'test_qa.json': clips.flatMap((_clip, video) =>
        animals.map((answer, index) => ({
          answer,
          category_id: video,
          id: 158581 + 4 * video + index,
          question: `what animal is number ${index}?`,
          video_id: 7010 + video,
        })),
      ),
    },
    clips.map((clip) => `${clip}.avi`),
  );
  const uids = [0, 1, 2, 3, 4].map((index) => `0000000${index}-aaaa-bbbb-cccc-000000000000`);
  await add(
    'egoschema',
    {
      'questions.json': uids.map((q_uid) => ({
        q_uid,
        google_drive_id: 'none',
        question: 'What is C mainly doing?',
        'option 0': 'C washes dishes',
        'option 1': 'C paints a wall',
        'option 2': 'C repairs a bicycle',
        'option 3': 'C cuts the grass',
        'option 4': 'C folds clothes',
      })),
      'subset_answers.json': Object.fromEntries(uids.map((uid, index) => [uid, index])),
    },
    uids.map((uid) => `${uid}.mp4`),
  );
  const options = ['in the kitchen', 'in the garden', 'on the roof', 'in the cellar'];
  await add(
    'ovo-bench',
    {
      'ovo_bench_new.json': [
        ...[0, 1, 2, 3].map((gt) => ({
          id: gt,
          task: gt % 2 === 0 ? 'EPM' : 'OCR',
          video: 'Ego4D/clips/one.mp4',
          realtime: 20.5 + gt,
          question: `Where is the lamp at step ${gt}?`,
          answer: options[gt],
          options,
          gt,
        })),
        {
          id: 4,
          task: 'REC',
          video: 'perception_test/two.mp4',
          activity: 'clap hands',
          start_times: [1, 3],
          end_times: [2, 4],
          test_info: [
            { realtime: 2, count: 1 },
            { realtime: 4.5, count: 2 },
          ],
        },
        {
          id: 5,
          task: 'SSR',
          video: 'COIN/three.mp4',
          tutorial: 'MakeTea',
          all_steps: ['boil water'],
          start_time: [1],
          end_time: [9],
          test_info: [
            { realtime: 5, step: 'boil water', type: 1 },
            { realtime: 12, step: 'boil water', type: 0 },
          ],
        },
        {
          id: 6,
          task: 'CRR',
          video: 'MovieNet/four.mp4',
          question: 'What does she put into the bag?',
          answer: 'a book',
          ask_time: 10,
          clue_time: 15,
          test_info: [
            { realtime: 10, type: 0 },
            { realtime: 16, type: 1 },
          ],
        },
      ],
    },
    ['Ego4D/clips/one.mp4', 'perception_test/two.mp4', 'COIN/three.mp4', 'MovieNet/four.mp4'],
  );
  const ability = { required_ability: 'working memory' };
  const multipleChoice = (answer: number, at: number) => ({
    task_type: 'Object Perception',
    question: `What is on table ${answer}?`,
    time_stamp: times(at),
    answer: 'ABCD'[answer],
    options: ['A. a cup', 'B. a plate', 'C. a fork', 'D. a glass'],
    ...ability,
  });
  await add(
    'streamingbench',
    {
      'questions_real.json': [0, 1, 2, 3].map((answer) => ({
        time: '[0:00:00 - 0:00:10]',
        questions: [multipleChoice(answer, 30 + answer)],
        video_categories: 'cooking',
        video_path: './videos/sample_1_real.mp4',
      })),
      'questions_sqa.json': [
        [0, 1, 2, 3].map((answer) => ({
          time: '[0:00:00 - 0:00:10]',
          questions: [{ ...multipleChoice(answer, 40 + answer), options: ['two.', 'three.', 'four.', 'five.'] }],
          video_categories: 'tennis',
          video_path: './videos/sample_1_sqa.mp4',
        })),
      ],
      'questions_proactive.json': [
        {
          time: '[0:00:00 - 0:00:30]',
          questions: [
            {
              task_type: 'Proactive Output',
              question: 'When the score is 3, output "3".',
              time_stamp: '00:00:20',
              ground_truth_time_stamp: '00:00:29',
              ground_truth_output: '3',
              ...ability,
            },
          ],
          video_categories: 'basketball',
          video_path: './videos/sample_1_proactive.mp4',
        },
        {
          time: '[0:00:00 - 0:00:30]',
          questions: [
            {
              task_type: 'Proactive Output',
              question: 'When the bell rings, output "bell".',
              time_stamp: '00:00:24',
              ground_truth_time_stamp: '00:00:26',
              ground_truth_output: 'bell',
              ...ability,
            },
          ],
          video_categories: 'basketball',
          video_path: './videos/sample_1_proactive.mp4',
        },
      ],
    },
    ['sample_1_real.mp4', 'sample_1_sqa.mp4', 'sample_1_proactive.mp4'],
  );
  return samples;
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
}
