// Memory over many requests: `SOAK_REQUESTS=1000000 npx vitest run sdk-assemblyscript/test/soak.test.ts`.
import { createFilterHost, type FilterHost } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import { guestPath } from "./mini-host.ts";

const REQUESTS = Number(process.env["SOAK_REQUESTS"] ?? 10_000);

async function start(guest: string, config: object | string): Promise<FilterHost> {
  return createFilterHost({
    module: await guestPath(guest, "release"),
    config,
    logLevel: "error",
    clusters: { auth: ({ body }) => ({ status: 200, body: `alice ${body.length}` }) },
  });
}

/** Bytes of the guest's memory after `count` requests. */
function run(host: FilterHost, count: number, path: string): number {
  for (let i = 0; i < count; i += 1) {
    const length = (i * 37) % 500;
    host.request({
      method: "POST",
      path,
      headers: { "user-agent": "a".repeat(length), authorization: "b".repeat(500 - length) },
      body: "c".repeat(i % 20),
    });
    // What is logged is not looked at, and would pile up.
    host.logs.length = 0;
  }
  return host.guestMemoryBytes;
}

test.each([
  ["header", "value", "/"],
  ["auth", { cluster: "auth" }, "/"],
  ["bodies", "", "/asked"],
])(
  "memory stays as it is after a tenth of all requests: %s",
  async (guest, config, path) => {
    const host = await start(guest, config);
    const bytes = run(host, REQUESTS / 10, path);
    expect(run(host, (REQUESTS * 9) / 10, path)).toBe(bytes);
    expect(host.contexts).toBe(1);
    host.close();
  },
  600_000,
);
