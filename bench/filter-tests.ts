// How long an author waits for ten tests of a filter: vitest's whole run, from its start to its end,
// with nothing compiled or transformed (cold) and with all at hand (warm). `npx node bench/filter-tests.ts`, on a
// machine that does nothing else; CPU time tells what it would have been on a busy one.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "./arithmetic.ts";

const ROUNDS = 5;
const COLD_S_MAX = 4;
const WARM_S_MAX = 2;

interface Run {
  readonly wallS: number;
  readonly cpuS: number;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const vitest = join(root, "node_modules/vitest/vitest.mjs");
/** bash tells the time of all processes below it; a last line of seconds: wall, user, system. */
const TIMED = 'TIMEFORMAT="%R %U %S"; time "$@"';

/** What projects of `headgate filter new` have. */
const CONFIG = `import { filterProject } from "@headgate/runtime/testing/project";
export default { plugins: [filterProject()] };
`;

/** The quickstart's filter and tests as a project of their own, whose cache is nobody else's. */
function makeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "headgate-filter-tests-"));
  const quickstart = join(root, "examples/quickstart");
  cpSync(join(quickstart, "assembly"), join(folder, "assembly"), { recursive: true });
  cpSync(join(quickstart, "hello.test.ts"), join(folder, "hello.test.ts"));
  mkdirSync(join(folder, "node_modules"));
  for (const name of ["@headgate", "vitest"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(folder, "vitest.config.mjs"), CONFIG);
  return folder;
}

function run(folder: string): Run {
  const command = ["-c", TIMED, "bash", process.execPath, vitest, "run"];
  const { stdout, stderr } = spawnSync("bash", command, { cwd: folder, encoding: "utf8" });
  const [wallS = 0, userS = 0, systemS = 0] = (stderr.trim().split("\n").at(-1) ?? "")
    .split(" ")
    .map(Number);
  if (!stdout.includes("10 passed")) throw new Error(`the tests failed:\n${stdout}\n${stderr}`);
  return { wallS, cpuS: userS + systemS };
}

function tell(name: string, runs: readonly Run[], mostS: number): void {
  const wallS = median(runs.map((one) => one.wallS));
  const cpuS = median(runs.map((one) => one.cpuS));
  const all = runs.map((one) => one.wallS.toFixed(1)).join(" ");
  const verdict = wallS <= mostS ? "holds" : "does not hold";
  console.log(
    `${name}: ${wallS.toFixed(2)} s (${all}), CPU ${cpuS.toFixed(2)} s; ` +
      `at most ${mostS} s: ${verdict}`,
  );
}

const folder = makeProject();
try {
  const cold: Run[] = [];
  const warm: Run[] = [];
  for (let i = 0; i < ROUNDS; i += 1) {
    // Of the compiler, of vitest, of vite.
    for (const cache of [".cache", ".vitest-cache", ".vite", ".vite-temp"]) {
      rmSync(join(folder, "node_modules", cache), { recursive: true, force: true });
    }
    cold.push(run(folder));
    warm.push(run(folder));
  }
  console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
  tell("cold", cold, COLD_S_MAX);
  tell("warm", warm, WARM_S_MAX);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
