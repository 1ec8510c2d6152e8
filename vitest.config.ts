import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{abi,runtime,filters,examples,conformance,sdk-assemblyscript,bench}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/build/**", "**/dist/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
