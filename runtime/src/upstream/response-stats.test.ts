import { expect, test } from "vitest";
import { StatsStore } from "../stats/store.ts";
import { ResponseStats } from "./response-stats.ts";

test("codes that HTTP does not know share one counter", () => {
  const store = new StatsStore({ slotsMax: 40_000 });
  const stats = new ResponseStats(store, "cluster.c.");
  for (let code = 0; code < 10_000; code += 1) stats.charge(code, false);
  expect(store.counter("cluster.c.upstream_rq_unknown").value).toBe(9500);
  expect(store.counter("cluster.c.upstream_rq_599").value).toBe(1);
  const names = store.definitions.filter(({ name }) => name.startsWith("cluster.c.upstream_rq_"));
  // 500 codes, unknown, five classes, completed.
  expect(names.length).toBe(507);
});
