// What responses gain and lose, in the order in which Envoy 1.40 wrote them.
import { describe, expect, test } from "vitest";
import { responseMap } from "../codec/http1/recorders-for-test.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { defaultConfig, getRequest, writtenLines } from "./hcm-for-test.ts";
import { ResponseFinisher } from "./response-finisher.ts";

const DATE = "date: Mon, 01 Jan 2024 00:00:00 GMT";
const SERVER = "server: envoy";

function finish(
  lines: readonly string[],
  changes: Partial<HcmConfig> = {},
  request: HeaderMap | null = getRequest("/", "X-Request-Id: the-id"),
): string[] {
  const headers = responseMap(200, ...lines);
  const epochMs = (): number => Date.UTC(2024, 0, 1);
  const clock = new Clock({ monotonicMs: () => 0, epochMs });
  new ResponseFinisher({ ...defaultConfig, ...changes }, clock).finish(headers, request);
  return writtenLines(headers);
}

describe("date and server", () => {
  test("are appended", () => {
    expect(finish(["content-length: 1"])).toEqual(["content-length: 1", DATE, SERVER]);
    expect(finish([], {}, null)).toEqual([DATE, SERVER]);
  });

  test("keep their place; the upstream's date keeps its value", () => {
    expect(finish(["zz: 1", "date: x", "server: nginx", "aa: 2"])).toEqual([
      "zz: 1",
      "date: x",
      SERVER,
      "aa: 2",
    ]);
  });

  test("repeated lines become one", () => {
    expect(finish(["server: a", "server: b", "date: x", "date: y", "via: a", "via: b"])).toEqual([
      SERVER,
      "date: x,y",
      "via: a,b",
    ]);
  });

  test.each([
    ["append_if_absent", [], [DATE, SERVER]],
    ["append_if_absent", ["server: nginx"], ["server: nginx", DATE]],
    ["pass_through", [], [DATE]],
    ["pass_through", ["server: nginx"], ["server: nginx", DATE]],
  ] as const)("%s with %o", (serverHeaderTransformation, lines, expected) => {
    expect(finish(lines, { serverHeaderTransformation })).toEqual(expected);
  });

  test("server_name", () => {
    expect(finish([], { serverName: "gate" })).toEqual([DATE, "server: gate"]);
  });

  test("the date follows the clock", () => {
    let epochMs = 0;
    const late = new Clock({ monotonicMs: () => epochMs, epochMs: () => 0 });
    const finisher = new ResponseFinisher(defaultConfig, late);
    const dateOf = (): string | undefined => {
      const headers = responseMap(200);
      finisher.finish(headers, null);
      return headers.get("date");
    };
    expect(dateOf()).toBe("Thu, 01 Jan 1970 00:00:00 GMT");
    epochMs = 1000;
    late.update();
    expect(dateOf()).toBe("Thu, 01 Jan 1970 00:00:01 GMT");
  });
});

test("hop-by-hop headers go; te and trailer are none of a response's", () => {
  const lines = ["connection: upgrade", "upgrade: x", "keep-alive: 1", "proxy-connection: y"];
  const more = ["transfer-encoding: chunked", "te: x", "trailer: z"];
  expect(finish([...lines, ...more])).toEqual(["te: x", "trailer: z", DATE, SERVER]);
});

test("an upgrade that was asked for keeps its headers", () => {
  const request = getRequest("/", "Connection: upgrade", "Upgrade: x");
  const lines = ["connection: upgrade", "upgrade: x"];
  expect(finish(lines, {}, request)).toEqual([...lines, DATE, SERVER]);
});

describe("x-request-id", () => {
  const echo = { alwaysSetRequestIdInResponse: true };
  test("is echoed when configured, in place of the upstream's", () => {
    expect(finish([], echo)).toEqual([DATE, SERVER, "x-request-id: the-id"]);
    expect(finish(["x-request-id: up"], echo)[0]).toBe("x-request-id: the-id");
    expect(finish(["x-request-id: up"])[0]).toBe("x-request-id: up");
    expect(finish([], echo, getRequest("/"))).toEqual([DATE, SERVER]);
  });

  test("is echoed to clients that force a trace", () => {
    const request = getRequest("/", "x-envoy-force-trace: 1", "X-Request-Id: i");
    expect(finish([], {}, request)).toEqual([DATE, SERVER, "x-request-id: i"]);
  });
});

test.each([
  [[], [DATE, SERVER, "via: gate"]],
  [["via: 1.1 up"], ["via: 1.1 up, gate", DATE, SERVER]],
  [
    ["via: a", "via: b"],
    ["via: a,b, gate", DATE, SERVER],
  ],
  [["via:"], ["via: gate", DATE, SERVER]],
])("via with %o", (lines, expected) => {
  expect(finish(lines, { via: "gate" })).toEqual(expected);
});
