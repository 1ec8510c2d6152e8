// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toHaveHeader; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../assembly/index.ts", import.meta.url);
const config = { find: "secret", replace: "******" };

test("replaces text, wherever a body is cut", async () => {
  const t = await loadFilter(FILTER, { config });
  const s = await t.request();
  await s.respond({
    headers: { "content-type": "text/plain" },
    chunks: ["a sec", "ret and a secret"],
  });
  expect(s.response).toHaveBody("a ****** and a ******");
  expect(s.response).toHaveHeader("x-rewritten-by", "my-filter");
});

test("leaves other types as they are", async () => {
  const t = await loadFilter(FILTER, { config });
  const s = await t.request();
  await s.respond({ headers: { "content-type": "image/png" }, body: "secret" });
  expect(s.response).toHaveBody("secret");
  expect(s.response).toHaveHeader("x-rewritten-by", null);
});

test("must be told what to find", async () => {
  expect((await configErrors(FILTER, { config: {} })).join("\n")).toContain("/find");
});
