// Around all tests: compilers that stay, started by the first guest that is not in a cache. A clean checkout
// compiles dozens.
import { createRequire } from "node:module";
import type * as Service from "../sdk-assemblyscript/asc-service.mjs";

export default function startCompilers(): Promise<() => void> {
  // Where vitest runs this, `import` has no import.meta.resolve.
  const require = createRequire(import.meta.url);
  const { startAscService } = require("../sdk-assemblyscript/asc-service.mjs") as typeof Service;
  return startAscService();
}
