// Filter state that wasm guests set, by property or foreign function, and everybody who reads it: formats
// of the access log and of headers, properties, the next stream of the connection.
import { type Case, type Group, get, type JsonObject, one, type Site } from "../case.ts";
import { field, message } from "../foreign-messages.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";

/** What is set, by its key, and with which value. */
const STATE: Readonly<Record<string, string>> = {
  "envoy.string": 'a "text"',
  "envoy.hashable_string": "hash",
  "envoy.tcp_proxy.cluster": "up",
  "envoy.network.upstream_server_name": "name.local",
  "envoy.network.upstream_subject_alt_names": "a.local,b.local",
  "envoy.network.application_protocols": "h2,http/1.1",
  "envoy.upstream.dynamic_host": "127.0.0.9",
  "envoy.upstream.dynamic_port": "+0080",
  "envoy.ratelimit.hits_addend": "7",
};
const OWN = ["wasm.own", "wasm.number", "wasm.bytes"];
const KEYS = [...Object.keys(STATE), ...OWN, "none"];
const FORMS = ["", ":PLAIN", ":TYPED"];

/** 1 is DownstreamRequest, 2 DownstreamConnection. */
function setLines(span: number): readonly string[] {
  return Object.entries(STATE).map(
    ([key, value]) =>
      `request_headers#1 call_foreign_function set_envoy_filter_state ${message(field(1, key), field(2, value), field(3, span))}`,
  );
}

const OWN_LINES = [
  `request_headers call_foreign_function declare_property ${message(field(1, "number"), field(3, 1))}`,
  "request_headers set_property own caf%c3%a9%20%22x%22",
  "request_headers set_property number 12",
  "request_headers set_property bytes %00%ff",
];

const READ_LINES = KEYS.flatMap((key) => [
  `response_headers get_property filter_state%00${key}`,
  `log get_property filter_state%00${key}`,
]);
const OTHER_LINES = [
  "request_headers get_property upstream_filter_state%00envoy.string",
  "response_headers get_property upstream_filter_state%00envoy.string",
  "response_headers get_property own",
  "response_headers get_property envoy.string",
  "response_headers get_property wasm.own",
];

const FIELDS = KEYS.flatMap((key) =>
  FORMS.map(
    (form) =>
      `${key}${form}=%FILTER_STATE(${key}${form})% up=%UPSTREAM_FILTER_STATE(${key}${form})%`,
  ),
);
const CUTS = [
  "%FILTER_STATE(envoy.string:PLAIN):3%",
  "%FILTER_STATE(envoy.string):3%",
  "%FILTER_STATE(envoy.upstream.dynamic_port):1%",
  "%FILTER_STATE(wasm.own):9%",
];
const TEXT: JsonObject = {
  text_format_source: { inline_string: `${[...FIELDS, ...CUTS].join("|")}\n` },
};
const JSON_FORMAT: JsonObject = {
  json_format: {
    ...Object.fromEntries(
      KEYS.flatMap((key) =>
        FORMS.map((form) => [`${key}${form}`, `%FILTER_STATE(${key}${form})%`]),
      ),
    ),
    cut: "%FILTER_STATE(envoy.string):3%",
    "cut-bytes": "%FILTER_STATE(wasm.own):8%",
    "cut-number": "%FILTER_STATE(envoy.upstream.dynamic_port):1%",
    among: "<%FILTER_STATE(envoy.string)%>",
  },
};

function added(prefix: string): readonly JsonObject[] {
  const keys = ["envoy.string", "envoy.upstream.dynamic_port", "wasm.own", "none"];
  return keys.flatMap((key, index) =>
    ["", ":PLAIN"].map((form) => ({
      header: {
        key: `${prefix}-${index}${form.toLowerCase().replace(":", "-")}`,
        value: `%FILTER_STATE(${key}${form})%`,
      },
    })),
  );
}

function site(name: string, lines: readonly string[], logFormat: JsonObject): Site {
  const virtualHost = {
    name: "all",
    domains: ["*"],
    request_headers_to_add: added("x-q"),
    response_headers_to_add: added("x-r"),
    routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }],
  };
  return {
    hcm: scriptedChain(scriptedPlugin(name, lines)),
    virtualHosts: [virtualHost],
    logFormat,
  };
}

const LINES = [...OWN_LINES, ...READ_LINES, ...OTHER_LINES];

const CASES: readonly Case[] = [
  ["text", "in a line of text"],
  ["json", "in a line of JSON"],
].map(([id = "", title = ""]) => ({
  id: `guest-filter-state-${id}`,
  title,
  connections: one(get("/a"), id),
}));

const CONNECTION: Case = {
  id: "guest-filter-state-connection",
  title: "for all streams of the connection",
  connections: [
    { site: "connection", send: [get("/a"), { pauseMs: 100 }, get("/b")], responses: 2 },
  ],
};

export const guestFilterState: Group = {
  id: "guest-filter-state",
  title: "filter state of wasm guests and its readers",
  guests: true,
  sites: {
    main: {},
    text: site("text", [...setLines(1), ...LINES], TEXT),
    json: site("json", [...setLines(1), ...LINES], JSON_FORMAT),
    connection: site("connection", [...setLines(2), ...READ_LINES], TEXT),
  },
  cases: [...CASES, CONNECTION],
};
