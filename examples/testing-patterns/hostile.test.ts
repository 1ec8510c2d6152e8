// Inputs that nobody would think of, and many of them: a filter must not trap, must not let through what
// it should not, and must not keep what is over.
import fc from "fast-check";
import { loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const BODY_FILTER = new URL("../body-rewrite/assembly/index.ts", import.meta.url);
const JSON_TYPE = { "content-type": "application/json" };

/** JSON, JSON that was cut or has another character somewhere, and anything at all. */
const bodies = fc.oneof(
  fc.json(),
  fc
    .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
    .map(([text, at, by]) => text.slice(0, at % text.length) + by + text.slice(at % text.length)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("whatever a body holds, only JSON passes, and a response has no secret", async () => {
  const t = await loadFilter(BODY_FILTER, { config: { mask: ["password"] } });
  const holds = fc.asyncProperty(bodies, bodies, async (sent, answered) => {
    const s = await t.request({ method: "POST", headers: JSON_TYPE, body: sent });
    // It may be stricter than Node, never laxer.
    if (s.localReply !== null) return s.localReply.status === 400;
    if (sent !== "" && !isJson(sent)) return false;
    await s.respond({ headers: JSON_TYPE, body: `{"password":"hunter2","more":${answered}}` });
    return s.response?.text.includes("hunter2") === false;
  });
  await expect(fc.assert(holds, { numRuns: 300 })).resolves.toBeUndefined();
});

test("memory stays as it is over thousands of requests", async () => {
  const t = await loadFilter(BODY_FILTER, { config: { mask: ["password"] } });
  const request = (i: number): object => ({
    method: "POST",
    headers: JSON_TYPE,
    body: JSON.stringify({ password: "x".repeat(i % 500) }),
  });
  const response = { headers: JSON_TYPE, body: '{"password":"hunter2"}' };
  // The plugin's own context is left, before and after.
  expect(await t.soak(2000, { request, response })).toMatchObject({ contexts: [1, 1] });
});
