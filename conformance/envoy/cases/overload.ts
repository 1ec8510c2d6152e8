// The overload manager under full pressure, and listeners that take no connection (check 22).
import { type Case, type Connection, get, type Group, one, request } from "../case.ts";

const MONITOR = "envoy.resource_monitors.injected_resource";
const API = "type.googleapis.com/envoy.extensions.resource_monitors";

/** The first look at the resource is one refresh interval after the start. */
const WATCHED = { pauseMs: 800 } as const;

function late(connections: readonly Connection[]): readonly Connection[] {
  return connections.map((connection) => ({ ...connection, send: [WATCHED, ...connection.send] }));
}

const shed: readonly Case[] = [
  {
    id: "overload-get",
    title: "stop_accepting_requests answers 503 and keeps the connection (check 22)",
    connections: late(one(get("/"))),
  },
  {
    id: "overload-two",
    title: "the next request of the connection is answered like the first",
    connections: late([{ send: [get("/1"), get("/2")], responses: 2 }]),
  },
  {
    id: "overload-head",
    title: "HEAD while overloaded",
    connections: late([{ send: [request("HEAD / HTTP/1.1")], head: true }]),
  },
  {
    id: "overload-half-post",
    title: "a request that still comes is answered and its connection closed",
    connections: late(one(`${request("POST / HTTP/1.1", "Content-Length: 10")}abc`)),
  },
  {
    id: "overload-expect",
    title: "nobody is told to continue while overloaded",
    connections: late(
      one(request("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 10")),
    ),
  },
  {
    id: "overload-bad-path",
    title: "overload is found before the path is looked at",
    connections: late(one(get("/a#b"))),
  },
  {
    id: "overload-marked",
    title: "append_local_overload marks the answer",
    connections: late(one(get("/"), "marked")),
  },
  {
    id: "connection-limit-0",
    title: "a listener whose connection_limit is 0 closes every connection",
    connections: [{ site: "limited", send: [], responses: 0 }],
  },
];

export const overload: Group = {
  id: "overload",
  title: "overload manager and connection limits",
  sites: {
    main: {},
    marked: { hcm: { append_local_overload: true } },
    limited: {},
  },
  files: { pressure: "1.0" },
  bootstrap: {
    overload_manager: {
      refresh_interval: "0.25s",
      resource_monitors: [
        {
          name: MONITOR,
          typed_config: {
            "@type": `${API}.injected_resource.v3.InjectedResourceConfig`,
            filename: "$DIR/pressure",
          },
        },
      ],
      actions: [
        {
          name: "envoy.overload_actions.stop_accepting_requests",
          triggers: [{ name: MONITOR, threshold: { value: 0.9 } }],
        },
      ],
    },
    layered_runtime: {
      layers: [
        {
          name: "limits",
          static_layer: {
            envoy: { resource_limits: { listener: { limited: { connection_limit: 0 } } } },
          },
        },
      ],
    },
  },
  cases: shed,
};
