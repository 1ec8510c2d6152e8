// HTTP fields: header and trailer maps.
import { encodePairs } from "proxy-wasm-types";
import { expect } from "vitest";
import { call } from "../guest.ts";
import type { HostcallCases, Scene } from "../case.ts";

const NOTHING = "BadArgument";

/** Maps that are not there in request headers, and one that does not exist. */
const absentMaps = [1, 2, 3, 4, 5, 6, 7, 8, -1];

function absent(name: string, ...rest: string[]): Scene {
  return {
    what: "of maps that are not there",
    calls: absentMaps.map((map) => [call(name, map, ...rest), NOTHING] as const),
  };
}

/** The header map's text form: what encodePairs makes, as rig.ts prints it. */
function printed(...pairs: readonly (readonly [string, string])[]): string {
  const bytes = Buffer.from(encodePairs(pairs.flat())).toString("latin1");
  return bytes.replace(
    /[^ -~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

const list = (...pairs: readonly (readonly [string, string])[]): Uint8Array =>
  encodePairs(pairs.flat());

export const fieldCases: HostcallCases = {
  proxy_get_header_map_size: {
    good: call("proxy_get_header_map_size", 0),
    scenes: [
      {
        what: "bytes of keys and values, while the map may be changed",
        calls: [[call("proxy_get_header_map_size", 0), "Ok 57"]],
      },
      absent("proxy_get_header_map_size"),
    ],
  },

  proxy_get_header_map_pairs: {
    good: call("proxy_get_header_map_pairs", 0),
    scenes: [
      {
        what: "all of a map, pseudo headers first; nothing for those that are not there",
        calls: [
          [
            call("proxy_get_header_map_pairs", 0),
            `Ok [${printed(
              [":authority", "example.com"],
              [":path", "/a?b=c"],
              [":method", "GET"],
              [":scheme", "http"],
              ["x-a", "1"],
            )}]`,
          ],
          ...[1, 2, 3, 4, 5, 6, 7].map(
            (map) => [call("proxy_get_header_map_pairs", map), "Ok []"] as const,
          ),
          [call("proxy_get_header_map_pairs", 8), NOTHING],
        ],
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
                ["d", "1"],
                ["D", "2"],
              ),
            ),
            "Ok",
          ],
          [
            call("proxy_get_header_map_value", 0, "x-a"),
            { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" },
          ],
        ],
        holds: ({ exchange }) =>
          expect(exchange?.upstreamRequest?.headerList).toEqual([
            [":method", "GET"],
            [":path", "/c"],
            [":authority", "z"],
            ["d", "1"],
            ["d", "2"],
          ]),
      },
      {
        what: "malformed lists and line breaks change nothing",
        calls: [
          [call("proxy_set_header_map_pairs", 0, "\u0001\0\0"), NOTHING],
          [call("proxy_set_header_map_pairs", 0, Uint8Array.of(255, 255, 255, 255)), NOTHING],
          [call("proxy_set_header_map_pairs", 0, list(["a", "b\r\nc: d"])), NOTHING],
          [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
        ],
      },
      {
        what: "an empty list, in both of its forms",
        calls: [
          [call("proxy_set_header_map_pairs", 0, Uint8Array.of(0, 0, 0, 0)), "Ok"],
          [call("proxy_set_header_map_pairs", 0, ""), "Ok"],
          [call("proxy_get_header_map_pairs", 0), "Ok []"],
        ],
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
          [
            call("proxy_get_header_map_value", 0, "none"),
            { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" },
          ],
          [
            call("proxy_get_header_map_value", 0, ""),
            { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" },
          ],
        ],
      },
      absent("proxy_get_header_map_value", "x"),
      {
        what: "in on_log an absent map has no entries",
        in: "proxy_on_log",
        calls: [
          [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
          [
            call("proxy_get_header_map_value", 1, "x"),
            { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" },
          ],
          [call("proxy_get_header_map_value", 2, ":status"), "Ok [200]"],
          [
            call("proxy_get_header_map_value", 3, "x"),
            { "0.1.0": "Ok []", "0.2.0": "NotFound", "0.2.1": "NotFound" },
          ],
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
        holds: ({ exchange }) => {
          const added = exchange?.upstreamRequest?.headerList.slice(-3);
          expect(added).toEqual([
            ["x-a", "1"],
            ["x-a", "2"],
            ["x-e", ""],
          ]);
        },
      },
      {
        what: "line breaks and empty names are refused",
        calls: [
          [call("proxy_add_header_map_value", 0, "x", "a\r\nb"), NOTHING],
          [call("proxy_add_header_map_value", 0, "x", "a\0"), NOTHING],
          [call("proxy_add_header_map_value", 0, "x\n", "a"), NOTHING],
          [call("proxy_add_header_map_value", 0, "", "a"), NOTHING],
        ],
      },
      {
        what: "trailers can be made where a body ends",
        in: "proxy_on_request_body",
        request: { method: "POST", body: "x" },
        calls: [],
        callbacks: {
          proxy_on_request_body: {
            answer: 1,
            calls: [call("proxy_add_header_map_value", 1, "t", "1")],
          },
          proxy_on_tick: { calls: [call("proxy_set_effective_context", 2)] },
        },
        play: (played) => void played.request({ method: "POST", body: "x" }),
        holds: ({ answers }) => expect(answers[0]).toBe("Ok"),
      },
      absent("proxy_add_header_map_value", "a", "b"),
    ],
  },

  proxy_replace_header_map_value: {
    good: call("proxy_replace_header_map_value", 0, "x-a", "2"),
    scenes: [
      {
        what: "the only entry of its key, at the end of the map or of the pseudo headers",
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
        holds: ({ exchange }) => {
          const sent = exchange?.upstreamRequest?.headerList.slice(-4);
          expect(sent).toEqual([
            [":path", "/p"],
            ["x-c", "1"],
            ["x-b", "3"],
            ["new", "1"],
          ]);
        },
      },
      absent("proxy_replace_header_map_value", "a", "b"),
    ],
  },

  proxy_remove_header_map_value: {
    good: call("proxy_remove_header_map_value", 0, "x-a"),
    scenes: [
      {
        what: "all entries of a key; an absent one is no error",
        calls: [
          [call("proxy_remove_header_map_value", 0, "X-A"), "Ok"],
          [call("proxy_remove_header_map_value", 0, "x-a"), "Ok"],
        ],
        holds: ({ exchange }) => expect(exchange?.upstreamRequest?.headers["x-a"]).toBeUndefined(),
      },
      absent("proxy_remove_header_map_value", "a"),
    ],
  },
};
