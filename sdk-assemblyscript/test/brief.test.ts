// Filters with one hook, which Headgate calls once a stream: one that keeps nothing serves stream
// after stream, and nobody can tell.
import { createFilterHost } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import { compile } from "./compile-for-test.ts";

const SOURCE = `
  import { Action, HttpFilter, NoConfig, RequestHeaders } from "@headgate/sdk-assemblyscript";

  @filter("plain") class Plain extends HttpFilter {
    onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
      if (headers.has("x-answer")) return this.respond(403, "no");
      if (headers.has("x-wait")) return Action.Pause;
      headers.set("x-context", this.contextId.toString());
      return Action.Continue;
    }
  }

  @filter("counting") class Counting extends HttpFilter {
    count: i32 = 0;
    onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
      this.count++;
      headers.set("x-count", this.count.toString());
      return Action.Continue;
    }
  }

  const seen: HttpFilter<NoConfig>[] = [];

  @filter("handing") class Handing extends HttpFilter {
    onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
      headers.set("x-known", seen.includes(this) ? "yes" : "no");
      seen.push(this);
      return Action.Continue;
    }
  }`;

test("filters that keep nothing, count, or hand themselves on, see each stream for itself", async () => {
  const { lines, wasm } = await compile({ "assembly/index.ts": SOURCE });
  expect(lines).toEqual([]);
  const module = wasm ?? new Uint8Array();

  const plain = await createFilterHost({ module, rootId: "plain" });
  const contextOf = (): number => {
    const { upstreamRequest } = plain.request();
    return Number(upstreamRequest?.headers["x-context"]);
  };
  const first = contextOf();
  expect(contextOf()).toBe(first + 1);
  // Two that are kept, one of which waits while others come and go.
  const waiting = plain.request({ headers: { "x-wait": "1" } });
  expect(plain.request({ headers: { "x-answer": "1" } }).status).toBe(403);
  expect([contextOf(), contextOf()]).toEqual([first + 4, first + 5]);
  expect(waiting.upstreamRequest).toBeNull();
  waiting.abort();
  expect(contextOf()).toBe(first + 6);
  expect(plain.costs.byCallback.get("proxy_on_delete")).toMatchObject({ calls: 2 });
  plain.close();

  const counting = await createFilterHost({ module, rootId: "counting" });
  const handing = await createFilterHost({ module, rootId: "handing" });
  for (let i = 0; i < 3; i += 1) {
    expect(counting.request().upstreamRequest?.headers["x-count"]).toBe("1");
    expect(handing.request().upstreamRequest?.headers["x-known"]).toBe("no");
  }
  counting.close();
  handing.close();
});
