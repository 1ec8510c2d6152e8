import { filterProject } from "@headgate/runtime/testing/project";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The filter compiles while vitest starts, and tests run again when it was saved.
  plugins: [filterProject()],
  test: { include: ["test/**/*.test.ts"] },
});
