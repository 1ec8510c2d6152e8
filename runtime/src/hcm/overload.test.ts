// What a connection does when the overload manager says so; compared with Envoy 1.40 by hand.
import { expect, test } from "vitest";
import { ScriptedFilter } from "../filter/testing.ts";
import { HcmWorld } from "./hcm-for-test.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const DATE = "date: Thu, 01 Jan 2026 00:00:01 GMT\r\n";
const SHED =
  "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 16\r\ncontent-type: text/plain\r\n" +
  `${DATE}server: envoy\r\n`;
const HOUR = 3_600_000;

test.each(["stopRequests", "shedHeaders"] as const)(
  "%s: 503 without filters or a route",
  (name) => {
    const made: ScriptedFilter[] = [];
    const filters = (): ScriptedFilter[] => {
      const filter = new ScriptedFilter("f", {}, []);
      made.push(filter);
      return [filter];
    };
    const w = new HcmWorld({ filters });
    w.overload[name].level = 1;
    expect(w.send(GET)).toBe(`${SHED}\r\nenvoy overloaded`);
    expect(w.io.fate).toBe("open");
    w.send(GET);
    expect(made).toEqual([]);
    expect(w.routers).toEqual([]);
    expect(w.log).toEqual(Array(2).fill("503|-|overload|GET|/|0|16|-|-"));
    expect(w.counts()).toMatchObject({ rq_overload_close: 2, rq_5xx: 2, rq_total: 2 });
    w.overload[name].level = 0;
    w.send(GET);
    expect(w.routers.length).toBe(1);
  },
);

test("stopRequests: append_local_overload marks the answer", () => {
  const w = new HcmWorld({ config: { appendLocalOverload: true } });
  w.overload.stopRequests.level = 1;
  expect(w.send(GET)).toContain("\r\nx-envoy-local-overloaded: true\r\n");
});

test("stopRequests: who still sends a body gets no 100, the answer, and time to read it", () => {
  const w = new HcmWorld();
  w.overload.stopRequests.level = 1;
  const post = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
  expect(w.send(post)).toBe(`${SHED}connection: close\r\n\r\nenvoy overloaded`);
  expect(w.io.fate).toBe("open");
  w.pass(1200);
  expect(w.io.fate).toBe("closed");
});

test("disableKeepAlive: the answer says close and the connection ends", () => {
  const w = new HcmWorld({ onRequest: (router) => router.respond(200, "ok") });
  w.overload.disableKeepAlive.level = 1;
  expect(w.send(GET)).toBe(
    `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${DATE}server: envoy\r\nconnection: close\r\n\r\nok`,
  );
  expect(w.counts()["cx_overload_disable_keepalive"]).toBe(1);
  w.pass(1200);
  expect(w.io.fate).toBe("closed");
});

test("shedCodec: a connection that has not spoken yet is closed, others go on", () => {
  const w = new HcmWorld({ onRequest: (router) => router.respond(200, "ok") });
  w.send(GET);
  w.overload.shedCodec.level = 1;
  expect(w.send(GET)).toContain("200 OK");
  w.connect();
  expect(w.send(GET)).toBe("");
  w.pass(1200);
  expect(w.io.fate).toBe("closed");
  expect(w.counts()["rq_overload_close"]).toBe(1);
});

test("reduceTimeouts: waiting connections hear of it at once, and of its end", () => {
  const w = new HcmWorld();
  w.overload.connectionIdleFloor = { minMs: 2000, minScale: 0 };
  w.overload.reduceTimeouts.level = 0.5;
  w.connection.onTimeoutsChanged();
  w.pass(10_000);
  expect(w.io.fate).toBe("open");
  w.overload.reduceTimeouts.level = 1;
  w.connection.onTimeoutsChanged();
  w.pass(200);
  expect(w.io.fate).toBe("closed");
  expect(w.counts()["cx_idle_timeout"]).toBe(1);
  w.connect();
  w.overload.reduceTimeouts.level = 0;
  w.connection.onTimeoutsChanged();
  w.pass(HOUR - 1000);
  expect(w.io.fate).toBe("open");
  w.pass(2000);
  expect(w.io.fate).toBe("closed");
});

test("reduceTimeouts: streams and the life of a connection", () => {
  const w = new HcmWorld({ config: { maxConnectionDurationMs: HOUR } });
  w.overload.streamIdleFloor = { minMs: -1, minScale: 0.01 };
  w.overload.connectionMaxFloor = { minMs: 60_000, minScale: 0 };
  w.send(GET);
  w.overload.reduceTimeouts.level = 1;
  w.connection.onTimeoutsChanged();
  w.pass(3200);
  expect(w.io.sent).toContain("HTTP/1.1 504 Gateway Timeout");
  w.pass(58_000);
  expect(w.counts()["cx_max_duration_reached"]).toBe(1);
});
