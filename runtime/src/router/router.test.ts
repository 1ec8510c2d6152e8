import { describe, expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { clusterConfig, hostConfig, limits } from "../upstream/upstream-for-test.ts";
import { expectEmpty, RouterWorld } from "./router-for-test.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const RESET_BODY = "upstream connect error or disconnect/reset before headers. reset reason: ";
const BEFORE = "upstream_reset_before_response_started";
const AFTER = "upstream_reset_after_response_started";

/** Sends a GET on a connection that has served one before. */
function onKeptConnection(world: RouterWorld, method = "GET", end = true): void {
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive(OK);
  world.next();
  world.request(method, end);
}

test("forwards a request and its response, with Envoy's headers, facts and stats", () => {
  const world = new RouterWorld();
  world.request();
  world.pass(5);
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent).toBe(
    "GET / HTTP/1.1\r\nhost: a\r\nx-envoy-expected-rq-timeout-ms: 15000\r\nx-to-upstream: 1\r\n\r\n",
  );
  world.pass(20);
  world.engine.io(0).receive(OK);
  expect(world.events).toEqual(["headers 200", "data ok end"]);
  expect(world.responseHeaders?.get("x-envoy-upstream-service-time")).toBe("25");
  expect(world.responseHeaders?.get("x-to-client")).toBe("1");
  expect(world.responseHeaders?.get("x-envoy-attempt-count")).toBeUndefined();
  expect(world.streamInfo).toMatchObject({
    upstreamCluster: "up",
    upstreamHost: "127.0.0.1:80",
    upstreamLocalAddress: "127.0.0.1:40000",
    upstreamProtocol: 11,
    upstreamConnectionId: 1,
    attemptCount: 1,
    responseCodeDetails: "via_upstream",
    upstreamTransportFailureReason: "",
  });
  expect(world.counter("http.in.rq_total")).toBe(1);
  expect(world.up("rq_200")).toBe(1);
  expect(world.up("rq_2xx")).toBe(1);
  expect(world.up("rq_completed")).toBe(1);
  expect(world.counter("cluster.up.external.upstream_rq_200")).toBe(1);
  expect(world.stats.histogram("cluster.up.upstream_rq_time").count).toBe(1);
  expect(world.stats.histogram("cluster.up.external.upstream_rq_time").count).toBe(1);
  expect(world.hostCounter("rq_success")).toBe(1);
  expect(world.hostCounter("rq_error")).toBe(0);
  expectEmpty(world);
});

test("internal requests are counted as such, and attempts are told where asked", () => {
  const world = new RouterWorld();
  world.fakeRoute.includeRequestAttemptCount = true;
  world.fakeRoute.includeAttemptCountInResponse = true;
  const control = { "x-envoy-retry-on": "5xx", "x-envoy-upstream-stream-duration-ms": "5" };
  world.request("GET", true, { "x-envoy-internal": "true", ...control });
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent).not.toMatch(/retry-on|duration/);
  expect(world.engine.io(0).sent).toContain("x-envoy-attempt-count: 1\r\n");
  world.engine.io(0).receive("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
  expect(world.events).toEqual(["headers 503 end"]);
  expect(world.responseHeaders?.get("x-envoy-attempt-count")).toBe("1");
  expect(world.counter("cluster.up.internal.upstream_rq_5xx")).toBe(1);
  expect(world.hostCounter("rq_error")).toBe(1);
  expectEmpty(world);
});

describe("upgrades", () => {
  const switching = { connection: "upgrade", upgrade: "websocket" };
  const opened = "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

  function upgrade(type = "websocket"): RouterWorld {
    const world = new RouterWorld();
    world.fakeRoute.timeoutMs = 1000;
    world.upgradeType = type;
    world.request("GET", false, switching);
    world.engine.io(0).connect();
    return world;
  }

  test("pass bytes unframed after the 101, and no timeout ends them", () => {
    const world = upgrade();
    world.engine.io(0).receive(`${opened}down`);
    world.data("up", false);
    world.pass(5000);
    expect(world.engine.io(0).sent).toMatch(/upgrade: websocket\r\n[^]*\r\n\r\nup$/);
    expect(world.events).toEqual(["headers 101", "data down"]);
    world.engine.io(0).fin();
    expect(world.events.at(-1)).toMatch(/^cut UC upstream_reset_after_response_started/);
    expectEmpty(world);
  });

  test("of WebSockets wait for the 101 as long as the route says", () => {
    const world = upgrade();
    world.pass(1000);
    expect(world.events).toEqual(['reply 504 UT response_timeout "upstream request timeout"']);
    expectEmpty(world);
  });

  test("of WebSockets that are answered otherwise get the headers alone", () => {
    const world = upgrade();
    world.engine.io(0).receive("HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 2\r\n\r\nok");
    expect(world.events).toEqual(['reply 200 - websocket_handshake_unsuccessful ""']);
    expect(world.replyHeaders).toEqual(["x", "1"]);
    expectEmpty(world);
  });

  test.each([
    ["websocket", 404],
    ["other", 200],
  ])("to %s that are answered with %d get that answer", (type, status) => {
    const world = upgrade(type);
    world.engine.io(0).receive(`HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\nok`);
    expect(world.events).toEqual([`headers ${status}`, "data ok end"]);
    expect(world.engine.io(0).end).toBe("closed");
    expectEmpty(world);
  });

  test("are none when only a header mutation says so", () => {
    const world = new RouterWorld();
    world.request("POST", false, switching);
    world.engine.io(0).connect();
    world.data("a", false);
    expect(world.engine.io(0).sent).toMatch(/transfer-encoding: chunked\r\n\r\n1\r\na\r\n$/);
    expect(world.engine.io(0).sent).not.toContain("upgrade: websocket");
  });
});

test("no route, redirect or direct response, unknown cluster, no host", () => {
  const world = new RouterWorld({}, {}, []);
  world.route = null;
  world.request();
  expect(world.events).toEqual(['reply 404 NR route_not_found ""']);
  world.next();
  world.route = world.fakeRoute;
  world.fakeRoute.kind = "direct_response";
  world.request();
  expect(world.events).toEqual(['reply 418 - direct_response "x"']);
  world.next();
  world.fakeRoute.kind = "route";
  world.fakeRoute.clusterName = "nope";
  world.fakeRoute.includeAttemptCountInResponse = true;
  world.request();
  expect(world.events).toEqual(['reply 503 NC cluster_not_found ""']);
  expect(world.replyHeaders).toBeNull();
  world.next();
  world.fakeRoute.clusterNotFoundStatus = 404;
  world.request();
  expect(world.events).toEqual(['reply 404 NC cluster_not_found ""']);
  expect(world.streamInfo.upstreamCluster).toBe("");
  world.next();
  world.fakeRoute.clusterName = "up";
  world.request();
  expect(world.events).toEqual(['reply 503 UH no_healthy_upstream "no healthy upstream"']);
  expect(world.replyHeaders).toEqual(["x-envoy-attempt-count", "1"]);
  expect(world.up("cx_none_healthy")).toBe(1);
  expect(world.up("rq_503")).toBe(1);
  expect(world.counter("http.in.no_route")).toBe(1);
  expect(world.counter("http.in.no_cluster")).toBe(2);
  expect(world.counter("http.in.rq_direct_response")).toBe(1);
  expect(world.counter("http.in.rq_redirect")).toBe(0);
  expect(world.counter("http.in.rq_total")).toBe(5);
  expectEmpty(world);
});

test("overflow: 503 UO, x-envoy-overloaded", () => {
  const world = new RouterWorld({ circuitBreakers: limits({ maxPendingRequests: 0 }) });
  world.fakeRoute.includeAttemptCountInResponse = true;
  world.request();
  const reply = `reply 503 UO ${BEFORE}{overflow} "${RESET_BODY}overflow"`;
  expect(world.events).toEqual([reply]);
  expect(world.replyHeaders).toEqual(["x-envoy-overloaded", "true", "x-envoy-attempt-count", "1"]);
  expect(world.streamInfo.upstreamHost).toBe("");
  expect(world.up("rq_503")).toBe(1);
  expectEmpty(world);
  const quiet = new RouterWorld(
    { circuitBreakers: limits({ maxPendingRequests: 0 }) },
    { suppressEnvoyHeaders: true },
  );
  quiet.request();
  expect(quiet.replyHeaders).toBeNull();
});

test("refused and timed-out connections: 503 UF with the reason in details, not in the body", () => {
  const world = new RouterWorld({ connectTimeoutMs: 500 });
  world.request();
  world.engine.io(0).refuse();
  const why = "remote connection failure";
  const details = `${BEFORE}{remote_connection_failure|delayed_connect_error:_Connection_refused}`;
  expect(world.events).toEqual([`reply 503 UF ${details} "${RESET_BODY}${why}"`]);
  const reason = "delayed connect error: Connection refused";
  expect(world.streamInfo.upstreamTransportFailureReason).toBe(reason);
  expect(world.streamInfo.upstreamHost).toBe("127.0.0.1:80");
  expect(world.hostCounter("rq_error")).toBe(1);
  expect(world.hostCounter("rq_total")).toBe(0);
  world.next();
  world.request();
  world.pass(600);
  expect(world.events).toEqual([
    `reply 503 UF ${BEFORE}{connection_timeout} "${RESET_BODY}connection timeout"`,
  ]);
  expectEmpty(world);
});

test("a peer that closes, resets or talks nonsense before the response", () => {
  const cases: [(world: RouterWorld) => void, string, string, number][] = [
    [(world) => world.engine.io(0).fin(), "connection termination", "UC", 503],
    [(world) => world.engine.io(0).die("ECONNRESET"), "connection termination", "UC", 503],
    [(world) => world.engine.io(0).receive("GARBAGE\r\n\r\n"), "protocol error", "UPE", 502],
  ];
  for (const [act, text, flag, status] of cases) {
    const world = new RouterWorld();
    world.request();
    world.engine.io(0).connect();
    act(world);
    const details = `${BEFORE}{${text.replaceAll(" ", "_")}}`;
    expect(world.events).toEqual([`reply ${status} ${flag} ${details} "${RESET_BODY}${text}"`]);
    expect(world.up(`rq_${status}`)).toBe(1);
    expectEmpty(world);
  }
});

test("a head that is cut in its middle is a protocol error", () => {
  const world = new RouterWorld();
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncon");
  world.engine.io(0).fin();
  expect(world.events[0]).toContain(`reply 502 UPE ${BEFORE}{protocol_error}`);
  expectEmpty(world);
});

test("a failure after the response's headers cuts the response", () => {
  const world = new RouterWorld();
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
  world.engine.io(0).fin();
  expect(world.events).toEqual(["headers 200", "data abc", `cut UPE ${AFTER}{protocol_error}`]);
  expect(world.up("rq_200")).toBe(1);
  expect(world.up("rq_completed")).toBe(1);
  expect(world.counter("http.in.rq_reset_after_downstream_response_started")).toBe(0);
  expectEmpty(world);
});

test("a failure after an informational response is answered, with details that tell it", () => {
  const world = new RouterWorld();
  onKeptConnection(world);
  world.engine.io(0).receive("HTTP/1.1 100 Continue\r\n\r\n");
  world.engine.io(0).die("ECONNRESET");
  expect(world.events[0]).toBe("info 100");
  expect(world.events[1]).toMatch(/^reply 50[23] U(C|PE) upstream_reset_after_response_started/);
  expect(world.up("rq_100")).toBe(1);
  expect(world.up("rq_1xx")).toBe(1);
  expectEmpty(world);
});

test("the route timeout: 504 UT, and the connection is closed", () => {
  const world = new RouterWorld();
  world.fakeRoute.timeoutMs = 1000;
  world.request();
  world.engine.io(0).connect();
  world.pass(950);
  expect(world.events).toEqual([]);
  world.pass(100);
  expect(world.events).toEqual(['reply 504 UT response_timeout "upstream request timeout"']);
  expect(world.up("rq_timeout")).toBe(1);
  expect(world.up("rq_504")).toBe(1);
  expect(world.hostCounter("rq_timeout")).toBe(1);
  expect(world.hostCounter("rq_error")).toBe(1);
  expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
  expectEmpty(world);
});

test("the route timeout while no connection is there", () => {
  const world = new RouterWorld({ connectTimeoutMs: 60_000 });
  world.fakeRoute.timeoutMs = 300;
  world.request();
  world.pass(400);
  expect(world.events).toEqual(['reply 504 UT response_timeout "upstream request timeout"']);
  expect(world.up("rq_cancelled")).toBe(1);
  expect(world.hostCounter("rq_timeout")).toBe(0);
  expectEmpty(world);
});

test("the route timeout in the middle of a response cuts it", () => {
  const world = new RouterWorld();
  world.fakeRoute.timeoutMs = 1000;
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
  world.pass(1100);
  expect(world.events.at(-1)).toBe("cut UT response_timeout");
  expect(world.up("rq_504")).toBe(0);
  expectEmpty(world);
});

test("the route timeout begins with the request's end, and 0 is none", () => {
  const world = new RouterWorld();
  world.fakeRoute.timeoutMs = 1000;
  world.request("POST", false);
  world.engine.io(0).connect();
  world.pass(5000);
  world.data("x", true);
  world.pass(900);
  expect(world.events).toEqual([]);
  world.pass(200);
  expect(world.events[0]).toContain("reply 504 UT");
  world.next();
  world.fakeRoute.timeoutMs = 0;
  const headers = world.request();
  expect(headers.get("x-envoy-expected-rq-timeout-ms")).toBeUndefined();
  world.engine.io(1).connect();
  world.pass(100_000);
  expect(world.events).toEqual([]);
  expectEmpty(world);
});

test("request headers change the timeouts and are removed", () => {
  const world = new RouterWorld();
  const headers = world.request("GET", true, {
    "x-envoy-upstream-rq-timeout-ms": "800",
    "x-envoy-upstream-rq-per-try-timeout-ms": "300",
    "x-envoy-upstream-rq-timeout-alt-response": "1",
  });
  expect(headers.get("x-envoy-expected-rq-timeout-ms")).toBe("300");
  expect(headers.get("x-envoy-upstream-rq-timeout-ms")).toBeUndefined();
  expect(headers.get("x-envoy-upstream-rq-per-try-timeout-ms")).toBeUndefined();
  expect(headers.get("x-envoy-upstream-rq-timeout-alt-response")).toBeUndefined();
  world.engine.io(0).connect();
  world.pass(400);
  expect(world.events).toEqual(['reply 204 UT upstream_per_try_timeout ""']);
  expect(world.up("rq_per_try_timeout")).toBe(1);
  expect(world.up("rq_timeout")).toBe(0);
  expect(world.up("rq_204")).toBe(1);
  expect(world.hostCounter("rq_error")).toBe(1);
  world.next();
  const other = world.request("GET", true, {
    "x-envoy-upstream-rq-timeout-ms": "nonsense",
    "x-envoy-upstream-rq-per-try-timeout-ms": "20000",
  });
  expect(other.get("x-envoy-expected-rq-timeout-ms")).toBe("15000");
  expectEmpty(world);
});

test("an expected timeout of another proxy is respected when configured", () => {
  const world = new RouterWorld({}, { respectExpectedRqTimeout: true });
  const headers = world.request("GET", true, { "x-envoy-expected-rq-timeout-ms": "700" });
  expect(headers.get("x-envoy-expected-rq-timeout-ms")).toBe("700");
  world.engine.io(0).connect();
  world.pass(800);
  expect(world.events[0]).toContain("reply 504 UT response_timeout");
  const plain = new RouterWorld({}, { suppressEnvoyHeaders: true });
  plain.request();
  plain.engine.io(0).connect();
  expect(plain.engine.io(0).sent).not.toContain("x-envoy");
  plain.engine.io(0).receive(OK);
  expect(plain.responseHeaders?.get("x-envoy-upstream-service-time")).toBeUndefined();
  expectEmpty(plain);
});

test("the route's max_stream_duration: 504 after the request, 408 during it", () => {
  const world = new RouterWorld();
  world.fakeRoute.maxStreamDurationMs = 500;
  world.request();
  world.engine.io(0).connect();
  world.pass(600);
  const text = 'max_duration_timeout "downstream duration timeout"';
  expect(world.events).toEqual([`reply 504 - ${text}`]);
  world.next();
  world.request("POST", false);
  world.pass(600);
  expect(world.events).toEqual([`reply 408 - ${text}`]);
  expectEmpty(world);
});

test("the cluster's max_stream_duration: from the connection to the response's end", () => {
  const world = new RouterWorld({ maxStreamDurationMs: 500 });
  const text = 'upstream_max_stream_duration_reached "upstream max stream duration reached"';
  world.request();
  world.pass(400);
  world.engine.io(0).connect();
  world.pass(400);
  expect(world.events).toEqual([]);
  world.pass(200);
  expect(world.events).toEqual([`reply 504 UMSDR ${text}`]);
  expect(world.counter("cluster.up.upstream_rq_max_duration_reached")).toBe(1);
  expect(world.counter("cluster.up.upstream_rq_completed")).toBe(0);
  world.next();
  world.request("POST", false);
  world.engine.io(1).connect();
  world.pass(600);
  expect(world.events).toEqual([`reply 408 UMSDR ${text}`]);
  world.next();
  world.request();
  world.engine.io(2).connect();
  world.engine.io(2).receive("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
  world.pass(600);
  expect(world.events.at(-1)).toContain("upstream_max_stream_duration_reached");
  world.next();
  world.request();
  world.engine.io(3).connect();
  world.engine.io(3).receive(OK);
  world.pass(600);
  expect(world.counter("cluster.up.upstream_rq_max_duration_reached")).toBe(3);
  expectEmpty(world);
});

test("holds a body and trailers while connecting, and stops its source at the limit", () => {
  const world = new RouterWorld({ perConnectionBufferBytesMax: 4 });
  world.request("POST", false);
  world.data("abcd", false);
  expect(world.requestReadDisables).toBe(0);
  world.data("e", false);
  expect(world.requestReadDisables).toBe(1);
  world.engine.io(0).connect();
  expect(world.requestReadDisables).toBe(0);
  expect(world.engine.io(0).sent).toContain("\r\n4\r\nabcd\r\n1\r\ne\r\n");
  world.data("f", false);
  const trailers = new HeaderMap();
  trailers.append("sum", "9");
  world.router.onRequestTrailers(trailers);
  expect(world.engine.io(0).sent.endsWith("1\r\nf\r\n0\r\nsum: 9\r\n\r\n")).toBe(true);
  world.engine.io(0).receive(OK);
  expect(world.events.at(-1)).toBe("data ok end");
  expect(world.up("cx_destroy")).toBe(0);
  expectEmpty(world);
});

test("a whole request that was held goes out at once, trailers included", () => {
  const world = new RouterWorld();
  world.request("POST", false);
  world.data("abc", false);
  const trailers = new HeaderMap();
  trailers.append("sum", "9");
  world.router.onRequestTrailers(trailers);
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent.endsWith("3\r\nabc\r\n0\r\nsum: 9\r\n\r\n")).toBe(true);
  world.next();
  world.request("POST", false);
  world.data("", true);
  world.engine.io(1).connect();
  expect(world.engine.io(1).sent).toContain("content-length: 0\r\n");
  world.engine.io(1).receive(OK);
  expect(world.events.at(-1)).toBe("data ok end");
  expectEmpty(world);
});

test("back-pressure: a slow upstream stops the request, a slow client the response", () => {
  const world = new RouterWorld();
  world.request("POST", false);
  world.engine.io(0).connect();
  world.engine.io(0).isFlowing = false;
  world.data("abc", false);
  world.data("def", false);
  expect(world.requestReadDisables).toBe(1);
  world.engine.io(0).drainWrites();
  expect(world.requestReadDisables).toBe(0);
  world.data("", true);
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
  world.router.responseReadDisable(true);
  expect(world.engine.io(0).readDisables).toBe(1);
  world.router.responseReadDisable(false);
  expect(world.engine.io(0).readDisables).toBe(0);
  world.router.responseReadDisable(true);
  world.engine.io(0).receive("k");
  expect(world.events.at(-1)).toBe("data k end");
  expect(world.engine.io(0).readDisables).toBe(0);
  world.router.responseReadDisable(false);
  expectEmpty(world);
});

test("a response that is complete before the request ends it and closes the connection", () => {
  const world = new RouterWorld();
  world.request("POST", false);
  world.engine.io(0).connect();
  world.engine.io(0).isFlowing = false;
  world.data("abc", false);
  world.engine.io(0).receive(OK);
  expect(world.events).toEqual(["headers 200", "data ok end"]);
  expect(world.responseHeaders?.get("x-envoy-upstream-service-time")).toBeUndefined();
  expect(world.requestReadDisables).toBe(0);
  world.data("more", true);
  expect(world.engine.io(0).end).not.toBe("open");
  expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
  expect(world.stats.histogram("cluster.up.upstream_rq_time").count).toBe(0);
  expectEmpty(world);
});

test("informational responses and trailers pass", () => {
  const world = new RouterWorld();
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
  world.engine.io(0).receive("0\r\na: 1\r\nb: 2\r\n\r\n");
  expect(world.events).toEqual(["info 103", "headers 200", "data x", "trailers 2"]);
  expect(world.up("rq_103")).toBe(1);
  expect(world.up("rq_completed")).toBe(2);
  expectEmpty(world);
});

test("a client that leaves resets the upstream, connecting or answering", () => {
  const world = new RouterWorld();
  world.request();
  world.router.onDownstreamReset();
  expect(world.up("rq_cancelled")).toBe(1);
  world.engine.io(0).connect();
  world.next();
  world.request();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx");
  world.router.onDownstreamReset();
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
  expect(world.events).toEqual(["headers 200", "data x"]);
  world.router.onDownstreamReset();
  expectEmpty(world);
});

test("a stale kept connection: the request is sent once more on a fresh one", () => {
  for (const how of ["fin", "die"] as const) {
    const world = new RouterWorld();
    onKeptConnection(world);
    world.engine.io(0)[how]("ECONNRESET");
    expect(world.events).toEqual([]);
    expect(world.up("rq_stale_connection_retry")).toBe(1);
    world.engine.io(1).connect();
    expect(world.engine.io(1).sent).toContain("GET / HTTP/1.1\r\n");
    expect(world.engine.io(1).sent.match(/x-to-upstream/g)?.length).toBe(1);
    world.engine.io(1).receive(OK);
    expect(world.events).toEqual(["headers 200", "data ok end"]);
    expect(world.up("rq_total")).toBe(3);
    expect(world.up("rq_503")).toBe(0);
    expectEmpty(world);
  }
});

test("the stale retry happens once only, and its failure is answered", () => {
  const world = new RouterWorld();
  onKeptConnection(world);
  world.engine.io(0).fin();
  world.engine.io(1).connect();
  world.engine.io(1).fin();
  expect(world.events[0]).toContain(`reply 503 UC ${BEFORE}{connection_termination}`);
  expect(world.up("rq_stale_connection_retry")).toBe(1);
  world.next();
  world.request();
  world.engine.io(2).connect();
  world.engine.io(2).receive(OK);
  world.next();
  world.request();
  world.engine.io(2).fin();
  world.engine.io(3).refuse();
  expect(world.events[0]).toContain("reply 503 UF");
  expectEmpty(world);
});

test("no stale retry for POST, a sent body, a partial answer or a new connection", () => {
  const post = new RouterWorld();
  onKeptConnection(post, "POST");
  post.engine.io(0).fin();
  expect(post.events[0]).toContain("reply 503 UC");
  const body = new RouterWorld();
  onKeptConnection(body, "PUT", false);
  body.data("x", false);
  body.engine.io(0).fin();
  expect(body.events[0]).toContain("reply 503 UC");
  const partial = new RouterWorld();
  onKeptConnection(partial);
  partial.engine.io(0).receive("H");
  partial.engine.io(0).fin();
  expect(partial.events[0]).toContain("reply 502 UPE");
  const fresh = new RouterWorld();
  fresh.request();
  fresh.engine.io(0).connect();
  fresh.engine.io(0).fin();
  expect(fresh.events[0]).toContain("reply 503 UC");
  for (const world of [post, body, partial, fresh]) {
    expect(world.up("rq_stale_connection_retry")).toBe(0);
    expectEmpty(world);
  }
});

test("a PUT whose body has not begun may be sent again, and the body follows", () => {
  const world = new RouterWorld();
  onKeptConnection(world, "PUT", false);
  world.engine.io(0).fin();
  world.data("abc", true);
  world.engine.io(1).connect();
  expect(world.engine.io(1).sent).toContain("PUT / HTTP/1.1\r\n");
  expect(world.engine.io(1).sent).toContain("abc");
  world.engine.io(1).receive(OK);
  expect(world.events.at(-1)).toBe("data ok end");
  expectEmpty(world);
});

test("auto host rewriting takes the host's name and keeps the old one", () => {
  const world = new RouterWorld({}, {}, [hostConfig(80, { hostname: "backend.example" })]);
  world.fakeRoute.autoHostRewrite = true;
  world.request();
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent).toContain("host: backend.example\r\n");
  expect(world.engine.io(0).sent).toContain("x-envoy-original-host: a\r\n");
  expect(world.streamInfo.upstreamHostName).toBe("backend.example");
  expectEmpty(world);
});

test("high priority uses the limits of its own", () => {
  const config = clusterConfig();
  const [usual] = config.circuitBreakers;
  const world = new RouterWorld({
    circuitBreakers: [usual, { ...usual, maxPendingRequests: 0 }],
  });
  world.fakeRoute.isHighPriority = true;
  world.request();
  expect(world.events[0]).toContain("reply 503 UO");
  world.next();
  world.fakeRoute.isHighPriority = false;
  world.request();
  expect(world.events).toEqual([]);
  expectEmpty(world);
});

test("the success of gRPC is told by its status, in headers or trailers", () => {
  const grpc = { "content-type": "application/grpc" };
  const head =
    "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n";
  const world = new RouterWorld();
  world.request("POST", true, grpc);
  world.engine.io(0).connect();
  world.engine.io(0).receive(`${head}\r\n1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n`);
  expect([world.hostCounter("rq_success"), world.hostCounter("rq_error")]).toEqual([1, 0]);
  world.next();
  world.request("POST", true, grpc);
  world.engine.io(0).receive(`${head}\r\n0\r\ngrpc-status: 14\r\n\r\n`);
  expect([world.hostCounter("rq_success"), world.hostCounter("rq_error")]).toEqual([1, 1]);
  world.next();
  world.request("POST", true, grpc);
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ngrpc-status: 5\r\ncontent-length: 0\r\n\r\n");
  expect([world.hostCounter("rq_success"), world.hostCounter("rq_error")]).toEqual([2, 1]);
  world.next();
  world.request("POST", true, grpc);
  world.engine.io(0).receive(`${head}\r\n1\r\nx\r\n`);
  world.engine.io(0).fin();
  expect(world.counter("http.in.rq_reset_after_downstream_response_started")).toBe(1);
  expect(world.hostCounter("rq_error")).toBe(2);
  expectEmpty(world);
});

test("dynamic_stats off: no counts by code", () => {
  const world = new RouterWorld({}, { dynamicStats: false });
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive(OK);
  expect(world.up("rq_200")).toBe(0);
  expect(world.up("rq_total")).toBe(1);
  expectEmpty(world);
});
