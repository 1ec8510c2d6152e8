// What the launcher gives to the process that it becomes.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { sourceLauncher } from "./launcher.ts";

const NAMES = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"] as const;
const code = `console.log(${NAMES.map((name) => `process.env.${name}`).join(",")})`;

/** The environment of the process, told by the process before it does anything. */
function limits(given: Readonly<Record<string, string>>): string {
  const { MALLOC_MMAP_THRESHOLD_: _mmap, MALLOC_TRIM_THRESHOLD_: _trim, ...rest } = process.env;
  const env = { ...rest, NODE_OPTIONS: `--import=data:text/javascript,${code}`, ...given };
  return (
    spawnSync(sourceLauncher, ["--version"], { env, encoding: "utf8" }).stdout.split("\n")[0] ?? ""
  );
}

test("glibc gives large blocks back to the kernel", () => {
  expect(limits({})).toBe("131072 131072");
});

test("who sets glibc's limits is obeyed", () => {
  expect(limits({ MALLOC_MMAP_THRESHOLD_: "65536" })).toBe("65536 131072");
});
