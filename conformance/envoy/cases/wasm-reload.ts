// Guests that panic under FAIL_RELOAD: the stream that fails, those that come next, and those after the
// back-off. Envoy counts it from when the VM was made.
import { type Case, type Connection, type Group, get, type Json, type Site } from "../case.ts";
import { chunkedReply, PATIENT, TRAILER_CLUSTER, TRAILER_HOSTS, WITH_TRAILERS } from "../chunks.ts";
import { fieldChain, fieldPlugin } from "../field-guest.ts";

/** Over when the first stream fails, over after a pause, and never. Envoy crashes on one of 1 ms. */
const BACK_OFFS = { short: "0.01s", pause: "2s", long: "600s" } as const;
type BackOff = keyof typeof BACK_OFFS;

const PAUSE_MS = 3_500;

function site(name: string, backOff: BackOff): Site {
  const more: Record<string, Json> = {
    failure_policy: "FAIL_RELOAD",
    reload_config: { backoff: { base_interval: BACK_OFFS[backOff] } },
  };
  const plugin = fieldPlugin("rust-faulty", { vmId: name, more });
  return {
    hcm: { ...fieldChain(plugin), ...WITH_TRAILERS, ...PATIENT },
    virtualHosts: TRAILER_HOSTS,
  };
}

function faulty(site: string, phase: string): Connection {
  return { site, send: [{ pauseMs: 100 }, get("/a", `X-Fault: ${phase}`, "TE: trailers")] };
}

function good(site: string, pauseMs: number = 0): Connection {
  return { site, send: [...(pauseMs === 0 ? [] : [{ pauseMs }]), get("/after")] };
}

const REPLY = chunkedReply(["one", "two"], [], ["x-end: 1"]);

interface Reloaded {
  readonly name: string;
  readonly title: string;
  readonly backOff: BackOff;
  readonly connections: (site: string) => readonly Connection[];
}

const PHASES = ["request-headers", "response-headers", "response-body", "response-trailers", "log"];

const ALL: readonly Reloaded[] = [
  ...PHASES.map(
    (phase): Reloaded => ({
      name: `short-${phase}`,
      title: `a panic in ${phase}, and the streams after it, without a back-off`,
      backOff: "short",
      connections: (name) => [faulty(name, phase), good(name), good(name)],
    }),
  ),
  {
    name: "short-twice",
    title: "two panics, without a back-off",
    backOff: "short",
    connections: (name) => [
      faulty(name, "request-headers"),
      good(name),
      faulty(name, "response-headers"),
      good(name, 100),
    ],
  },
  {
    name: "long",
    title: "a panic, and the stream after it, in a back-off that does not end",
    backOff: "long",
    connections: (name) => [faulty(name, "request-headers"), good(name), good(name)],
  },
  {
    name: "pause",
    title: "a panic, and a stream after the back-off",
    backOff: "pause",
    connections: (name) => [faulty(name, "request-headers"), good(name, PAUSE_MS)],
  },
];

function siteName(name: string): string {
  return name.replaceAll("-", "_");
}

export const wasmReload: Group = {
  id: "wasm-reload",
  title: "guests that panic under FAIL_RELOAD",
  stats: "wasm\\..*vm_reload_(success|failure|backoff)",
  sites: {
    main: {},
    ...Object.fromEntries(
      ALL.map(({ name, backOff }) => [siteName(name), site(siteName(name), backOff)]),
    ),
  },
  clusters: [TRAILER_CLUSTER],
  cases: ALL.map(
    ({ name, title, connections }): Case => ({
      id: `wasm-reload-${name}`,
      title,
      connections: connections(siteName(name)),
      replies: [REPLY],
    }),
  ),
};
