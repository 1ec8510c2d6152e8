// Foreign functions and metrics of wasm guests: what Envoy answers, and how it calls what they define.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { deflateSync } from "node:zlib";
import { type Group, get, one } from "../case.ts";
import { escaped, field, message } from "../foreign-messages.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const pair: KeyPair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa: KeyPair = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** VerifySignatureArguments; the key is new in each run, the answer is not. */
function verification(hash: string, isGood: boolean, keys: KeyPair): string {
  const text = Buffer.from("a text");
  const signature = sign("sha256", text, keys.privateKey);
  const der = keys.publicKey.export({ format: "der", type: "spki" });
  return message(
    field(1, hash),
    field(2, der),
    field(3, signature),
    field(4, isGood ? text : "another"),
  );
}

/** SignArguments. */
function signing(hash: string, key: KeyObject): string {
  const der = key.export({ format: "der", type: "pkcs8" });
  return message(field(1, hash), field(2, der), field(3, "text"));
}

const COMPRESSED = escaped(deflateSync("hello hello hello"));
const SPANS = [0, 1, 2, 3];

/** Around the ends of 16, 32 and 64 bits. */
const NUMBERS = [
  "0",
  "007",
  "-1",
  "+1",
  " 1",
  "65536",
  "4294967295",
  "4294967296",
  "18446744073709551615",
  "18446744073709551616",
  "0".repeat(40),
];

const FUNCTIONS: readonly string[] = [
  "compress hello%20hello%20hello",
  "compress",
  `uncompress ${COMPRESSED}`,
  `uncompress ${COMPRESSED.slice(0, 30)}`,
  "uncompress nonsense",
  "uncompress",
  "clear_route_cache",
  "sign nonsense",
  `sign ${signing("sha256", rsa.privateKey)}`,
  `sign ${signing("sha512", pair.privateKey)}`,
  `sign ${signing("md5", rsa.privateKey)}`,
  `sign ${message(field(1, "sha256"), field(2, "no key"), field(3, "text"))}`,
  `sign ${message(field(1, "md5"), field(2, "no key"))}`,
  "sign",
  "nothing",
  `verify_signature ${verification("sha256", true, pair)}`,
  `verify_signature ${verification("sha256", false, pair)}`,
  `verify_signature ${verification("sha256", true, rsa)}`,
  `verify_signature ${verification("sha512", true, pair)}`,
  `verify_signature ${verification("md5", true, pair)}`,
  `verify_signature ${verification("", true, pair)}`,
  `verify_signature ${message(field(1, "sha256"), field(2, "no key"))}`,
  "verify_signature",
  "verify_signature %ff",
  "declare_property",
  "declare_property %ff",
  ...SPANS.map((span) => `declare_property ${message(field(1, `own${span}`), field(5, span))}`),
  `declare_property ${message(field(1, "own0"))}`,
  `declare_property ${message(field(1, "fixed"), field(2, 1))}`,
  "set_envoy_filter_state",
  "set_envoy_filter_state %ff",
  ...["envoy.string", "envoy.tcp_proxy.cluster", "envoy.network.upstream_server_name", "mine"].map(
    (key) => `set_envoy_filter_state ${message(field(1, key), field(2, "text"))}`,
  ),
  `set_envoy_filter_state ${message(field(1, "envoy.upstream.dynamic_port"), field(2, "text"))}`,
  `set_envoy_filter_state ${message(field(1, "envoy.upstream.dynamic_port"), field(2, "80"))}`,
  `set_envoy_filter_state ${message(field(1, "envoy.ratelimit.hits_addend"), field(2, "x"))}`,
  ...NUMBERS.flatMap((number) =>
    ["envoy.upstream.dynamic_port", "envoy.ratelimit.hits_addend"].map(
      (key) => `set_envoy_filter_state ${message(field(1, key), field(2, number))}`,
    ),
  ),
];

/** Expressions are not implemented here: KNOWN_DIFFERENCES.md. */
const EXPRESSIONS: readonly string[] = [
  "expr_create request.path",
  "expr_create (((",
  "expr_evaluate %01%00%00%00",
  "expr_delete %01%00%00%00",
];

/** What is declared is read and written as it was said. */
const DECLARED: readonly string[] = [
  "set_property own1 value",
  "get_property own1",
  "set_property own1 other",
  "get_property own1",
  "set_property early value",
  "set_property early other",
  "get_property early",
  "set_property fixed value",
  "set_property fixed other",
  "get_property fixed",
  "get_property filter_state%00wasm.own1",
  "get_property filter_state%00envoy.string",
  "get_property filter_state%00none",
  "set_property a%00b value",
];

const METRICS: readonly string[] = [
  "define_metric 0 plain",
  "define_metric 0 with.dots",
  "define_metric 0 with-dash_and%20space",
  "define_metric 0 cluster.up.upstream_rq_total",
  "define_metric 1 level",
  "define_metric 2 sizes",
  "increment_metric 4 3",
  "increment_metric 8 1",
  "increment_metric 12 1",
  "increment_metric 16 1",
  "record_metric 5 7",
  "increment_metric 5 -2",
  "record_metric 6 100",
  "record_metric 4 2",
  "increment_metric 4 0",
  "increment_metric 4 -1",
  "increment_metric 6 1",
  "get_metric 4",
  "get_metric 5",
  "get_metric 6",
  "define_metric 0 plain",
  "increment_metric 20 1",
  "get_metric 4",
  "get_metric 20",
  "define_metric 3 nothing",
  "define_metric 0",
  "increment_metric 24 1",
  ...[7, 100, 101, 102].flatMap((id) => [
    `get_metric ${id}`,
    `increment_metric ${id} 1`,
    `record_metric ${id} 1`,
  ]),
];

const LOGS: readonly string[] = [
  "get_log_level",
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((level) => `log ${level} text`),
  "log 2 first%0asecond",
  "log 2 caf%c3%a9",
  "log 2",
];

function filter(name: string, lines: readonly string[]) {
  return { hcm: scriptedChain(scriptedPlugin(name, lines)) };
}

function inHeaders(calls: readonly string[], prefix = ""): string[] {
  return calls.map((call) => `request_headers ${prefix}${call}`);
}

export const guestFunctions: Group = {
  id: "guest-functions",
  title: "foreign functions, metrics and logs of wasm guests",
  guests: true,
  stats: "wasmcustom\\.",
  sites: {
    functions: filter("functions", [
      `configure call_foreign_function declare_property ${message(field(1, "early"), field(2, 1))}`,
      ...inHeaders(FUNCTIONS, "call_foreign_function "),
      ...inHeaders(DECLARED),
    ]),
    expressions: filter("expressions", inHeaders(EXPRESSIONS, "call_foreign_function ")),
    metrics: filter("metrics", inHeaders(METRICS)),
    logs: filter("logs", inHeaders(LOGS)),
  },
  cases: ["functions", "expressions", "metrics", "logs"].map((site) => ({
    id: `guest-${site}`,
    title: `${site} of a guest`,
    connections: one(get("/a"), site),
  })),
};
