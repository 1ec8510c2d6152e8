import { expect, test } from "vitest";
import { FakeTime } from "../../test/fake-time.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { defaultConfig, headerLines, requestHeaders } from "./hcm-for-test.ts";
import { ResponseFinisher } from "./response-finisher.ts";

const DATE = "date: Thu, 01 Jan 2026 00:00:01 GMT";

function finish(
  config: Partial<HcmConfig>,
  more: readonly string[] = [],
  request: HeaderMap | null = requestHeaders("/"),
): string[] {
  const headers = new HeaderMap();
  headers.status = 200;
  for (let i = 0; i < more.length; i += 2) headers.append(more[i] as string, more[i + 1] as string);
  const clock = new Clock(new FakeTime());
  new ResponseFinisher({ ...defaultConfig, ...config }, clock).finish(headers, request);
  return headerLines(headers);
}

test("date and server come last, and the upstream's keep their place", () => {
  expect(finish({}, ["content-length", "2"])).toEqual(["content-length: 2", DATE, "server: envoy"]);
  expect(finish({}, ["server", "nginx", "date", "then", "a", "b"])).toEqual([
    "server: envoy",
    "date: then",
    "a: b",
  ]);
});

test("server follows its transformation", () => {
  const append = { serverHeaderTransformation: "append_if_absent" } as const;
  const pass = { serverHeaderTransformation: "pass_through" } as const;
  expect(finish({ serverName: "gate" })).toEqual([DATE, "server: gate"]);
  expect(finish(append, ["server", "nginx"])).toEqual(["server: nginx", DATE]);
  expect(finish(append)).toEqual([DATE, "server: envoy"]);
  expect(finish(pass, ["server", "nginx"])).toEqual(["server: nginx", DATE]);
  expect(finish(pass)).toEqual([DATE]);
});

test("the request id is echoed when asked for by configuration or a traced request", () => {
  const echo = { alwaysSetRequestIdInResponse: true };
  const request = requestHeaders("/", ["x-request-id", "abc"]);
  expect(finish(echo, [], request)).toEqual([DATE, "server: envoy", "x-request-id: abc"]);
  expect(finish({}, [], request)).toEqual([DATE, "server: envoy"]);
  request.append("x-envoy-force-trace", "1");
  expect(finish({}, [], request)).toContain("x-request-id: abc");
  expect(finish(echo, [], null)).toEqual([DATE, "server: envoy"]);
});

test("via is appended", () => {
  expect(finish({ via: "gate" })).toEqual([DATE, "server: envoy", "via: gate"]);
  expect(finish({ via: "gate" }, ["via", "1.1 up"])[0]).toBe("via: 1.1 up, gate");
});

test("headers of the upstream's connection go", () => {
  const hop = ["connection", "close", "keep-alive", "5", "transfer-encoding", "chunked"];
  expect(finish({}, [...hop, "proxy-connection", "x"])).toEqual([DATE, "server: envoy"]);
});
