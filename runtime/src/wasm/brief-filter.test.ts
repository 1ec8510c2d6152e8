// Guests that serve a stream in one call: what is called in their place, and when the usual callbacks
// are called all the same.
import { expect, test } from "vitest";
import { createFilterHost, type FilterHost } from "../../test/harness.ts";
import { constant, guestBuilder, op } from "../module/wasm-builder-for-test.ts";

type Direction = "request" | "response";

/** What the brief callbacks answer; without one there are none of that direction. */
type Answers = Partial<Record<Direction, number>>;

/** Each callback logs its name; of two directions it is named, too. */
function briefGuest(answers: Answers): Uint8Array {
  const builder = guestBuilder((before) =>
    before.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]),
  );
  const add = (name: string, params: number, result: number | null, text: string): void => {
    const at = texts.length * 32 + 16;
    texts.push(text);
    builder.data(at, [...Buffer.from(text)]);
    builder.func({
      params: Array.from({ length: params }, () => "i32"),
      results: result === null ? [] : ["i32"],
      code: [
        ...[2, at, text.length].flatMap((value) => constant(value)),
        op.call,
        0,
        op.drop,
        ...(result === null ? [] : constant(result)),
      ],
      exportAs: name,
    });
  };
  const texts: string[] = [];
  add("proxy_on_context_create", 2, null, "create");
  add("proxy_on_delete", 1, null, "delete");
  const directions = Object.entries(answers);
  for (const [direction, answer] of directions) {
    const name = directions.length > 1 ? ` ${direction}` : "";
    add(`proxy_on_${direction}_headers`, 3, 0, `headers${name}`);
    add(`headgate_${direction}_headers`, 4, answer, `brief${name}`);
  }
  return builder.build();
}

async function hostOf(
  answers: Answers,
  options: Partial<Parameters<typeof createFilterHost>[0]> = {},
): Promise<FilterHost> {
  const host = await createFilterHost({
    ...options,
    module: briefGuest(answers),
    logLevel: "info",
  });
  // The root context is made in the usual way.
  expect(saidBy(host)).toEqual(["create"]);
  return host;
}

/** What the guest has logged since it was asked last. */
function saidBy(host: FilterHost): string[] {
  return host.logs.splice(0).map(({ message }) => message);
}

test.each(["request", "response"] as const)("a %s is one call", async (direction) => {
  const host = await hostOf({ [direction]: 0 });
  for (let i = 0; i < 2; i += 1) {
    expect(host.request().status).toBe(200);
    expect(saidBy(host)).toEqual(["brief"]);
  }
  expect(host.costs.byCallback.get(`proxy_on_${direction}_headers`)).toMatchObject({ calls: 2 });
  host.close();
});

test("a guest that keeps the context is told its end", async () => {
  const host = await hostOf({ request: 256 });
  expect(host.request().status).toBe(200);
  expect(saidBy(host)).toEqual(["brief", "delete"]);
  host.close();
});

test.each<[Answers, readonly string[]]>([
  [{ request: 0, response: 0 }, ["brief request"]],
  [{ request: 256, response: 0 }, ["brief request", "brief response"]],
  [{ request: 256, response: 256 }, ["brief request", "brief response", "delete"]],
])("with hooks for both heads it says after each whether it goes on: %j", async (answers, said) => {
  const host = await hostOf(answers);
  for (let i = 0; i < 2; i += 1) {
    expect(host.request().status).toBe(200);
    expect(saidBy(host)).toEqual(said);
  }
  host.close();
});

test("the action stands beside it", async () => {
  const host = await hostOf({ request: 256 + 1 });
  const exchange = host.request();
  expect(exchange.upstreamRequest).toBeNull();
  exchange.abort();
  expect(saidBy(host)).toEqual(["brief", "delete"]);
  host.close();
});

test("who sees the calls, or allows but some, sees the usual ones", async () => {
  const usual = ["create", "headers", "delete"];
  const traced = await hostOf({ request: 0 });
  traced.plugin.root?.vm.setTraced(true);
  traced.request();
  expect(saidBy(traced).filter((message) => usual.includes(message))).toEqual(usual);
  traced.close();
  const allowedCapabilities = [
    "proxy_log",
    "proxy_on_context_create",
    "proxy_on_request_headers",
    "proxy_on_delete",
  ];
  const restricted = await hostOf({ request: 0 }, { allowedCapabilities });
  restricted.request();
  expect(saidBy(restricted)).toEqual(usual);
  restricted.close();
});
