import { defineConfig } from "vitest/config";

export default defineConfig({
  // One vitest for the tests and for @headgate/runtime, also while that is linked from elsewhere.
  resolve: { dedupe: ["vitest"] },
  test: { include: ["test/**/*.test.ts"] },
});
