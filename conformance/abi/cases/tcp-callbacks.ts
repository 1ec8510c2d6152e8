// The callbacks of TCP connections.
import type { Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call } from "../guest.ts";
import type { Scenes } from "../make-case.ts";

const TCP = /^proxy_on_(new|downstream|upstream)/;
const tcp = { position: "network", of: TCP } as const;

/** What needs proxy_continue_stream and proxy_close_stream. */
const dataOfStreams: readonly Scene[] = [
  {
    what: "paused bytes go on when the stream is continued",
    ...tcp,
    callbacks: {
      proxy_on_downstream_data: { answer: 1, calls: [call("proxy_continue_stream", 2)] },
    },
    play: [{ connect: [{ client: "abc" }] }],
    holds: ({ connection }) => same("at the server", connection?.toServer, "abc"),
  },
  {
    what: "the connection can be closed",
    ...tcp,
    callbacks: {
      proxy_on_downstream_data: { answer: 1, calls: [call("proxy_close_stream", 2)] },
      proxy_on_downstream_connection_close: {},
    },
    play: [{ connect: [{ client: "abc" }] }],
    trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_connection_close(2,1)"],
    holds: ({ connection }) => {
      same("closed", connection?.isClosed, true);
      same("bytes at the server", connection?.toServer.includes("abc"), false);
    },
  },
];

export const tcpCallbacks: Readonly<Record<string, Scenes>> = {
  proxy_on_new_connection: [
    {
      what: "before anything else of a connection",
      position: "network",
      callbacks: { proxy_on_context_create: {}, proxy_on_new_connection: {} },
      play: [{ connect: [{ client: "a" }] }],
      trace: [
        "proxy_on_context_create(1,0)",
        "proxy_on_context_create(2,1)",
        "proxy_on_new_connection(2)",
      ],
      holds: ({ connection }) => same("at the server", connection?.toServer, "a"),
    },
    {
      what: "the answer Pause keeps it from the next filter",
      ...tcp,
      callbacks: { proxy_on_new_connection: { answer: 1 } },
      play: [{ connect: [] }],
      trace: ["proxy_on_new_connection(2)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, ""),
    },
  ],
  proxy_on_downstream_data: (version) => [
    {
      what: "with the number of bytes and the end",
      ...tcp,
      callbacks: { proxy_on_downstream_data: {} },
      play: [{ connect: [{ client: "abc" }, "client ends"] }],
      trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_data(2,0,1)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, "abc(end)"),
    },
    {
      what: "paused, what came stays, and the next size counts it",
      ...tcp,
      callbacks: { proxy_on_downstream_data: { answer: 1 } },
      play: [{ connect: [{ client: "ab" }, { client: "cde" }] }],
      trace: ["proxy_on_downstream_data(2,2,0)", "proxy_on_downstream_data(2,5,0)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, ""),
    },
    {
      what: "buffer 2 can be read and changed",
      ...tcp,
      callbacks: {
        proxy_on_downstream_data: {
          calls: [
            call("proxy_get_buffer_bytes", 2, 0, 100),
            call("proxy_set_buffer_bytes", 2, 0, 1, "A"),
            call("proxy_get_buffer_status", 3),
            call("proxy_set_buffer_bytes", 3, 0, 0, "x"),
          ],
        },
      },
      play: [{ connect: [{ client: "abc" }] }],
      holds: ({ answers, connection }) => {
        same("answers", answers, ["Ok [abc]", "Ok", "Ok 0 0", "BadArgument"]);
        same("at the server", connection?.toServer, "Abc");
      },
    },
    ...(version === "0.1.0" ? [] : dataOfStreams),
  ],
  proxy_on_downstream_connection_close: [
    {
      what: "by the host when both sides have ended, the client first",
      ...tcp,
      callbacks: { proxy_on_downstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, "client ends", "server ends", "client leaves"] }],
      trace: ["proxy_on_downstream_connection_close(2,1)"],
      verdict: "envoy",
    },
    {
      what: "by the peer when both sides have ended, the server first",
      ...tcp,
      callbacks: { proxy_on_downstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, "server ends", "client ends", "client leaves"] }],
      trace: ["proxy_on_downstream_connection_close(2,2)"],
      verdict: "envoy",
    },
    {
      what: "by the peer; then on_done, on_log and on_delete in this order",
      position: "network",
      callbacks: {
        proxy_on_downstream_connection_close: {},
        proxy_on_done: { answer: 0 },
        proxy_on_log: { calls: [call("proxy_get_property", "connection\0id")] },
        proxy_on_delete: {},
      },
      play: [{ connect: [{ client: "abc" }, "client leaves"] }],
      trace: [
        "proxy_on_downstream_connection_close(2,2)",
        "proxy_on_done(2)",
        "proxy_on_log(2)",
        "proxy_on_delete(2)",
      ],
      holds: ({ answers }) => same("property", answers[0]?.slice(0, 2), "Ok"),
    },
  ],
  proxy_on_upstream_data: [
    {
      what: "with the number of bytes; buffer 3 can be changed",
      ...tcp,
      callbacks: {
        proxy_on_upstream_data: {
          calls: [
            call("proxy_get_buffer_bytes", 3, 0, 100),
            call("proxy_set_buffer_bytes", 3, 99, 0, "!"),
          ],
        },
      },
      play: [{ connect: [{ client: "a" }, { server: "hello" }] }],
      trace: ["proxy_on_upstream_data(2,5,0)"],
      holds: ({ answers, connection }) => {
        same("at the client", connection?.toClient, "hello!");
        same("answers", answers, ["Ok [hello]", "Ok"]);
      },
    },
    {
      what: "paused, what came stays",
      ...tcp,
      callbacks: { proxy_on_upstream_data: { answer: 1 } },
      play: [{ connect: [{ client: "a" }, { server: "hel" }, { server: "lo" }] }],
      trace: ["proxy_on_upstream_data(2,3,0)", "proxy_on_upstream_data(2,5,0)"],
      holds: ({ connection }) => same("at the client", connection?.toClient, ""),
    },
  ],
  proxy_on_upstream_connection_close: [
    {
      what: "once, behind the data callback that is told the end",
      ...tcp,
      callbacks: { proxy_on_upstream_data: {}, proxy_on_upstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, { server: "bye" }, "server ends"] }],
      trace: [
        "proxy_on_upstream_data(2,3,0)",
        "proxy_on_upstream_data(2,0,1)",
        "proxy_on_upstream_connection_close(2,#)",
      ],
      holds: ({ connection }) => same("at the client", connection?.toClient, "bye(end)"),
    },
  ],
};
