import { expect, test } from "vitest";
import { adminForTest } from "./admin-for-test.ts";

const admin = adminForTest();

test("clusters list nine counters per host, as Envoy does", async () => {
  const store = admin.fake.stats.store;
  store.counter("@host.up|127.0.0.1:19909|cx_connect_fail").inc();
  store.counter("@host.up|127.0.0.1:19909|cx_total").inc();
  store.counter("@host.up|127.0.0.1:19909|rq_error").inc();
  store.gauge("@host.up|127.0.0.1:19909|rq_active").set(2);
  const { body } = await admin.call("GET", "/clusters");
  const breaker = (priority: string): string =>
    ["max_connections::1024", "max_pending_requests::1024", "max_requests::1024", "max_retries::3"]
      .map((line) => `up::${priority}::${line}\n`)
      .join("");
  const host =
    "cx_active::0 cx_connect_fail::1 cx_total::1 rq_active::2 rq_error::1 rq_pending_active::0 " +
    "rq_success::0 rq_timeout::0 rq_total::0 hostname:: health_flags::healthy weight::1 " +
    "region:: zone:: sub_zone:: canary::false priority::0 success_rate::-1 " +
    "local_origin_success_rate::-1";
  const hostLines = host.split(" ").map((line) => `up::127.0.0.1:19909::${line}\n`);
  expect(body).toBe(
    `up::observability_name::up\n${breaker("default_priority")}${breaker("high_priority")}` +
      `up::added_via_api::false\n${hostLines.join("")}`,
  );
  const json = JSON.parse((await admin.call("GET", "/clusters?format=json")).body);
  const status = json.cluster_statuses[0];
  expect(Object.keys(status)).toEqual([
    "name",
    "host_statuses",
    "circuit_breakers",
    "observability_name",
  ]);
  expect(status.host_statuses[0]).toEqual({
    address: { socket_address: { address: "127.0.0.1", port_value: 19909 } },
    stats: [
      { name: "cx_connect_fail", value: "1" },
      { name: "cx_total", value: "1" },
      { name: "rq_error", value: "1" },
      { name: "rq_success" },
      { name: "rq_timeout" },
      { name: "rq_total" },
      { type: "GAUGE", name: "cx_active" },
      { type: "GAUGE", name: "rq_active", value: "2" },
      { type: "GAUGE", name: "rq_pending_active" },
    ],
    health_status: { eds_health_status: "HEALTHY" },
    weight: 1,
    locality: {},
  });
});

test("listeners as JSON", async () => {
  const { body } = await admin.call("GET", "/listeners?format=json");
  expect(body).toContain('{\n "listener_statuses": [\n  {\n   "name": "l",\n   "local_address": {');
  const statuses = JSON.parse(body).listener_statuses;
  expect(statuses[2].local_address).toEqual({ pipe: { path: "/run/x.sock" } });
});
