// Dynamic metadata of a shadowed stream: either version sees what was there and what it has set
// itself. Filters that stand for Envoy's own set it, so this is not to be had from a pushed guest.
import { expect, test } from "vitest";
import { HeaderMap } from "../../core/header-map.ts";
import { setDynamicMetadata, StreamInfo } from "../../core/stream-info.ts";
import { FilterManager } from "../../filter/filter-manager.ts";
import type { FilterChainEnds, HttpFilter } from "../../filter/http-filter.ts";
import type { CandidateConfig } from "../../config/snapshot.ts";
import { plainPlugin } from "../../config/wasm-plugin-for-test.ts";
import { SharedStore, sharedStoreMemory } from "../shared-store.ts";
import { VersionChoice } from "../version-choice.ts";
import { asPlugin, wasmHostRig } from "../wasm-host-for-test.ts";
import { Shadow, type ShadowDifference } from "./shadow.ts";
import { ShadowSite } from "./shadow-site.ts";

const set = (value: string): string =>
  `request_headers call_foreign_function set_dynamic_metadata ns%00who%00${value}`;
const get = "request_headers get_property metadata%00filter_metadata%00ns%00who";
const everyStream = { perTenThousand: 10_000, match: null, sticky: null };

/** What each said of the value, and what was told of the difference. */
async function played(
  primary: readonly string[],
  tried: readonly string[],
): Promise<{
  readonly said: string[];
  readonly told: ShadowDifference[];
  readonly value: unknown;
}> {
  const { context, module, prepare, messages } = await wasmHostRig("");
  const script = (lines: readonly string[]): Buffer => Buffer.from(lines.join("\n"));
  const native = { metricPrefix: "own." };
  const served = asPlugin(prepare({ native, vmConfiguration: script(primary) }));
  const callouts = {
    hasCluster: (): boolean => false,
    clusterInfo: (): null => null,
    httpCall: (): never => expect.fail("a call"),
    grpcStream: (): never => expect.fail("a call"),
  };
  const shared = new SharedStore({ memory: sharedStoreMemory(), thread: 0 });
  const site = new ShadowSite("one", { ...context, callouts, shared });
  const config = { ...plainPlugin, name: "one", native, vmConfiguration: script(tried) };
  const shadowed = asPlugin(site.host.preparePlugin(config, module));
  const told: ShadowDifference[] = [];
  const choice = new VersionChoice({ name: "v", share: everyStream } as unknown as CandidateConfig);
  const shadow = new Shadow(site, shadowed, choice, (difference) => told.push(difference));
  const info = new StreamInfo();
  setDynamicMetadata(info, "ns", "who", "before");
  const filters: HttpFilter[] = [];
  const headers = new HeaderMap();
  headers.append(":method", "GET");
  headers.append(":path", "/");
  expect(shadow.addFilters(filters, served, info, headers)).toBe(true);
  const ends = { onRequestHeaders: () => {} } as unknown as FilterChainEnds;
  const manager = new FilterManager();
  manager.reset(filters, ends, info, 1000);
  manager.decodeHeaders(headers, true);
  manager.destroy();
  const said = messages().flatMap((line) => {
    const [, whose = "", value] = /^(shadow: )?.*get_property .* -> 0 \[(.*)\]/.exec(line) ?? [];
    return value === undefined ? [] : [whose + value];
  });
  return { said, told, value: info.dynamicMetadata?.get("ns")?.get("who") };
}

test("each version reads what it has set, or what was there", async () => {
  const { said, told, value } = await played([set("p"), get], [get, set("s"), get]);
  expect(said).toEqual(["p", "shadow: before", "shadow: s"]);
  expect(value).toBe("p");
  expect(told).toMatchObject([
    {
      kind: "values",
      primary: "dynamic metadata ns who: p",
      shadow: "dynamic metadata ns who: s",
    },
  ]);
});

test("one that sets what the other does not leaves no trace, and is told", async () => {
  const { said, told, value } = await played([get], [set("s"), get]);
  expect(said).toEqual(["before", "shadow: s"]);
  expect(value).toBe("before");
  expect(told).toMatchObject([{ primary: "", shadow: "dynamic metadata ns who: s" }]);
});
