import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{abi,runtime,filters,examples,conformance,sdk-assemblyscript,bench}/**/*.test.ts"],
    // Tests of templates run in the projects that are made of them.
    exclude: ["**/node_modules/**", "**/build/**", "**/dist/**", "**/templates/**"],
    globalSetup: ["conformance/compile-service.ts", "runtime/test/bundled.ts"],
    // Tests of processes mostly wait: with the default, one core less, a machine of two would idle.
    maxWorkers: "100%",
    // For hangs only: machines with a lot to do are slow, and nothing here is judged by its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
