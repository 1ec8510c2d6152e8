// Reads the HTTP filters behind the router: those of a Router and those of a cluster. The upstream
// codec ends them.
import { createHash } from "node:crypto";
import type { ConfigNode } from "../config-node.ts";
import type { ClusterFiltersConfig, HttpFilterConfig } from "../snapshot.ts";
import { readHttpFilter } from "./http-filter-reader.ts";
import type { Translation } from "./translation.ts";

const BEHIND_THE_ROUTER = { isUpstream: true, statPrefix: "" };
const CODEC = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";

/** Undefined = the field is not set. */
export function readUpstreamFilters(
  t: Translation,
  owner: ConfigNode,
  field: "upstream_http_filters" | "http_filters",
): readonly HttpFilterConfig[] | undefined {
  const nodes = owner.nodes(field);
  if (nodes.length === 0) return undefined;
  const filters: HttpFilterConfig[] = [];
  for (const [index, node] of nodes.entries()) {
    const typed = node.any("typed_config");
    const isCodec = typed?.typeName === CODEC;
    if (typed !== undefined) checkPlace(t, node, isCodec, index === nodes.length - 1);
    if (isCodec) {
      readCodec(t, node);
      continue;
    }
    const filter = readHttpFilter(t, node, BEHIND_THE_ROUTER);
    if (filter !== null) filters.push(filter);
  }
  return filters;
}

/** Those of a cluster; `options` is its HttpProtocolOptions. */
export function readClusterFilters(
  t: Translation,
  options: ConfigNode,
): ClusterFiltersConfig | undefined {
  const filters = readUpstreamFilters(t, options, "http_filters");
  if (filters === undefined) return undefined;
  const plugins = filters.map(({ plugin }) => ({ ...t.plugins[plugin], where: "" }));
  const text = JSON.stringify(plugins, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
  return { filters, digest: createHash("sha256").update(text).digest("hex") };
}

/** The codec is the last filter, and the last filter is the codec. */
function checkPlace(t: Translation, node: ConfigNode, isCodec: boolean, isLast: boolean): void {
  const name = node.string("name", "");
  const chain = "in an upstream http filter chain";
  if (isCodec && !isLast) {
    const message = `terminal filter named ${name} must be the last filter ${chain}`;
    t.wrong(node, message, "typed_config");
  } else if (!isCodec && isLast) {
    const message = `non-terminal filter named ${name} is the last filter ${chain}`;
    t.wrong(node, `${message}, expected ${CODEC}`, "typed_config");
  }
}

function readCodec(t: Translation, node: ConfigNode): void {
  node.accept("is_optional", "the filter is there");
  if (node.bool("disabled", false)) {
    t.wrong(node, "the last (terminal) filter in the chain cannot be disabled", "disabled");
  }
}
