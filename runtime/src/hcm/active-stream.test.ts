// What one stream does with odd requests and answers, as Envoy 1.40 did.
import { describe, expect, test } from "vitest";
import type { LocalReplyConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { remoteAddressOf } from "../core/stream-info.ts";
import { FilterDataStatus, FilterHeadersStatus } from "../filter/filter-status.ts";
import { type DataStep, type FilterScript, localReply, ScriptedFilter } from "../filter/testing.ts";
import { FakeRoute, type FakeRouter, HcmWorld } from "./hcm-for-test.ts";

const ok = (router: FakeRouter): void => router.respond(200, "ok");
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

function get(...lines: string[]): string {
  return `${["GET / HTTP/1.1", "Host: h", ...lines].join("\r\n")}\r\n\r\n`;
}

describe("the client's address", () => {
  test("is each stream's own, and its log's", () => {
    const seen: string[] = [];
    const w = new HcmWorld({
      onRequest: (router) => seen.push(remoteAddressOf(router.callbacks.streamInfo)),
    });
    w.send(get("X-Forwarded-For: 1.2.3.4") + get());
    w.router.respond(200, "one");
    w.pump();
    w.router.respond(200, "two");
    w.send(get("X-Forwarded-For: 127.0.0.1"));
    expect(seen).toEqual(["1.2.3.4:0", "127.0.0.1:40000", "127.0.0.1:0"]);
  });
});

describe("routing", () => {
  test("nothing is routed with an empty x-forwarded-proto", () => {
    const routes: (string | undefined)[] = [];
    const w = new HcmWorld({ onRequest: (router) => routes.push(router.callbacks.route?.name) });
    w.send(get("X-Forwarded-Proto:"));
    w.connect();
    w.send(get("X-Forwarded-Proto: odd"));
    expect(routes).toEqual([undefined, "rest"]);
  });

  test.each([
    // Where headers may decide they are asked each time, else only for what can change the answer.
    [false, "x-other", "/", ["/", "/"]],
    [true, "x-other", "/", ["/"]],
    [false, ":path", "/b", ["/", "/b"]],
    [true, ":path", "/b", ["/", "/b"]],
    [true, ":authority", "other", ["/", "/"]],
    [true, "x-forwarded-proto", "", ["/"]],
  ])("of a table that is plain, %s, a filter that sets %s", (isPlain, name, value, expected) => {
    const asked: (string | null)[] = [];
    const match = (headers: HeaderMap): FakeRoute => {
      asked.push(headers.path);
      return new FakeRoute();
    };
    const changing = (): ScriptedFilter =>
      new ScriptedFilter(
        "f",
        {
          decodeHeaders: (filter, headers) => {
            headers.set(name, value);
            filter.callbacks.clearRouteCache();
            return FilterHeadersStatus.Continue;
          },
        },
        [],
      );
    const found: (string | undefined)[] = [];
    const w = new HcmWorld({
      routes: { isPlain, match },
      filters: () => [changing()],
      onRequest: ({ callbacks }) => found.push(callbacks.route?.name, callbacks.route?.name),
    });
    w.send(get());
    expect(asked).toEqual(expected);
    const isLost = name === "x-forwarded-proto";
    expect(found).toEqual(isLost ? [undefined, undefined] : ["rest", "rest"]);
  });

  test("filters know route, cluster and protocol", () => {
    const seen: unknown[] = [];
    const filter = (): ScriptedFilter => {
      const one: ScriptedFilter = new ScriptedFilter(
        "f",
        {
          decodeHeaders: () => {
            const info = one.callbacks.streamInfo;
            seen.push(info.routeName, info.virtualHostName, info.upstreamCluster, info.protocol);
            return FilterHeadersStatus.Continue;
          },
        },
        [],
      );
      return one;
    };
    const w = new HcmWorld({ filters: () => [filter()], onRequest: ok });
    w.send(get());
    expect(seen).toEqual(["rest", "all", "up", 11]);
  });
});

describe("an upgrade", () => {
  test.each([
    get("Connection: upgrade", "Upgrade:"),
    get("Connection: upgrade", "Upgrade: h2c, websocket"),
    get("Connection: keep-alive, Upgrade", "Upgrade: x"),
    get("Connection: upgrade", "Upgrade: x", "Content-Length: 1").replace("GET", "POST"),
  ])("%j is refused after routing and closes", (request) => {
    const w = new HcmWorld({ onRequest: ok });
    expect(w.send(request)).toMatch(/^HTTP\/1.1 403 Forbidden\r\n.*connection: close\r\n/s);
    expect(w.counts()["rq_ws_on_non_ws_route"]).toBe(1);
    expect(w.log[0]).toMatch(/^403\|-\|upgrade_failed\|.*\|up\|rest$/);
  });

  const upgrades = [
    { type: "websocket", enabled: true, connect: null },
    { type: "off", enabled: false, connect: null },
    { type: "connect", enabled: true, connect: null },
  ];
  const ws = get("Connection: Upgrade", "Upgrade: WebSocket");
  const switching = ["connection", "upgrade", "upgrade", "websocket"];

  test("that is allowed becomes a tunnel after the 101, and is counted while it lasts", () => {
    const w = new HcmWorld({ config: { upgrades } });
    w.send(`${ws}early`);
    expect(w.router.callbacks.upgradeType).toBe("websocket");
    expect(w.router.headers?.get("upgrade")).toBe("WebSocket");
    expect(w.router.body).toBe("");
    w.router.respond(101, "down", false, switching);
    w.pump();
    w.send("late");
    expect(w.router.body).toBe("earlylate");
    expect(w.router.isComplete).toBe(false);
    expect(w.io.sent).toMatch(/^HTTP\/1.1 101 [^]*\r\n\r\ndown$/);
    expect(w.stats.counter("http.main.downstream_cx_upgrades_total").value).toBe(1);
    expect(w.stats.gauge("http.main.downstream_cx_upgrades_active").value).toBe(1);
    w.connection.onEnd();
    expect(w.stats.gauge("http.main.downstream_cx_upgrades_active").value).toBe(0);
    expect(w.log[0]).toMatch(/^101\|DC\|downstream_remote_disconnect\|/);
  });

  test.each([
    ["off", false, true],
    ["off", true, false],
    ["websocket", false, false],
  ])("%s: what the route says (%j) counts before the manager", (type, enabled, isRefused) => {
    const route = new FakeRoute();
    if (enabled || type !== "off") route.upgrades = new Map([[type, enabled]]);
    const w = new HcmWorld({ config: { upgrades }, route });
    w.send(get("Connection: upgrade", `Upgrade: ${type}`));
    expect(w.log.join("").includes("upgrade_failed")).toBe(isRefused || !enabled);
  });

  test("its heads and its bytes pass the filters, which may change and hold them", () => {
    const events: string[] = [];
    const mark =
      (text: string): DataStep =>
      (_filter, data) => {
        data.append(Buffer.from(text));
        return FilterDataStatus.Continue;
      };
    const filter = new ScriptedFilter(
      "f",
      {
        decodeData: [FilterDataStatus.StopIterationAndBuffer, mark("^")],
        encodeData: [mark("v")],
      },
      events,
    );
    const w = new HcmWorld({ config: { upgrades }, filters: () => [filter] });
    w.send(ws);
    w.router.respond(101, "down", false, switching);
    w.pump();
    w.send("one");
    expect(w.router.body).toBe("");
    w.send("two");
    expect(w.router.body).toBe("onetwo^");
    expect(w.io.sent).toMatch(/\r\n\r\ndownv$/);
    w.connection.onEnd();
    expect(events).toEqual([
      "f.dh",
      "f.eh",
      "f.ed(down)",
      "f.dd(one)",
      "f.dd(two)",
      "f.log",
      "f.destroy",
    ]);
  });

  test("CONNECT needs a word for it, too", () => {
    const connect = "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n";
    const refused = new HcmWorld({ onRequest: ok });
    expect(refused.send(connect)).toMatch(/^HTTP\/1.1 403 /);
    const w = new HcmWorld({ config: { upgrades } });
    w.send(connect);
    w.router.respond(200, "down", false);
    w.send("up");
    expect(w.router.body).toBe("up");
  });

  test("that the upstream refuses ends the connection: early bytes are nobody's", () => {
    const w = new HcmWorld({ config: { upgrades } });
    w.send(`${ws}${get()}`);
    w.router.respond(404, "no");
    expect(w.io.sent).toMatch(/^HTTP\/1.1 404 [^]*connection: close\r\n[^]*no$/);
    expect(w.routers).toHaveLength(1);
    expect(w.log).toHaveLength(1);
  });

  test.each([
    get("Connection: upgrade"),
    get("Upgrade: x"),
    get("Connection: upgrade", "Upgrade: h2c"),
  ])("%j is none", (request) => {
    const w = new HcmWorld({ onRequest: ok });
    expect(w.send(request)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });
});

describe("Expect", () => {
  test.each([get("Expect: 100-Continue"), get("Expect: 100-continue")])(
    "%j is answered without a body, too",
    (request) => {
      const w = new HcmWorld({ onRequest: ok });
      expect(w.send(request).startsWith(`${CONTINUE}HTTP/1.1 200 OK`)).toBe(true);
      expect(w.router.headers?.has("expect")).toBe(false);
    },
  );

  test("is answered when the body is there, and to HTTP/1.0", () => {
    const old = { ...new HcmWorld().factory.context.config.http1, acceptHttp10: true };
    const w = new HcmWorld({ config: { http1: old }, onRequest: ok });
    const rest = "Host: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na";
    expect(w.send(`POST / HTTP/1.0\r\n${rest}`)).toMatch(
      /^HTTP\/1.0 100 Continue\r\n\r\nHTTP\/1.0 200 OK\r\n/,
    );
  });

  test("of something else goes up, also next to 100-continue", () => {
    const w = new HcmWorld({ onRequest: ok });
    expect(w.send(get("Expect: 100-continue", "Expect: x"))).toMatch(/^HTTP\/1.1 200/);
    expect(w.router.headers?.get("expect")).toBe("100-continue,x");
  });

  test("leaves 100 to the log of a client that goes away then", () => {
    const w = new HcmWorld();
    w.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    w.breakOff();
    expect(w.log[0]).toMatch(/^100\|DC\|/);
  });
});

describe("a local reply whose own status is 400 closes", () => {
  const mapped = (from: number, to: number): LocalReplyConfig => ({
    mappers: [
      {
        filter: { kind: "status_code", op: "eq", value: from, runtimeKey: "" },
        statusCode: to,
        body: null,
        bodyFormat: null,
        headersToAdd: [],
      },
    ],
    bodyFormat: null,
  });
  test.each([
    [400, null, false, true],
    [400, null, true, false],
    [404, null, false, false],
    [404, mapped(404, 400), false, false],
    [400, mapped(400, 404), false, true],
  ] as const)("%i mapped by %j, stream_error %s: %s", (status, localReplies, keeps, closes) => {
    const w = new HcmWorld({
      config: { localReply: localReplies, streamErrorOnInvalidHttpMessage: keeps },
      onRequest: (router) => router.callbacks.sendLocalReply(localReply(status, "x", "why")),
    });
    expect(w.send(get()).includes("connection: close\r\n")).toBe(closes);
  });
});

describe("a local reply that a filter holds", () => {
  test("ends the request upstream, whose answer would come after it", () => {
    const holder = new ScriptedFilter(
      "f",
      { encodeHeaders: FilterHeadersStatus.StopIteration },
      [],
    );
    const w = new HcmWorld({ filters: () => [holder] });
    w.send(get());
    holder.callbacks.sendLocalReply(localReply(503, "", "no"));
    expect(w.router.isDestroyed).toBe(true);
    expect(w.io.sent).toBe("");
    holder.callbacks.continueEncoding(0);
    expect(w.io.sent).toMatch(/^HTTP\/1.1 503 /);
    expect(w.log.length).toBe(1);
  });
});

describe("a filter that holds", () => {
  const holding = (script: FilterScript): (() => readonly ScriptedFilter[]) => {
    return () => [new ScriptedFilter("hold", script, [])];
  };

  test("a complete request does not stop request_timeout", () => {
    const w = new HcmWorld({
      config: { requestTimeoutMs: 2000 },
      filters: holding({ decodeHeaders: FilterHeadersStatus.StopIteration }),
    });
    w.send(get());
    w.pass(2200);
    expect(w.io.sent).toMatch(/^HTTP\/1.1 504 /);
    expect(w.log[0]).toContain("504|-|request_overall_timeout|GET|/");
    expect(w.counts()["rq_timeout"]).toBe(1);
    expect(w.io.fate).toBe("open");
  });

  test("a response's head lets an answer come when the upstream breaks off", () => {
    const w = new HcmWorld({
      filters: holding({ encodeHeaders: FilterHeadersStatus.StopAllIterationAndBuffer }),
    });
    w.send(get());
    w.router.respond(200, "abc", false);
    const reply = localReply(502, "broken", "upstream_reset{x}");
    w.router.callbacks.sendLocalReply({ ...reply, responseFlags: 0x40 });
    w.pump();
    expect(w.io.sent).toMatch(/^HTTP\/1.1 502 /);
    expect(w.io.sent).toMatch(/broken$/);
    expect(w.log).toEqual(["502|UC|upstream_reset{x}|GET|/|0|6|up|rest"]);
    expect(w.io.fate).toBe("open");
    expect(w.counts()["rq_tx_reset"] ?? 0).toBe(0);
  });
});
