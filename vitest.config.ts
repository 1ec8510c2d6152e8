import { defineConfig } from "vitest/config";

/** In one process or two for all of them: they start nothing, and leave nothing in their process. */
const UNITS = ["{abi,runtime}/src/**/*.test.ts"];
/** Threads, processes, servers, the command line. */
const BIG = ["runtime/src/{cli,server}/**"];
const ALL = ["{abi,runtime,filters,examples,conformance,sdk-assemblyscript,bench}/**/*.test.ts"];
// Tests of templates run in the projects that are made of them.
const NONE = ["**/node_modules/**", "**/build/**", "**/dist/**", "**/templates/**"];
// For hangs only: machines with a lot to do are slow, and nothing here is judged by its time.
const HANG_MS = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    globalSetup: ["conformance/compile-service.ts", "runtime/test/bundled.ts"],
    // Tests of processes mostly wait: with the default, one core less, a machine of two would idle.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "units",
          include: UNITS,
          exclude: [...NONE, ...BIG],
          isolate: false,
          ...HANG_MS,
        },
      },
      {
        test: {
          name: "rest",
          include: ALL,
          exclude: [...NONE, "abi/src/**", "runtime/src/!(cli|server)/**", "runtime/src/*.test.ts"],
          ...HANG_MS,
        },
      },
    ],
  },
});
