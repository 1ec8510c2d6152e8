import { describe, expect, test } from "vitest";
import type { HttpFilter } from "../filter/http-filter.ts";
import {
  FilterDataStatus as Data,
  FilterHeadersStatus as Headers,
  FilterTrailersStatus as Trailers,
} from "../filter/filter-status.ts";
import { type FilterScript, ScriptedFilter } from "../filter/testing.ts";
import type { ClusterConfig } from "../config/snapshot.ts";
import { limits } from "../upstream/upstream-for-test.ts";
import { expectEmpty, RouterWorld } from "./router-for-test.ts";

const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
const REPLY = {
  status: 403,
  body: "no",
  headers: null,
  grpcStatus: -1,
  details: "guarded",
  responseFlags: 0,
};

/** A world whose router has these filters; what they are asked is among the world's events. */
class FilteredWorld extends RouterWorld {
  readonly filters: ScriptedFilter[];
  chains: number = 0;

  constructor(scripts: readonly FilterScript[], cluster: Partial<ClusterConfig> = {}) {
    super(cluster, {}, undefined, {
      createFilters: () => this.#create(scripts),
    });
    this.filters = [];
  }

  #create(scripts: readonly FilterScript[]): readonly HttpFilter[] {
    this.chains += 1;
    this.filters.length = 0;
    for (const [at, script] of scripts.entries()) {
      this.filters.push(new ScriptedFilter("abc"[at] as string, script, this.events));
    }
    return this.filters;
  }

  get filter(): ScriptedFilter {
    return this.filters[0] as ScriptedFilter;
  }

  /** The events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }
}

describe("a request", () => {
  test("passes its filters at once, and goes out when the connection is there", () => {
    const world = new FilteredWorld([{}, {}]);
    world.request();
    expect(world.take()).toEqual(["a.dh.", "b.dh."]);
    world.engine.io(0).connect();
    expect(world.engine.io(0).sent).toContain("GET / HTTP/1.1\r\n");
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(world.take()).toEqual([
      "b.eh",
      "a.eh",
      "headers 200",
      "b.ed(ok)",
      "a.ed(ok)",
      "data ok",
      "b.ed().",
      "a.ed().",
      "a.destroy",
      "b.destroy",
      "data  end",
    ]);
    expectEmpty(world);
  });

  test("finds a connection that is there before its filters are asked", () => {
    const seen: string[] = [];
    const world = new FilteredWorld([
      {
        decodeHeaders: (filter) => {
          seen.push(filter.callbacks.streamInfo.upstreamLocalAddress);
          return Headers.Continue;
        },
      },
    ]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    world.next();
    world.streamInfo.upstreamLocalAddress = "";
    world.request();
    expect(seen[0]).toBe("");
    expect(seen[1]).not.toBe("");
    expect(world.chains).toBe(2);
    expectEmpty(world);
  });

  test("that waits holds the connection, and writes nothing", () => {
    const world = new FilteredWorld([{ decodeHeaders: Headers.StopAllIterationAndBuffer }]);
    world.request("POST", false);
    world.data("hello", true);
    world.engine.io(0).connect();
    expect(world.engine.io(0).sent).toBe("");
    world.filter.callbacks.continueDecoding(0);
    expect(world.engine.io(0).sent).toContain("POST / HTTP/1.1\r\n");
    expect(world.engine.io(0).sent).toContain("hello");
    expect(world.take()).toEqual(["a.dh", "a.dd(hello)."]);
    expectEmpty(world);
  });

  test("may lose its body, or get one", () => {
    const world = new FilteredWorld([
      {
        decodeData: [
          (_filter, data) => {
            data.clear();
            data.append(Buffer.from("other"));
            return Data.Continue;
          },
          Data.Continue,
        ],
      },
    ]);
    world.request("POST", false, { "content-length": "5" });
    world.data("hello", true);
    world.engine.io(0).connect();
    expect(world.engine.io(0).sent).toMatch(/other$/);
    expectEmpty(world);
  });

  test("without a path is answered, whatever its connection does", () => {
    const world = new FilteredWorld([
      {
        decodeHeaders: (_filter, headers) => {
          headers.path = null;
          return Headers.Continue;
        },
      },
    ]);
    world.request();
    expect(world.take()).toEqual([
      "a.dh.",
      "a.destroy",
      'reply 503 DPE filter_removed_required_request_headers{missing_required_header:_:path} "missing required header: :path"',
    ]);
    expectEmpty(world);
  });

  test("goes the short way when the route switches all filters off", () => {
    const world = new FilteredWorld([]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(world.chains).toBe(1);
    expect(world.events).toEqual(["headers 200", "data ok end"]);
    expectEmpty(world);
  });
});

describe("a local reply of a filter", () => {
  test("ends the attempt, and is the stream's answer", () => {
    const world = new FilteredWorld([
      {
        decodeHeaders: (filter) => {
          filter.callbacks.sendLocalReply(REPLY);
          return Headers.StopIteration;
        },
      },
      {},
    ]);
    world.request();
    expect(world.take()).toEqual(["a.dh.", "a.destroy", "b.destroy", 'reply 403 - guarded "no"']);
    expect(world.up("rq_cancelled")).toBe(1);
    expect(world.up("rq_403")).toBe(0);
    expectEmpty(world);
  });

  test("may come while the response is held, and then nothing of it comes", () => {
    const world = new FilteredWorld([
      { encodeHeaders: Headers.StopIteration, encodeData: [Data.StopIterationAndBuffer] },
    ]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok");
    world.filter.callbacks.sendLocalReply(REPLY);
    world.engine.io(0).receive("ay");
    expect(world.take()).toEqual([
      "a.dh.",
      "a.eh",
      "a.ed(ok)",
      "a.destroy",
      'reply 403 - guarded "no"',
    ]);
    expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
    expectEmpty(world);
  });
});

describe("a response", () => {
  test("that is held does not hold its connection", () => {
    const world = new FilteredWorld([{ encodeHeaders: Headers.StopAllIterationAndBuffer }]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(world.take()).toEqual(["a.dh.", "a.eh"]);
    expect(world.streamInfo.upstreamLastRxMs).toBe(world.clock.nowMs);
    expect(world.gauge("cluster.up.upstream_rq_active")).toBe(0);
    world.filter.callbacks.continueEncoding(0);
    expect(world.take()).toEqual(["headers 200", "a.ed(ok).", "a.destroy", "data ok end"]);
    expect(world.up("rq_200")).toBe(1);
    expectEmpty(world);
  });

  test("that breaks off while it is held becomes an answer of ours", () => {
    const world = new FilteredWorld([{ encodeHeaders: Headers.StopAllIterationAndBuffer }]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    world.engine.io(0).die("ECONNRESET");
    expect(world.take().slice(0, 3)).toEqual(["a.dh.", "a.eh", "a.destroy"]);
    expectEmpty(world);
  });

  test("without a status is answered by 502", () => {
    const world = new FilteredWorld([
      {
        encodeHeaders: (_filter, headers) => {
          headers.status = 0;
          return Headers.Continue;
        },
      },
    ]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(world.take().at(-1)).toContain(
      "reply 502 - filter_removed_required_response_headers{missing_required_header:_:status}",
    );
    expectEmpty(world);
  });

  test("has the code and the details of its time while filters see it", () => {
    const seen: unknown[] = [];
    const world = new FilteredWorld([
      {
        encodeHeaders: (filter) => {
          const { responseCode, responseCodeDetails } = filter.callbacks.streamInfo;
          seen.push(responseCode, responseCodeDetails);
          return Headers.Continue;
        },
      },
    ]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(seen).toEqual([0, "via_upstream"]);
    expect(world.streamInfo.responseCode).toBe(200);
    expectEmpty(world);
  });

  test("may get trailers from a filter", () => {
    const world = new FilteredWorld([
      {
        encodeData: [
          Data.Continue,
          (filter) => {
            filter.callbacks.addEncodedTrailers().append("x-t", "1");
            return Data.Continue;
          },
        ],
        encodeTrailers: Trailers.Continue,
      },
    ]);
    world.request();
    world.engine.io(0).connect();
    world.engine.io(0).receive(`${ANSWER}ok`);
    expect(world.take().at(-1)).toBe("trailers 1");
    expectEmpty(world);
  });
});

describe("an attempt", () => {
  test("that a circuit breaker refuses has filters that nobody asked", () => {
    const world = new FilteredWorld([{}], { circuitBreakers: limits({ maxPendingRequests: 0 }) });
    world.request();
    expect(world.take()[0]).toBe("a.destroy");
    expect(world.events).toEqual([]);
    expect(world.up("rq_pending_overflow")).toBe(1);
    expectEmpty(world);
  });

  test("that times out while a filter waits ends its filters first", () => {
    const world = new FilteredWorld([{ decodeHeaders: Headers.StopAllIterationAndWatermark }]);
    world.request();
    world.engine.io(0).connect();
    world.pass(15_000);
    expect(world.take()).toEqual([
      "a.dh.",
      "a.destroy",
      'reply 504 UT response_timeout "upstream request timeout"',
    ]);
    expectEmpty(world);
  });

  test("whose connection fails while a filter waits ends its filters first", () => {
    const world = new FilteredWorld([{ decodeHeaders: Headers.StopAllIterationAndWatermark }]);
    world.request();
    world.engine.io(0).refuse();
    expect(world.take().slice(0, 2)).toEqual(["a.dh.", "a.destroy"]);
    expectEmpty(world);
  });

  test("that held too much of the request lets it flow when it ends", () => {
    const world = new FilteredWorld([{ decodeHeaders: Headers.StopAllIterationAndWatermark }]);
    world.request("POST", false);
    world.data("x".repeat(65), false);
    expect(world.requestReadDisables).toBe(1);
    world.router.destroy();
    expect(world.requestReadDisables).toBe(0);
    expectEmpty(world);
  });

  test("that holds more than it may is answered by 413", () => {
    const world = new FilteredWorld([{ decodeHeaders: Headers.StopAllIterationAndBuffer }]);
    world.request("POST", false);
    world.data("x".repeat(65), false);
    expect(world.take().at(-1)).toBe('reply 413 - request_payload_too_large "Payload Too Large"');
    expectEmpty(world);
  });

  test("is broken off with its stream when a filter wants it so", () => {
    const world = new FilteredWorld([{}]);
    world.request();
    world.filter.callbacks.resetStream("enough");
    expect(world.take()).toEqual(["a.dh.", "a.destroy", "cut - enough"]);
    expectEmpty(world);
  });
});

test("the cluster's filters win over the router's", () => {
  const world = new FilteredWorld([{}]);
  const cluster = world.manager.getCluster("up");
  const own = (): HttpFilter[] => [new ScriptedFilter("c", {}, world.events)];
  if (cluster !== undefined) cluster.filters = { createFilters: own };
  world.request();
  expect(world.take()).toEqual(["c.dh."]);
  expect(world.chains).toBe(0);
  expectEmpty(world);
});

test("a kept connection that dies is replaced below the filters, which see one request", () => {
  const world = new FilteredWorld([{}]);
  world.request();
  world.engine.io(0).connect();
  world.engine.io(0).receive(`${ANSWER}ok`);
  world.next();
  world.request();
  world.engine.io(0).die("ECONNRESET");
  world.engine.io(1).connect();
  world.engine.io(1).receive(`${ANSWER}ok`);
  const events = world.take();
  expect(events.filter((event) => event === "a.dh.")).toHaveLength(1);
  expect(events.at(-1)).toBe("data  end");
  expect(world.up("rq_stale_connection_retry")).toBe(1);
  expectEmpty(world);
});
