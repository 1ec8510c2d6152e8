// Wasm network filters: guests of C and Rust, and the scripted one, in front of a TCP proxy or an HCM.
import type { Case, Connection, Group, Piece, Site, Stream } from "../case.ts";
import { get } from "../case.ts";
import { fieldNetworkFilter, fieldPlugin } from "../field-guest.ts";
import { scriptedNetworkFilter, scriptedPlugin } from "../scripted-guest.ts";

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

/** A case with a site of its own, whose filter runs these lines. */
interface Scripted {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly string[];
  readonly send: readonly Piece[];
  readonly streams?: readonly Stream[];
}

const PING: readonly Piece[] = ["ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }];
const PONG: readonly Stream[] = [{ steps: [{ awaitText: "ping" }, "pong"] }];
const CUT: readonly Piece[] = ["ping", { awaitEnd: true }];

const SCRIPTED: readonly Scripted[] = [
  { id: "order", title: "the order of all callbacks", lines: [], send: PING },
  {
    id: "upstream-ends",
    title: "the upstream ends first",
    lines: [],
    send: ["ping", { awaitText: "pong" }, { awaitEnd: true }],
    streams: [{ steps: [{ awaitText: "ping" }, "pong", { pauseMs: 60 }], after: "close" }],
  },
  {
    id: "read",
    title: "buffers of each direction, in and out of their callback",
    lines: [
      "new_connection get_buffer_bytes 2 0 max",
      "downstream_data get_buffer_bytes 2 0 max",
      "downstream_data get_buffer_bytes 2 1 2",
      "downstream_data get_buffer_status 2",
      "downstream_data get_buffer_bytes 3 0 max",
      "upstream_data get_buffer_bytes 3 0 max",
      "upstream_data get_buffer_bytes 2 0 max",
      "upstream_data get_buffer_bytes 0 0 max",
      "log get_buffer_bytes 2 0 max",
    ],
    send: PING,
  },
  {
    id: "prepend",
    title: "bytes in front, both ways",
    lines: ["downstream_data set_buffer_bytes 2 0 0 >", "upstream_data set_buffer_bytes 3 0 0 <"],
    send: PING,
  },
  {
    id: "append",
    title: "bytes behind, both ways",
    lines: [
      "downstream_data#1 set_buffer_bytes 2 max 0 >",
      "upstream_data#1 set_buffer_bytes 3 max 0 <",
    ],
    send: PING,
  },
  {
    id: "swallow",
    title: "bytes that are taken away",
    lines: ["downstream_data#1 set_buffer_bytes 2 0 max"],
    send: ["lost", { pauseMs: 80 }, "ping", { awaitText: "pong" }, { fin: true }],
    streams: [{ steps: [{ awaitText: "ping" }, "pong"] }],
  },
  {
    id: "hold",
    title: "bytes are held until there are more",
    lines: ["downstream_data#1 return 1", "downstream_data#2 return 0"],
    send: ["pi", { pauseMs: 80 }, "ng", { awaitText: "pong" }, { fin: true }],
  },
  {
    id: "hold-to-end",
    title: "bytes are held until the client ends",
    lines: ["downstream_data#1 return 1"],
    send: ["ping", { pauseMs: 80 }, { fin: true }, { awaitEnd: true }],
    streams: [{ steps: [{ awaitEnd: true }, "pong", { pauseMs: 60 }] }],
  },
  {
    id: "hold-back",
    title: "the upstream's bytes are held until there are more",
    lines: ["upstream_data#1 return 1"],
    send: ["ping", { awaitText: "pong" }, { fin: true }],
    streams: [{ steps: [{ awaitText: "ping" }, "po", { pauseMs: 80 }, "ng"] }],
  },
  {
    id: "hold-new",
    title: "the connection is held until its first bytes",
    lines: ["new_connection return 1"],
    send: PING,
  },
  {
    id: "continue",
    title: "continue_stream of each type",
    lines: [
      "downstream_data#1 return 1",
      "downstream_data#2 continue_stream 2",
      "downstream_data#2 continue_stream 3",
      "downstream_data#2 continue_stream 0",
      "downstream_data#2 continue_stream 9",
    ],
    send: ["pi", { pauseMs: 80 }, "ng", { awaitText: "pong" }, { fin: true }],
  },
  {
    id: "close-new",
    title: "closed before it began",
    lines: ["new_connection close_stream 2"],
    send: [{ awaitEnd: true }],
    streams: [],
  },
  {
    id: "close-downstream",
    title: "closed at the first bytes",
    lines: ["downstream_data close_stream 2", "downstream_data return 1"],
    send: CUT,
  },
  {
    id: "close-upstream",
    title: "the upstream's side is closed",
    lines: ["downstream_data close_stream 3"],
    send: CUT,
  },
  {
    id: "close-answer",
    title: "closed when the upstream has answered",
    lines: ["upstream_data close_stream 2"],
    send: ["ping", { awaitEnd: true }],
  },
  {
    id: "http-calls",
    title: "hostcalls of HTTP streams in a connection",
    lines: [
      "downstream_data get_header_map_value 0 :path",
      "downstream_data get_header_map_pairs 0",
      "downstream_data add_header_map_value 0 a b",
      "downstream_data send_local_response 403 d b ~ -1",
      "downstream_data get_property request%00path",
    ],
    send: PING,
  },
];

function siteName(one: Scripted): string {
  return one.id.replaceAll("-", "_");
}

function scriptedSites(): Readonly<Record<string, Site>> {
  const entries = SCRIPTED.map((one) => {
    const name = siteName(one);
    const filter = scriptedNetworkFilter(scriptedPlugin(name, one.lines));
    return [name, { before: [filter], tcp: {} }] as const;
  });
  return Object.fromEntries(entries);
}

const GUARD: readonly Case[] = [
  {
    id: "wasm-tcp-guard-hello",
    title: "a greeting opens the connection",
    connections: raw("guard", "HELLO ann\nping", { awaitText: "pong" }, { fin: true }),
    streams: PONG,
  },
  {
    id: "wasm-tcp-guard-split",
    title: "a greeting in pieces",
    connections: raw(
      "guard",
      "HEL",
      { pauseMs: 60 },
      "LO bob",
      { pauseMs: 60 },
      "\n",
      { pauseMs: 60 },
      "ping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: PONG,
  },
  {
    id: "wasm-tcp-guard-refused",
    title: "anything else is cut off",
    connections: raw("guard", "GET / HTTP/1.0\n\n", { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "wasm-tcp-guard-long",
    title: "a line that does not end is cut off",
    connections: raw("guard", `HELLO ${"x".repeat(80)}`, { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "wasm-tcp-guard-silent",
    title: "a client that ends within its greeting",
    connections: raw("guard", "HELLO", { pauseMs: 60 }, { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "wasm-tcp-guard-banner",
    title: "an upstream that speaks first",
    connections: raw(
      "guard",
      { awaitText: "220" },
      "HELLO me\nping",
      { awaitText: "pong" },
      { fin: true },
    ),
    streams: [{ steps: ["220 hi\n", { awaitText: "ping" }, "pong"] }],
  },
];

const LINES: readonly Case[] = [
  {
    id: "wasm-tcp-lines-masked",
    title: "digits are masked",
    connections: raw("lines", "card 1234\n", { awaitText: "ok" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "\n" }, "ok 7"] }],
  },
  {
    id: "wasm-tcp-lines-split",
    title: "a line in pieces goes on as a whole",
    connections: raw("lines", "a1", { pauseMs: 80 }, "b2\n", { awaitText: "ok" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "\n" }, "ok"] }],
  },
  {
    id: "wasm-tcp-lines-quit",
    title: "QUIT ends the connection",
    connections: raw("lines", "x\n", { awaitText: "ok" }, "QUIT\n", { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "\n" }, "ok"] }],
  },
  {
    id: "wasm-tcp-lines-end",
    title: "a line that the client's end cuts off",
    connections: raw("lines", "no 1 end", { pauseMs: 60 }, { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitEnd: true }, "bye", { pauseMs: 60 }] }],
  },
];

export const wasmTcp: Group = {
  id: "wasm-tcp",
  title: "wasm network filters",
  guests: true,
  sites: {
    main: {},
    guard: { before: [fieldNetworkFilter(fieldPlugin("c-tcp-guard"))], tcp: {} },
    lines: { before: [fieldNetworkFilter(fieldPlugin("rust-tcp-lines"))], tcp: {} },
    guarded_http: {
      before: [fieldNetworkFilter(fieldPlugin("c-tcp-guard", { vmId: "http" }))],
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            {
              match: { prefix: "/" },
              direct_response: { status: 200, body: { inline_string: "hello" } },
            },
          ],
        },
      ],
    },
    ...scriptedSites(),
  },
  cases: [
    ...GUARD,
    ...LINES,
    {
      id: "wasm-tcp-before-http",
      title: "a greeting in front of HTTP, a mark in front of its answer",
      connections: raw("guarded_http", `HELLO web\n${get("/a")}`, { awaitText: "hello" }),
    },
    ...SCRIPTED.map((one) => ({
      id: `wasm-tcp-${one.id}`,
      title: one.title,
      connections: raw(siteName(one), ...one.send),
      streams: one.streams ?? PONG,
    })),
  ],
};
