import { describe, expect, test } from "vitest";
import { localReply, ScriptedFilter } from "../filter/testing.ts";
import { FilterHeadersStatus as H } from "../filter/filter-status.ts";
import { FakeRoute, type FakeRouter, HcmWorld } from "./hcm-for-test.ts";

const GET = "GET / HTTP/1.1\r\nHost: test.local\r\n\r\n";
const DATE = "date: Thu, 01 Jan 2026 00:00:01 GMT\r\n";
const HALF_POST = "POST / HTTP/1.1\r\nHost: test.local\r\nContent-Length: 10\r\n\r\nabc";

const ok = (router: FakeRouter): void => router.respond(200, "ok");

function world(
  config: ConstructorParameters<typeof HcmWorld>[0] = {},
  onRequest?: (router: FakeRouter) => void,
): HcmWorld {
  return new HcmWorld(onRequest === undefined ? config : { ...config, onRequest });
}

describe("a request", () => {
  test("is answered by the router and logged; the connection stays", () => {
    const w = world({}, ok);
    expect(w.send(GET)).toBe(
      `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${DATE}server: envoy\r\n\r\nok`,
    );
    expect(w.log).toEqual(["200|-|via_upstream|GET|/|0|2|up|rest"]);
    expect(w.io.fate).toBe("open");
    expect(w.counts()).toEqual({
      cx_total: 1,
      cx_active: 1,
      cx_http1_total: 1,
      cx_http1_active: 1,
      rq_total: 1,
      rq_http1_total: 1,
      rq_completed: 1,
      rq_2xx: 1,
    });
    expect(w.count("listener.127.0.0.1_10000.http.main.downstream_rq_2xx")).toBe(1);
  });

  test("reaches the router with its body, sanitised", () => {
    const w = world();
    w.send(
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: x-a\r\nX-A: 1\r\n\r\nabc",
    );
    expect(w.router.headers?.method).toBe("POST");
    expect(w.router.headers?.has("x-a")).toBe(false);
    expect(w.router.headers?.get("x-forwarded-proto")).toBe("http");
    expect(w.router.body).toBe("abc");
    expect(w.router.isComplete).toBe(true);
    w.router.respond(204, "");
    expect(w.io.sent).toContain("HTTP/1.1 204 No Content");
    expect(w.log[0]).toContain("|POST|/x|3|0|");
  });

  test("that is pipelined waits for the one before", () => {
    const w = world();
    w.send(GET + GET.replace("GET /", "GET /2"));
    expect(w.routers.length).toBe(1);
    expect(w.stats.gauge("http.main.downstream_cx_rx_bytes_buffered").value).toBe(GET.length + 1);
    w.router.respond(200, "one");
    w.pump();
    expect(w.stats.gauge("http.main.downstream_cx_rx_bytes_buffered").value).toBe(0);
    expect(w.routers.length).toBe(2);
    w.router.respond(200, "two");
    expect(w.io.sent).toMatch(/one.*two$/s);
    expect(w.log.length).toBe(2);
  });

  test("waits for a client that has not taken the answer before it", () => {
    const w = world({}, ok);
    w.io.isFast = false;
    w.send(GET.repeat(5));
    expect(w.routers.length).toBe(1);
    expect(w.counts()["flow_control_paused_reading_total"]).toBe(1);
    w.io.isFast = true;
    w.connection.onWritable();
    w.pump();
    expect(w.routers.length).toBe(5);
    expect(w.counts()["flow_control_resumed_reading_total"]).toBe(1);
  });

  test("uses stream objects again", () => {
    const w = world({}, ok);
    for (let i = 0; i < 5; i += 1) w.send(GET);
    expect(new Set(w.routers).size).toBeLessThanOrEqual(2);
    expect(w.log.length).toBe(5);
    expect(w.counts()["rq_active"]).toBe(undefined);
  });

  test("with Expect is told to continue", () => {
    const w = world({}, ok);
    const out = w.send(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    );
    expect(out.startsWith("HTTP/1.1 100 Continue\r\n\r\n")).toBe(true);
    expect(w.router.headers?.has("expect")).toBe(false);
    expect(w.counts()["rq_1xx"]).toBe(1);
    expect(w.counts()["rq_completed"]).toBe(2);
  });

  test("with Expect passes when 100 Continue is the upstream's to say", () => {
    const w = world({ config: { proxy100Continue: true } });
    expect(
      w.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
    ).toBe("");
    expect(w.router.headers?.get("expect")).toBe("100-continue");
  });
});

describe("a response", () => {
  test("streams, stops its source while the client is slow, goes on", () => {
    const w = world();
    w.send(GET);
    w.router.respond(200, "a", false);
    w.io.isFast = false;
    w.router.data("b", false);
    w.router.data("c", false);
    expect(w.router.responseReadDisables).toBe(1);
    w.io.isFast = true;
    w.connection.onWritable();
    expect(w.router.responseReadDisables).toBe(0);
    w.router.data("", true);
    expect(w.io.sent.endsWith("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")).toBe(true);
    expect(w.log[0]).toContain("|0|3|");
  });

  test("that waits for the kernel is in the gauge until it left, or the connection is gone", () => {
    const w = world();
    const buffered = (): number => w.stats.gauge("http.main.downstream_cx_tx_bytes_buffered").value;
    w.send(GET);
    w.io.isFast = false;
    w.io.writeQueueBytes = 300;
    w.router.respond(200, "a", false);
    expect(buffered()).toBe(300);
    w.io.writeQueueBytes = 700;
    w.router.data("b", false);
    expect(buffered()).toBe(700);
    w.io.isFast = true;
    w.connection.onWritable();
    expect(buffered()).toBe(0);
    w.io.isFast = false;
    w.router.data("c", false);
    expect(buffered()).toBe(700);
    w.breakOff();
    expect(buffered()).toBe(0);
  });

  test("to HEAD has no body", () => {
    const w = world({}, (router) => router.respond(200, "", true, ["content-length", "5"]));
    const out = w.send(GET.replace("GET", "HEAD"));
    expect(out.endsWith("\r\n\r\n")).toBe(true);
    expect(out).toContain("content-length: 5\r\n");
  });

  test("that breaks off closes the connection after the delay", () => {
    const w = world();
    w.send(GET);
    w.router.respond(200, "abc", false);
    const reply = localReply(502, "", "upstream_reset{x y}");
    w.router.callbacks.sendLocalReply({ ...reply, responseFlags: 0x40 });
    expect(w.log).toEqual(["200|UC|upstream_reset{x_y}|GET|/|0|3|up|rest"]);
    expect(w.io.fate).toBe("open");
    w.pass(1100);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()).toMatchObject({
      rq_rx_reset: 1,
      rq_tx_reset: 1,
      cx_delayed_close_timeout: 1,
      cx_destroy_local: 1,
    });
  });

  test("before the end of the request closes the connection", () => {
    const w = world({}, ok);
    const out = w.send(HALF_POST);
    expect(out).toContain("connection: close\r\n");
    expect(w.counts()).toMatchObject({ rq_response_before_rq_complete: 1, rq_rx_reset: 1 });
    w.send("defg");
    expect(w.io.fate).toBe("open");
    w.sendEnd();
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_destroy_remote"]).toBe(1);
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(undefined);
  });
});

describe("answers of our own", () => {
  test("to a request without host close; the order of headers is Envoy's", () => {
    const w = world();
    expect(w.send("GET / HTTP/1.1\r\n\r\n")).toBe(
      `HTTP/1.1 400 Bad Request\r\n${DATE}server: envoy\r\nconnection: close\r\n` +
        "content-length: 0\r\n\r\n",
    );
    expect(w.log).toEqual(["400|-|missing_host_header|GET|/|0|0|-|-"]);
    w.pass(1100);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(1);
    expect(w.counts()["rq_rx_reset"]).toBe(undefined);
  });

  test("to bad requests keep the connection when configured so", () => {
    const w = world({ config: { streamErrorOnInvalidHttpMessage: true } }, ok);
    expect(w.send("GET / HTTP/1.1\r\n\r\n")).not.toContain("close");
    expect(w.send(GET)).toContain("200 OK");
  });

  test("to paths that are no paths", () => {
    const w = world({ config: { http1: { ...http1(), allowAbsoluteUrl: false } } });
    expect(w.send("GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n")).toContain("404 Not Found");
    expect(w.counts()["rq_non_relative_path"]).toBe(1);
    expect(w.log[0]).toContain("absolute_path_rejected");
    expect(w.send(GET.replace("/ ", "/a#b "))).toContain("400 Bad Request");
    expect(w.counts()["rq_failed_path_normalization"]).toBe(1);
  });

  test("redirect to a normalised path", () => {
    const w = world({ config: { escapedSlashesAction: "unescape_and_redirect" } });
    expect(w.send(GET.replace("/ ", "/a%2Fb?x=%2f "))).toBe(
      `HTTP/1.1 307 Temporary Redirect\r\nlocation: /a/b?x=%2f\r\n${DATE}server: envoy\r\n` +
        "content-length: 0\r\n\r\n",
    );
    expect(w.log[0]).toContain("307|-|path_normalization_failed|GET|/a/b?x=%2f");
    expect(w.counts()["rq_redirected_with_normalized_path"]).toBe(1);
  });

  test("refuse upgrades", () => {
    const w = world();
    const out = w.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    expect(out).toBe(
      `HTTP/1.1 403 Forbidden\r\n${DATE}server: envoy\r\nconnection: close\r\n` +
        "content-length: 0\r\n\r\n",
    );
    expect(w.log).toEqual(["403|-|upgrade_failed|GET|/|0|0|up|rest"]);
    expect(w.counts()).toMatchObject({ rq_ws_on_non_ws_route: 1, rq_rx_reset: 1 });
  });

  test("say what is wrong with the bytes", () => {
    const w = world();
    expect(w.send("nonsense\r\n\r\n")).toBe(
      "HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text/plain\r\n" +
        `${DATE}server: envoy\r\nconnection: close\r\n\r\nBad Request`,
    );
    expect(w.log).toEqual(["400|DPE|http1.codec_error|-|-|0|11|-|-"]);
    expect(w.counts()).toMatchObject({
      cx_protocol_error: 1,
      rq_4xx: 1,
      rq_total: 1,
      rq_rx_reset: 1,
      rq_response_before_rq_complete: 1,
    });
  });

  test("take the place of an upstream's answer that has not begun", () => {
    const w = world();
    w.send(
      HALF_POST.replace("Content-Length: 10", "Transfer-Encoding: chunked").replace("abc", ""),
    );
    w.send("zz\r\n");
    expect(w.io.sent).toContain("400 Bad Request");
    expect(w.router.isDestroyed).toBe(true);
    expect(w.log[0]).toContain("400|DPE|http1.codec_error|POST|/|");
  });

  test("carry the route's headers first and run through the filters", () => {
    const route = new FakeRoute();
    route.responseHeader = "x-route";
    const events: string[] = [];
    const filter = (): ScriptedFilter =>
      new ScriptedFilter(
        "A",
        {
          encodeHeaders: (_filter, headers) => {
            headers.append("x-filter", "1");
            return H.Continue;
          },
        },
        events,
      );
    const w = world({ route, filters: () => [filter()] }, (router) =>
      router.callbacks.sendLocalReply({
        status: 503,
        body: "no",
        headers: ["x-reply", "1"],
        grpcStatus: -1,
        details: "some reason",
        responseFlags: 2,
      }),
    );
    expect(w.send(GET)).toBe(
      "HTTP/1.1 503 Service Unavailable\r\nx-route: 1\r\nx-reply: 1\r\ncontent-length: 2\r\n" +
        `content-type: text/plain\r\nx-filter: 1\r\n${DATE}server: envoy\r\n\r\nno`,
    );
    expect(w.log).toEqual(["503|UH|some_reason|GET|/|0|2|up|rest"]);
    expect(events).toEqual(["A.dh.", "A.eh", "A.ed(no).", "A.log", "A.destroy"]);
  });

  test("to gRPC requests are trailers alone", () => {
    const w = world({ route: null }, (router) =>
      router.callbacks.sendLocalReply({
        status: 503,
        body: "no healthy upstream 100%",
        headers: null,
        grpcStatus: -1,
        details: "no_healthy_upstream",
        responseFlags: 2,
      }),
    );
    expect(w.send(GET.replace("\r\n\r\n", "\r\nContent-Type: application/grpc\r\n\r\n"))).toBe(
      "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\n" +
        `grpc-message: no healthy upstream 100%25\r\n${DATE}server: envoy\r\n` +
        "content-length: 0\r\n\r\n",
    );
    expect(w.log[0]).toContain("200|UH|no_healthy_upstream");
  });

  test("to bodies that are too long", () => {
    const hold = (): ScriptedFilter =>
      new ScriptedFilter("A", { decodeHeaders: H.StopAllIterationAndBuffer }, []);
    const w = world({ filters: () => [hold()], bufferBytesMax: 2 });
    expect(w.send(HALF_POST)).toContain("413 Payload Too Large");
    expect(w.counts()["rq_too_large"]).toBe(1);
    expect(w.log[0]).toContain("413|-|request_payload_too_large|POST|/|3|17|up|rest");
  });
});

function http1() {
  return world().factory.context.config.http1;
}

describe("timeouts", () => {
  test("an idle stream is answered 408 while the request comes", () => {
    const w = world({ config: { streamIdleTimeoutMs: 2000 } });
    w.send(HALF_POST);
    w.pass(1500);
    w.send("d");
    w.pass(1500);
    expect(w.io.sent).toBe("");
    w.pass(700);
    expect(w.io.sent).toContain("408 Request Timeout");
    expect(w.io.sent.endsWith("connection: close\r\n\r\nstream timeout")).toBe(true);
    expect(w.log).toEqual(["408|SI|stream_idle_timeout|POST|/|4|14|up|rest"]);
    expect(w.router.isDestroyed).toBe(true);
    expect(w.counts()["rq_idle_timeout"]).toBe(1);
  });

  test("an idle stream is answered 504 while the upstream is silent, and cut in a response", () => {
    const w = world({ config: { streamIdleTimeoutMs: 2000 } });
    w.send(GET);
    w.pass(2200);
    expect(w.io.sent).toContain("504 Gateway Timeout");
    expect(w.io.fate).toBe("open");
    w.send(GET);
    w.router.respond(200, "abc", false);
    w.pass(2200);
    expect(w.log[1]).toBe("200|SI|stream_idle_timeout|GET|/|0|3|up|rest");
    expect(w.counts()).toMatchObject({ rq_idle_timeout: 2, rq_tx_reset: 1, rq_rx_reset: 1 });
  });

  test("the route's idle timeout counts instead", () => {
    const route = new FakeRoute();
    route.idleTimeoutMs = 200;
    const w = world({ route });
    w.send(GET);
    w.pass(300);
    expect(w.io.sent).toContain("504 Gateway Timeout");
    route.idleTimeoutMs = 0;
    w.send(GET);
    w.pass(400_000);
    expect(w.log.length).toBe(1);
  });

  test("request_timeout runs until the request's end", () => {
    const w = world({ config: { requestTimeoutMs: 2000 } });
    w.send(HALF_POST);
    w.pass(2200);
    expect(w.io.sent.endsWith("request timeout")).toBe(true);
    expect(w.log[0]).toContain("408|-|request_overall_timeout|POST|/");
    expect(w.counts()["rq_timeout"]).toBe(1);
    w.connect();
    w.send(`${HALF_POST}defghij`);
    w.pass(5000);
    expect(w.log.length).toBe(1);
  });

  test("request_headers_timeout answers a head that does not end", () => {
    const w = world({ config: { requestHeadersTimeoutMs: 2000 } });
    w.send("GET / HTTP/1.1\r\nHost: a");
    w.pass(2200);
    expect(w.io.sent).toContain("408 Request Timeout");
    expect(w.io.sent.endsWith("request header timeout")).toBe(true);
    expect(w.log).toEqual(["408|-|request_header_timeout|-|-|0|22|-|-"]);
    expect(w.counts()["rq_header_timeout"]).toBe(1);
    w.connect();
    w.send(GET);
    w.pass(5000);
    expect(w.log.length).toBe(1);
  });

  test("max_stream_duration, unless the route has its own", () => {
    const route = new FakeRoute();
    const w = world({ config: { maxStreamDurationMs: 2000 }, route });
    w.send(GET);
    w.pass(2200);
    expect(w.io.sent).toContain("504 Gateway Timeout");
    expect(w.log[0]).toContain("504|-|max_duration_timeout|");
    expect(w.counts()["rq_max_duration_reached"]).toBe(1);
    w.send(HALF_POST);
    w.pass(2200);
    expect(w.log[1]).toContain("408|-|max_duration_timeout|");
    route.maxStreamDurationMs = 0;
    w.connect();
    w.send(GET);
    w.pass(10_000);
    expect(w.log.length).toBe(2);
  });
});

describe("a connection", () => {
  test("that never spoke closes when idle", () => {
    const w = world({ config: { idleTimeoutMs: 2000 } });
    w.pass(2200);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()).toEqual({
      cx_total: 1,
      cx_destroy: 1,
      cx_destroy_local: 1,
      cx_idle_timeout: 1,
    });
  });

  test("that spoke is drained first, and closed drain_timeout later", () => {
    const w = world({ config: { idleTimeoutMs: 2000 } }, ok);
    w.pass(1500);
    w.send(GET);
    w.pass(2200);
    expect(w.counts()["cx_idle_timeout"]).toBe(1);
    expect(w.io.fate).toBe("open");
    w.pass(5200);
    w.pass(1200);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(1);
  });

  test("says close to a request that comes while it drains", () => {
    const w = world({ config: { idleTimeoutMs: 2000 } }, ok);
    w.send(GET);
    w.pass(2200);
    expect(w.send(GET)).toContain("connection: close\r\n");
    w.pass(1200);
    expect(w.io.fate).toBe("closed");
  });

  test("lives no longer than max_connection_duration", () => {
    const w = world({ config: { maxConnectionDurationMs: 3000 } }, ok);
    expect(w.send(GET)).not.toContain("close");
    w.pass(3200);
    expect(w.counts()["cx_max_duration_reached"]).toBe(1);
    expect(w.send(GET)).toContain("connection: close\r\n");
  });

  test("ends with a response whose head was out when its time to leave was over", () => {
    const w = world({ config: { maxConnectionDurationMs: 3000, drainTimeoutMs: 1000 } });
    w.send(GET);
    w.router.respond(200, "abc", false);
    w.pass(4500);
    expect(w.io.fate).toBe("open");
    w.router.data("def", true);
    w.pass(1200);
    expect(w.io.fate).toBe("closed");
  });

  test("is not closed at its max_connection_duration before its next answer, when safe", () => {
    const config = { maxConnectionDurationMs: 3000, http1SafeMaxConnectionDuration: true };
    const w = world({ config }, ok);
    w.send(GET);
    w.pass(20_000);
    expect(w.io.fate).toBe("open");
    expect(w.stats.gauge("http.main.downstream_cx_http1_soft_drain").value).toBe(1);
    expect(w.send(GET)).toContain("connection: close\r\n");
    w.pass(2000);
    expect(w.io.fate).toBe("closed");
    expect(w.stats.gauge("http.main.downstream_cx_http1_soft_drain").value).toBe(0);
  });

  test("lives longer by some of the jitter, and not by more", () => {
    const config = { maxConnectionDurationMs: 10_000, maxConnectionDurationJitter: 0.5 };
    const w = world({ config }, ok);
    w.send(GET);
    w.pass(10_000);
    expect(w.counts()["cx_max_duration_reached"]).toBe(undefined);
    w.pass(5200);
    expect(w.counts()["cx_max_duration_reached"]).toBe(1);
  });

  test("serves max_requests_per_connection", () => {
    const w = world({ config: { maxRequestsPerConnection: 2 } });
    w.send(GET);
    w.router.respond(200, "ok");
    expect(w.io.sent).not.toContain("close");
    w.send(GET);
    w.router.respond(200, "ok");
    expect(w.io.sent).toContain("connection: close\r\n");
    expect(w.io.fate).toBe("closed");
    expect(w.counts()).toMatchObject({ cx_max_requests_reached: 1, cx_destroy_local: 1 });
  });

  test("lets a client that pipelines on read its last answer before it closes", () => {
    const w = world({ config: { maxRequestsPerConnection: 1 } });
    w.send(GET + GET);
    w.router.respond(200, "ok");
    w.pump();
    expect(w.io.sent).toContain("connection: close\r\n");
    expect(w.io.fate).toBe("open");
    w.pass(1100);
    expect(w.io.fate).toBe("reset");
    expect(w.log.length).toBe(1);
  });

  test("closes at once when the client asked for it and has its answer", () => {
    const w = world();
    w.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    w.router.respond(200, "ok");
    expect(w.io.sent).toContain("connection: close\r\n");
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(undefined);
  });

  test("closes after the delay when it is answered before the request's end was looked at", () => {
    const w = world({}, ok);
    w.send(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    expect(w.io.fate).toBe("open");
    w.pass(1100);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(1);
  });

  test("closes at once after errors when delayed_close_timeout is off", () => {
    const w = world({ config: { delayedCloseTimeoutMs: 0 } });
    w.send("nonsense\r\n\r\n");
    expect(w.io.fate).toBe("closed");
  });

  test("drains when its listener does: the next answer says close", () => {
    const w = world({}, ok);
    expect(w.send(GET)).not.toContain("close");
    w.drain.isDraining = true;
    expect(w.send(GET)).toContain("connection: close\r\n");
    expect(w.counts()["cx_drain_close"]).toBe(1);
  });

  test("at shutdown sends FIN to a client that has been silent, and waits for its FIN", () => {
    const w = world({}, ok);
    w.send(GET);
    w.pass(1000);
    w.connection.shutdown();
    expect([w.io.isShutdown, w.io.fate]).toEqual([true, "open"]);
    // What crosses the FIN is not answered, and not reset either.
    expect(w.send(GET)).toBe("");
    expect(w.io.fate).toBe("open");
    w.sendEnd();
    expect(w.io.fate).toBe("closed");
    expect(w.routers.length).toBe(1);
  });

  test("does not wait for ever for the client's FIN", () => {
    const w = world({}, ok);
    w.send(GET);
    w.pass(1000);
    w.connection.shutdown();
    w.pass(1100);
    expect(w.io.fate).toBe("closed");
    expect(w.counts()["cx_delayed_close_timeout"]).toBe(1);
  });

  test("answers a client once more that was heard just before the shutdown", () => {
    const w = world({}, ok);
    w.send(GET);
    w.pass(500);
    w.connection.shutdown();
    w.pass(300);
    expect(w.io.isShutdown).toBe(false);
    expect(w.send(GET)).toContain("connection: close\r\n");
    expect(w.io.isShutdown).toBe(true);
    w.sendEnd();
    expect(w.io.fate).toBe("closed");
  });

  test("lets a client that has just come send its first request", () => {
    const w = world({}, ok);
    w.connection.shutdown();
    expect(w.send(GET)).toContain("connection: close\r\n");
    const silent = world({}, ok);
    silent.connection.shutdown();
    silent.pass(900);
    expect(silent.io.isShutdown).toBe(false);
    silent.pass(200);
    expect(silent.io.isShutdown).toBe(true);
  });

  test("waits for the rest of a request's head", () => {
    const w = world({}, ok);
    w.send(GET);
    w.pass(900);
    w.send(GET.slice(0, 20));
    w.pass(900);
    w.connection.shutdown();
    w.pass(900);
    expect(w.io.isShutdown).toBe(false);
    expect(w.send(GET.slice(20))).toContain("connection: close\r\n");
  });

  test("finishes the stream under way at shutdown; the answer says close", () => {
    const w = world();
    w.send(GET);
    w.connection.shutdown();
    w.pass(5000);
    expect(w.io.isShutdown).toBe(false);
    w.router.respond(200, "ok");
    expect(w.io.sent).toContain("connection: close\r\n");
    expect(w.io.isShutdown).toBe(true);
    w.sendEnd();
    expect(w.io.fate).toBe("closed");
  });
});

describe("a client that leaves", () => {
  for (const leave of ["sendEnd", "breakOff"] as const) {
    test(`${leave}: before the answer`, () => {
      const w = world();
      w.send(HALF_POST);
      w[leave]();
      expect(w.log).toEqual(["0|DC|downstream_remote_disconnect|POST|/|3|0|up|rest"]);
      expect(w.router.isDestroyed).toBe(true);
      expect(w.io.fate).toBe("closed");
      expect(w.counts()).toEqual({
        cx_total: 1,
        cx_http1_total: 1,
        cx_destroy: 1,
        cx_destroy_remote: 1,
        cx_destroy_active_rq: 1,
        cx_destroy_remote_active_rq: 1,
        rq_total: 1,
        rq_http1_total: 1,
        rq_rx_reset: 1,
      });
    });
  }

  test("in the middle of the answer", () => {
    const w = world();
    w.send(GET);
    w.router.respond(200, "abc", false);
    w.breakOff();
    expect(w.log).toEqual(["200|DC|downstream_remote_disconnect|GET|/|0|3|up|rest"]);
    w.router.data("late", true);
    expect(w.log.length).toBe(1);
  });

  test("when nothing is under way", () => {
    const w = world({}, ok);
    w.send(GET);
    w.sendEnd();
    expect(w.io.fate).toBe("closed");
    expect(w.counts()).toMatchObject({ cx_destroy_remote: 1 });
    expect(w.counts()["cx_destroy_active_rq"]).toBe(undefined);
    expect(w.counts()["cx_active"]).toBe(undefined);
  });

  test("is told apart from a connection that we close", () => {
    const w = world();
    w.send(GET);
    w.connection.closeNow();
    expect(w.log).toEqual(["0|DC|downstream_local_disconnect|GET|/|0|0|up|rest"]);
    expect(w.counts()).toMatchObject({ cx_destroy_local_active_rq: 1 });
    expect(w.io.fate).toBe("reset");
  });
});
