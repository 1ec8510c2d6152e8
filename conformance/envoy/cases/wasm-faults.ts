// What becomes of streams whose guest panics, in each phase and under each failure policy: a Rust guest
// that panics where the request says, and the stream after it.
import {
  type Case,
  type ConfigCase,
  type Connection,
  type Group,
  get,
  type Json,
  type Site,
} from "../case.ts";
import {
  chunked,
  chunkedReply,
  PATIENT,
  TRAILER_CLUSTER,
  TRAILER_HOSTS,
  WITH_TRAILERS,
} from "../chunks.ts";
import { fieldChain, fieldPlugin } from "../field-guest.ts";

/** The first has to wait for the first connection, and so is one that does not mind. */
const PHASES = [
  "log",
  "request-headers",
  "request-body",
  "request-trailers",
  "response-headers",
  "response-body",
  "response-trailers",
  "call",
] as const;

const POLICIES: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  closed: { failure_policy: "FAIL_CLOSED" },
  open: { failure_policy: "FAIL_OPEN" },
  old: { fail_open: true },
};

function siteName(policy: string, phase: string): string {
  return `${policy}_${phase.replaceAll("-", "_")}`;
}

/** A VM of its own: it is dead afterwards. */
function faulty(name: string, policy: Readonly<Record<string, Json>>): Site {
  const plugin = fieldPlugin("rust-faulty", { vmId: name, more: policy });
  return {
    hcm: { ...fieldChain(plugin), ...WITH_TRAILERS, ...PATIENT },
    virtualHosts: TRAILER_HOSTS,
  };
}

function sites(): Readonly<Record<string, Site>> {
  const all: Record<string, Site> = {};
  for (const [policy, fields] of Object.entries(POLICIES)) {
    for (const phase of PHASES) {
      const name = siteName(policy, phase);
      all[name] = faulty(name, fields);
    }
  }
  return all;
}

function connections(site: string, phase: string): readonly Connection[] {
  const lines = [`X-Fault: ${phase}`, "TE: trailers"];
  const send = chunked("/a", ["abc", "def"], { trailers: ["x-t: 1"], lines });
  return [
    { site, send },
    { site, send: [get("/after")] },
  ];
}

/** A callout reaches an upstream first, and has the first answer. */
const CALL_REPLY = { steps: ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] };
const REPLY = chunkedReply(["one", "two"], [], ["x-end: 1"]);

function faultCases(): readonly Case[] {
  return Object.keys(POLICIES).flatMap((policy) =>
    PHASES.map((phase) => ({
      id: `wasm-fault-${policy}-${phase}`,
      title: `a panic in ${phase}, and the stream after it: ${policy}`,
      connections: connections(siteName(policy, phase), phase),
      replies: phase === "call" ? [CALL_REPLY, REPLY] : [REPLY],
    })),
  );
}

export const wasmFaults: Group = {
  id: "wasm-faults",
  title: "guests that panic, by phase and failure policy",
  sites: { main: {}, ...sites() },
  clusters: [TRAILER_CLUSTER],
  cases: faultCases(),
};

/** Guests that do not start. */
export const WASM_CONFIG_CASES: readonly ConfigCase[] = [
  ...["configure", "refuse"].map((configuration) => ({
    id: `config-wasm-${configuration}`,
    title: `a guest that answers on_configure so: ${configuration}`,
    site: { hcm: fieldChain(fieldPlugin("rust-faulty", { configuration })) },
  })),
  {
    id: "config-wasm-refuse-open",
    title: "the same with FAIL_OPEN",
    site: {
      hcm: fieldChain(
        fieldPlugin("rust-faulty", {
          configuration: "refuse",
          more: { failure_policy: "FAIL_OPEN" },
        }),
      ),
    },
  },
  {
    id: "config-wasm-both-policies",
    title: "fail_open beside failure_policy",
    site: {
      hcm: fieldChain(
        fieldPlugin("rust-faulty", { more: { fail_open: true, failure_policy: "FAIL_OPEN" } }),
      ),
    },
  },
  {
    id: "config-wasm-quota",
    title: "a guest that does not understand its configuration",
    site: { hcm: fieldChain(fieldPlugin("rust-rate-limit", { configuration: "many" })) },
  },
  {
    id: "config-wasm-old-without-configuration",
    title: "an old SDK that cannot do without a configuration",
    site: { hcm: fieldChain(fieldPlugin("as-solo-0.2.0", { rootId: "header-edit" })) },
  },
  {
    id: "config-wasm-old-root-id",
    title: "an old SDK that does not know its root id",
    site: { hcm: fieldChain(fieldPlugin("as-solo-0.1.0", { rootId: "unknown" })) },
  },
  {
    id: "config-wasm-no-module",
    title: "a module file that is not there",
    site: {
      hcm: fieldChain({
        name: "none",
        vm_config: {
          runtime: "envoy.wasm.runtime.v8",
          code: { local: { filename: "$DIR/not-there.wasm" } },
        },
      }),
    },
  },
];
