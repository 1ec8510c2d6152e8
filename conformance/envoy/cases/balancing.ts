// Load over several endpoints, and who the proxy says it is (check 48). Envoy draws where a round
// robin begins, so upstreams are called by the order in which they come.
import { cluster } from "../bootstrap.ts";
import { type Group, get, type JsonObject, one } from "../case.ts";

const ALL = ["$up:up", "$up:other", "$up:third"];

function endpoint(port: string, more: JsonObject = {}): JsonObject {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return { endpoint: { address }, ...more };
}

function route(path: string, name: string): JsonObject {
  return { name, match: { path }, route: { cluster: name } };
}

/** The log names no host: which one is first is chance. */
const LOG: JsonObject = {
  text_format_source: { inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%\n" },
};

function requests(path: string, count: number): Group["cases"][number]["connections"] {
  return [{ send: Array.from({ length: count }, () => get(path)), responses: count }];
}

export const balancing: Group = {
  id: "balancing",
  title: "several endpoints; the service's own name",
  bootstrap: { node: { id: "node-1", cluster: "service-1" } },
  clusters: [
    cluster("three", ALL, { lb_policy: "ROUND_ROBIN" }),
    {
      ...cluster("weighted", []),
      load_assignment: {
        cluster_name: "weighted",
        endpoints: [
          {
            lb_endpoints: [
              endpoint("$up:up", { load_balancing_weight: 3 }),
              endpoint("$up:other", { load_balancing_weight: 1 }),
            ],
          },
        ],
      },
    },
    {
      ...cluster("priorities", []),
      load_assignment: {
        cluster_name: "priorities",
        endpoints: [
          { priority: 0, lb_endpoints: [endpoint("$up:up", { health_status: "UNHEALTHY" })] },
          { priority: 1, lb_endpoints: [endpoint("$up:other")] },
        ],
      },
    },
    {
      ...cluster("draining", []),
      load_assignment: {
        cluster_name: "draining",
        endpoints: [
          {
            lb_endpoints: [
              endpoint("$up:up", { health_status: "DRAINING" }),
              endpoint("$up:other", { health_status: "HEALTHY" }),
              endpoint("$up:third", { health_status: "TIMEOUT" }),
            ],
          },
        ],
      },
    },
    {
      ...cluster("sick", []),
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
      load_assignment: {
        cluster_name: "sick",
        endpoints: [{ lb_endpoints: [endpoint("$up:up", { health_status: "UNHEALTHY" })] }],
      },
    },
  ],
  sites: {
    main: {
      logFormat: LOG,
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            route("/three", "three"),
            route("/weighted", "weighted"),
            route("/priorities", "priorities"),
            route("/draining", "draining"),
            route("/sick", "sick"),
          ],
        },
      ],
    },
    named: { hcm: { add_user_agent: true } },
  },
  cases: [
    {
      id: "round-robin",
      title: "seven requests over three endpoints",
      connections: requests("/three", 7),
      namesByOrder: true,
    },
    {
      id: "round-robin-weights",
      title: "eight requests over two endpoints that weigh 3 and 1",
      connections: requests("/weighted", 8),
      namesByLoad: true,
    },
    {
      id: "priority-failover",
      title: "the second priority when the first is unhealthy",
      connections: requests("/priorities", 3),
    },
    {
      id: "health-status",
      title: "endpoints that are draining or timed out get nothing",
      connections: requests("/draining", 3),
    },
    {
      id: "health-status-none",
      title: "no healthy endpoint and no panic (check 90)",
      connections: requests("/sick", 2),
    },
    {
      id: "user-agent-service",
      title: "add_user_agent with a service cluster (check 48)",
      connections: one(get("/"), "named"),
    },
    {
      id: "user-agent-service-kept",
      title: "add_user_agent and a client's own user-agent (check 48)",
      connections: one(get("/", "User-Agent: mine"), "named"),
    },
  ],
};
