// HTTP fields: header and trailer maps.
import { encodePairs } from "proxy-wasm-types";
import type { Expected, HostcallCases, Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call } from "../guest.ts";
import { printable } from "../reports.ts";

const NOTHING = "BadArgument";
/** A key that a map does not have. */
const ABSENT: Expected = { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" };

/** Maps that are not there in request headers, and one that does not exist. */
const absentMaps = [1, 2, 3, 4, 5, 6, 7, 8, -1];

function absent(name: string, ...rest: string[]): Scene {
  return {
    what: "of maps that are not there",
    calls: absentMaps.map((map) => [call(name, map, ...rest), NOTHING] as const),
  };
}

/** The header map's text form: what encodePairs makes. */
function printed(...pairs: readonly (readonly [string, string])[]): string {
  return printable(encodePairs(pairs.flat()));
}

const list = (...pairs: readonly (readonly [string, string])[]): Uint8Array =>
  encodePairs(pairs.flat());

const post = { method: "POST", body: "x", trailers: { t: "1" } } as const;
/** What a proxy needs of a request that a guest makes anew. */
const PROTOCOL = ["x-forwarded-proto", "http"] as const;

export const fieldCases: HostcallCases = {
  proxy_get_header_map_size: {
    good: call("proxy_get_header_map_size", 0),
    scenes: [
      {
        what: "bytes of keys and values, while the map may be changed",
        verdict: "envoy",
        spec: "The number of entries, says one place; the size of the serialised map, another.",
        calls: [[call("proxy_get_header_map_size", 0), "Ok 78"]],
      },
      absent("proxy_get_header_map_size"),
      {
        what: "not in on_log, where the others can read it",
        verdict: "envoy",
        in: "proxy_on_log",
        calls: [
          [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
          [call("proxy_get_header_map_size", 0), NOTHING],
          [call("proxy_get_header_map_size", 2), NOTHING],
        ],
      },
    ],
  },

  proxy_get_header_map_pairs: {
    good: call("proxy_get_header_map_pairs", 0),
    scenes: [
      {
        what: "all of a map, pseudo headers first",
        verdict: "envoy",
        spec: "All key-value pairs, in no order that it names.",
        calls: [
          [
            call("proxy_get_header_map_pairs", 0),
            `Ok [${printed(
              [":authority", "example.com"],
              [":path", "/a?b=c"],
              [":method", "GET"],
              [":scheme", "http"],
              ["x-a", "1"],
              ["x-forwarded-proto", "http"],
            )}]`,
          ],
        ],
      },
      {
        what: "nothing of maps that are not there, and an error of one that does not exist",
        verdict: "envoy",
        spec: "BAD_ARGUMENT for an unknown map; of a known one that is not there it says nothing.",
        calls: [
          ...[1, 2, 3, 4, 5, 6, 7].map(
            (map) => [call("proxy_get_header_map_pairs", map), "Ok []"] as const,
          ),
          [call("proxy_get_header_map_pairs", 8), NOTHING],
        ],
      },
      {
        what: "request trailers",
        in: "proxy_on_request_trailers",
        request: { ...post, trailers: { t: "1", u: "" } },
        calls: [[call("proxy_get_header_map_pairs", 1), `Ok [${printed(["t", "1"], ["u", ""])}]`]],
      },
      {
        what: "response trailers",
        in: "proxy_on_response_trailers",
        request: { upstream: { body: "x", trailers: { t: "1", u: "" } } },
        calls: [[call("proxy_get_header_map_pairs", 3), `Ok [${printed(["t", "1"], ["u", ""])}]`]],
      },
    ],
  },

  proxy_set_header_map_pairs: {
    good: call("proxy_set_header_map_pairs", 0, list([":path", "/"], ["a", "b"])),
    scenes: [
      {
        what: "everything is replaced, in the given order, names in lower case",
        calls: [
          [
            call(
              "proxy_set_header_map_pairs",
              0,
              list(
                [":method", "GET"],
                [":path", "/c"],
                [":authority", "z"],
                [":scheme", "http"],
                PROTOCOL,
                ["d", "1"],
                ["D", "2"],
              ),
            ),
            "Ok",
          ],
          [call("proxy_get_header_map_value", 0, "x-a"), ABSENT],
        ],
        exchange: {
          status: 200,
          upstream: {
            path: "/c",
            headerList: [
              ["d", "1"],
              ["d", "2"],
            ],
          },
        },
      },
      {
        what: "of a response",
        in: "proxy_on_response_headers",
        request: { upstream: { headers: { "x-b": "1" } } },
        calls: [
          [call("proxy_set_header_map_pairs", 2, list([":status", "203"], ["c", "1"])), "Ok"],
        ],
        exchange: { status: 203, headerList: [["c", "1"]] },
      },
      {
        what: "of response trailers",
        in: "proxy_on_response_trailers",
        request: { upstream: { body: "x", trailers: { t: "1" } } },
        calls: [[call("proxy_set_header_map_pairs", 3, list(["u", "2"], ["v", "3"])), "Ok"]],
        exchange: { trailers: { u: "2", v: "3" } },
      },
      {
        what: "line breaks change nothing",
        verdict: "extension",
        spec: "Nothing.",
        envoy: "Takes them, and writes out what is then another header (response splitting).",
        calls: [
          [call("proxy_set_header_map_pairs", 0, list(["a", "b\r\nc: d"])), NOTHING],
          [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
        ],
        exchange: { upstream: { headers: { "x-a": "1", c: null } } },
      },
      {
        what: "malformed lists change nothing",
        spec: "BAD_ARGUMENT when the serialised map is not one.",
        envoy: "Takes a malformed list for an empty one, and the request has no headers left.",
        calls: [
          [call("proxy_set_header_map_pairs", 0, "\u0001\0\0"), NOTHING],
          [call("proxy_set_header_map_pairs", 0, Uint8Array.of(255, 255, 255, 255)), NOTHING],
          [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
        ],
      },
      {
        what: "an empty list, in both of its forms",
        calls: [
          [call("proxy_set_header_map_pairs", 0, Uint8Array.of(0, 0, 0, 0)), "Ok"],
          [call("proxy_set_header_map_pairs", 0, ""), "Ok"],
          [call("proxy_get_header_map_pairs", 0), "Ok []"],
          [call("proxy_send_local_response", 204, "", "", "", -1), "Ok"],
        ],
        exchange: { status: 204 },
      },
      absent("proxy_set_header_map_pairs", ""),
    ],
  },

  proxy_get_header_map_value: {
    good: call("proxy_get_header_map_value", 0, ":path"),
    scenes: [
      {
        what: "the first value of a key in any case",
        request: {
          headers: [
            ["x-b", "1"],
            ["x-b", "2"],
            ["empty", ""],
          ],
        },
        calls: [
          [call("proxy_get_header_map_value", 0, ":method"), "Ok [GET]"],
          [call("proxy_get_header_map_value", 0, "X-B"), "Ok [1]"],
          [call("proxy_get_header_map_value", 0, "empty"), "Ok []"],
          [call("proxy_get_header_map_value", 0, "host"), "Ok [example.com]"],
          [call("proxy_get_header_map_value", 0, "none"), ABSENT],
          [call("proxy_get_header_map_value", 0, ""), ABSENT],
        ],
      },
      {
        what: "pseudo headers",
        calls: [
          [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
          [call("proxy_get_header_map_value", 0, ":authority"), "Ok [example.com]"],
          [call("proxy_get_header_map_value", 0, ":scheme"), "Ok [http]"],
        ],
      },
      {
        what: "of a response",
        in: "proxy_on_response_headers",
        request: { upstream: { status: 207, headers: { "x-b": "1" } } },
        calls: [
          [call("proxy_get_header_map_value", 2, ":status"), "Ok [207]"],
          [call("proxy_get_header_map_value", 2, "x-b"), "Ok [1]"],
          [call("proxy_get_header_map_value", 2, "none"), ABSENT],
        ],
      },
      {
        what: "of trailers",
        in: "proxy_on_request_trailers",
        request: post,
        calls: [
          [call("proxy_get_header_map_value", 1, "t"), "Ok [1]"],
          [call("proxy_get_header_map_value", 1, "none"), ABSENT],
        ],
      },
      absent("proxy_get_header_map_value", "x"),
      {
        what: "in on_log an absent map has no entries",
        verdict: "envoy",
        in: "proxy_on_log",
        calls: [
          [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
          [call("proxy_get_header_map_value", 1, "x"), ABSENT],
          [call("proxy_get_header_map_value", 2, ":status"), "Ok [200]"],
          [call("proxy_get_header_map_value", 3, "x"), ABSENT],
        ],
      },
    ],
  },

  proxy_add_header_map_value: {
    good: call("proxy_add_header_map_value", 0, "x-b", "2"),
    scenes: [
      {
        what: "one more entry",
        calls: [
          [call("proxy_add_header_map_value", 0, "X-A", "2"), "Ok"],
          [call("proxy_add_header_map_value", 0, "x-e", ""), "Ok"],
          [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
        ],
        exchange: {
          upstream: {
            headerList: [
              ["x-a", "1"],
              ["x-a", "2"],
              ["x-e", ""],
            ],
          },
        },
      },
      {
        what: "line breaks are refused",
        verdict: "extension",
        spec: "Nothing.",
        envoy: "Takes them, and writes out what is then another header.",
        calls: [
          [call("proxy_add_header_map_value", 0, "x", "a\r\nb"), NOTHING],
          [call("proxy_add_header_map_value", 0, "x", "a\0"), NOTHING],
          [call("proxy_add_header_map_value", 0, "x\n", "a"), NOTHING],
          [call("proxy_add_header_map_value", 0, "", "a"), NOTHING],
        ],
      },
      {
        what: "to a response and its trailers",
        in: "proxy_on_response_headers",
        request: { upstream: { body: "x", trailers: { t: "1" } } },
        callbacks: {
          proxy_on_response_trailers: {
            calls: [call("proxy_add_header_map_value", 3, "u", "2")],
          },
        },
        calls: [[call("proxy_add_header_map_value", 2, "c", "1"), "Ok"]],
        exchange: { headers: { c: "1" }, trailers: { t: "1", u: "2" } },
      },
      {
        what: "trailers can be made where a body ends",
        verdict: "envoy",
        in: "proxy_on_request_body",
        request: { method: "POST", body: "x" },
        calls: [],
        callbacks: {
          proxy_on_request_body: { calls: [call("proxy_add_header_map_value", 1, "t", "1")] },
        },
        holds: ({ answers }) => same("answer", answers[0], "Ok"),
        exchange: { status: 200, upstream: { body: "x", trailers: { t: "1" } } },
      },
      absent("proxy_add_header_map_value", "a", "b"),
    ],
  },

  proxy_replace_header_map_value: {
    good: call("proxy_replace_header_map_value", 0, "x-a", "2"),
    scenes: [
      {
        what: "the only entry of its key, at the end of the map",
        verdict: "envoy",
        spec: "The value of the key is replaced, or added; of its place it says nothing.",
        request: {
          headers: [
            ["x-b", "1"],
            ["x-c", "1"],
            ["x-b", "2"],
          ],
        },
        calls: [
          [call("proxy_replace_header_map_value", 0, "X-B", "3"), "Ok"],
          [call("proxy_replace_header_map_value", 0, "new", "1"), "Ok"],
          [call("proxy_replace_header_map_value", 0, ":path", "/p"), "Ok"],
        ],
        exchange: {
          upstream: {
            path: "/p",
            headerList: [
              ["x-c", "1"],
              ["x-b", "3"],
              ["new", "1"],
            ],
          },
        },
      },
      {
        what: "the status of a response",
        in: "proxy_on_response_headers",
        calls: [[call("proxy_replace_header_map_value", 2, ":status", "418"), "Ok"]],
        exchange: { status: 418 },
      },
      {
        what: "a trailer",
        in: "proxy_on_request_trailers",
        request: post,
        calls: [[call("proxy_replace_header_map_value", 1, "t", "2"), "Ok"]],
        exchange: { upstream: { trailers: { t: "2" } } },
      },
      absent("proxy_replace_header_map_value", "a", "b"),
    ],
  },

  proxy_remove_header_map_value: {
    good: call("proxy_remove_header_map_value", 0, "x-a"),
    scenes: [
      {
        what: "all entries of a key; an absent one is no error",
        request: {
          headers: [
            ["x-a", "1"],
            ["x-b", "1"],
            ["x-a", "2"],
          ],
        },
        calls: [
          [call("proxy_remove_header_map_value", 0, "X-A"), "Ok"],
          [call("proxy_remove_header_map_value", 0, "x-a"), "Ok"],
        ],
        exchange: { upstream: { headers: { "x-a": null, "x-b": "1" } } },
      },
      {
        what: "of a response and its trailers",
        in: "proxy_on_response_headers",
        request: { upstream: { headers: { c: "1" }, body: "x", trailers: { t: "1", u: "2" } } },
        callbacks: {
          proxy_on_response_trailers: { calls: [call("proxy_remove_header_map_value", 3, "t")] },
        },
        calls: [[call("proxy_remove_header_map_value", 2, "c"), "Ok"]],
        exchange: { headers: { c: null }, trailers: { u: "2" } },
      },
      absent("proxy_remove_header_map_value", "a"),
    ],
  },
};
