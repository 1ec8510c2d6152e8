import { expect, test } from "vitest";
import { boot, type Fields, listenerOf, problems, type, warnings } from "./bootstrap-for-test.ts";

const INPUTS = "envoy.extensions.matching.common_inputs.network.v3";
const MATCHER = "static_resources.listeners[0].filter_chain_matcher";

function input(name: string): Fields {
  return { name, typed_config: type(`${INPUTS}.${name}`) };
}

function to(chain: string): Fields {
  const typed = { ...type("google.protobuf.StringValue"), value: chain };
  return { action: { name: "chain", typed_config: typed } };
}

/** A listener with one chain, "a". */
function parts(matcher: Fields, chain: Fields = { name: "a" }) {
  return { listener: { filter_chain_matcher: matcher }, chain };
}

test("reads maps, address trees and names", async () => {
  const cidr = { address_prefix: "10.0.0.0", prefix_len: 8 };
  const names = {
    ...type("xds.type.matcher.v3.ServerNameMatcher"),
    domain_matchers: [{ domains: ["A.test", "*.B.test", "*"], on_match: to("a") }],
  };
  const ips = {
    ...type("xds.type.matcher.v3.IPMatcher"),
    range_matchers: [{ ranges: [cidr], on_match: to("a"), exclusive: true }],
  };
  const tree = (which: string, more: Fields): Fields => ({
    matcher: { matcher_tree: { input: input(which), ...more } },
  });
  const { filterChainMatcher } = await listenerOf(
    parts({
      matcher_tree: {
        input: input("DestinationPortInput"),
        exact_match_map: {
          map: {
            "1": tree("SourceIPInput", { custom_match: { name: "x", typed_config: ips } }),
            "2": tree("ServerNameInput", { custom_match: { name: "x", typed_config: names } }),
            "3": tree("ApplicationProtocolInput", { prefix_match_map: { map: { h: to("a") } } }),
          },
        },
      },
      on_no_match: to("a"),
    }),
  );
  const a = { matcher: null, action: "a", keepsMatching: false };
  const inner = (matcher: Fields) => ({
    ...a,
    matcher: { ...matcher, onNoMatch: null },
    action: null,
  });
  const ranges = [{ address: "10.0.0.0", prefixLength: 8 }];
  expect(filterChainMatcher).toEqual({
    kind: "exact",
    input: "destination_port",
    onNoMatch: a,
    entries: [
      [
        "1",
        inner({
          kind: "ranges",
          input: "source_ip",
          ranges: [{ ranges, onMatch: a, isExclusive: true }],
        }),
      ],
      [
        "2",
        inner({
          kind: "domains",
          input: "server_name",
          entries: [
            ["a.test", a],
            [".b.test", a],
            ["", a],
          ],
        }),
      ],
      ["3", inner({ kind: "prefix", input: "application_protocol", entries: [["h", a]] })],
    ],
  });
});

test("reads lists of predicates", async () => {
  const cidr = { address_prefix: "10.0.0.0", prefix_len: 8 };
  const ip = { ...type("envoy.extensions.matching.input_matchers.ip.v3.Ip"), stat_prefix: "x" };
  const custom = { name: "ip", typed_config: { ...ip, cidr_ranges: [cidr] } };
  const single = (more: Fields): Fields => ({
    single_predicate: { input: input("SourceIPInput"), ...more },
  });
  const regex = { safe_regex: { google_re2: {}, regex: "a.*" } };
  const both = [
    single({ value_match: { suffix: "X", ignore_case: true } }),
    single({ value_match: regex }),
  ];
  const predicate = {
    or_matcher: {
      predicate: [
        { and_matcher: { predicate: both } },
        { not_matcher: single({ custom_match: custom }) },
      ],
    },
  };
  const on_match = { ...to("a"), keep_matching: true };
  const { filterChainMatcher } = await listenerOf(
    parts({ matcher_list: { matchers: [{ predicate, on_match }] } }),
  );
  const text = (match: Fields) => ({ kind: "string", input: "source_ip", match });
  expect(filterChainMatcher).toEqual({
    kind: "list",
    onNoMatch: null,
    rules: [
      {
        onMatch: { matcher: null, action: "a", keepsMatching: true },
        predicate: {
          kind: "or",
          predicates: [
            {
              kind: "and",
              predicates: [
                text({ kind: "suffix", value: "x", ignoreCase: true }),
                text({ kind: "regex", value: "a.*", ignoreCase: false }),
              ],
            },
            {
              kind: "not",
              predicate: {
                kind: "ip",
                input: "source_ip",
                ranges: [{ address: "10.0.0.0", prefixLength: 8 }],
              },
            },
          ],
        },
      },
    ],
  });
});

test("chains need names of their own", async () => {
  expect(await problems(boot(parts({ on_no_match: to("a") }, {})))).toEqual([
    expect.stringContaining("needs it"),
  ]);
});

test("what is unknown is refused by name and place, whatever is ignored", async () => {
  const http = type("envoy.type.matcher.v3.HttpRequestHeaderMatchInput");
  const tree = {
    input: { name: "h", typed_config: { ...http, header_name: "a" } },
    exact_match_map: { map: { x: to("a") } },
  };
  const [problem, ...more] = await problems(boot(parts({ matcher_tree: tree })));
  expect(problem).toContain(`${MATCHER}.matcher_tree.input.typed_config`);
  expect(problem).toContain("HttpRequestHeaderMatchInput is not implemented by Headgate");
  expect(more).toEqual([]);
  const action = { action: { name: "x", typed_config: type("google.protobuf.Empty") } };
  expect(await problems(boot(parts({ on_no_match: action })))).toEqual([
    expect.stringContaining("google.protobuf.Empty is not implemented"),
  ]);
});

test("names with a star inside, and names that stand twice, are wrong", async () => {
  const matcher = (domains: readonly string[]): Fields => {
    const names = {
      ...type("xds.type.matcher.v3.ServerNameMatcher"),
      domain_matchers: [{ domains, on_match: to("a") }],
    };
    const custom_match = { name: "x", typed_config: names };
    return parts({ matcher_tree: { input: input("ServerNameInput"), custom_match } });
  };
  expect(await problems(boot(matcher(["a.*.test"])))).toEqual([
    expect.stringContaining('expected a name, "*.NAME" or "*"'),
  ]);
  expect(await problems(boot(matcher(["a.test", "A.test"])))).toEqual([
    expect.stringContaining('found "a.test" twice'),
  ]);
});

test("a filter_chain_match beside it is warned about", async () => {
  const chain = { name: "a", filter_chain_match: { destination_port: 1 } };
  expect(await warnings(boot(parts({ on_no_match: to("a") }, chain)))).toContainEqual(
    expect.stringContaining("has no effect beside a filter_chain_matcher"),
  );
});
