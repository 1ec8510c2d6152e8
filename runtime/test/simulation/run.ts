// Plays simulations from the command line: one seed with its trace, or many for a long time.
//
//   node runtime/test/simulation/run.ts --seed 17 --trace      one seed, every event
//   node runtime/test/simulation/run.ts --steps 5000000        fresh seeds until so many steps are done
//   node runtime/test/simulation/run.ts --from 1 --runs 500    seeds 1 to 500
import { parseArgs } from "node:util";
import { Player } from "./player.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    from: { type: "string" },
    runs: { type: "string" },
    steps: { type: "string" },
    trace: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});

const player = new Player();
const startedMs = performance.now();
let steps = 0;
let failures = 0;

async function play(seed: number): Promise<void> {
  const onLine = values.trace ? (line: string): void => console.log(line) : undefined;
  const played = await player.play(seed, onLine);
  steps += played.steps;
  if (played.failure !== "") {
    failures += 1;
    console.log(played.failure);
  } else if (values.seed !== undefined) {
    console.log(`seed ${seed}: ${played.steps} steps, digest ${played.digest}`);
    console.log(played.summary);
  }
}

if (values.seed !== undefined) await play(Number(values.seed));
else {
  const stepsMax = Number(values.steps ?? Number.POSITIVE_INFINITY);
  const runsMax = Number(
    values.runs ?? (values.steps === undefined ? 100 : Number.POSITIVE_INFINITY),
  );
  const first = Number(values.from ?? Math.floor(Math.random() * 2 ** 31));
  let runs = 0;
  while (runs < runsMax && steps < stepsMax && (failures === 0 || values["keep-going"])) {
    await play(first + runs);
    runs += 1;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const rate = Math.round(steps / seconds);
  console.log(
    `${runs} runs from seed ${first}, ${steps} steps, ${rate} steps/s, ${failures} failures`,
  );
}
process.exitCode = failures > 0 ? 1 : 0;
