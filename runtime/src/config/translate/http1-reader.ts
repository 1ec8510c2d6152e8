// Reads what configures the HTTP/1 codec, for connection managers and clusters.
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import type { ConfigNode } from "../config-node.ts";
import { toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

export interface Http1Side {
  /** The most KiB of a message's head. */
  readonly headKib: number;
  readonly isServer: boolean;
}

const underscoresByName: Readonly<Record<string, Http1CodecOptions["underscores"]>> = {
  ALLOW: "allow",
  REJECT_REQUEST: "reject",
  DROP_HEADER: "drop",
};

/** `options` is Http1ProtocolOptions, `common` HttpProtocolOptions; either may be missing. */
export function readHttp1Options(
  t: Translation,
  options: ConfigNode | undefined,
  common: ConfigNode | undefined,
  side: Http1Side,
): Http1CodecOptions {
  options?.accept("use_balsa_parser", "the codec is Headgate's own");
  options?.accept("ignore_http_11_upgrade", "upgrade_configs alone says which are taken");
  // Only about requests, as in Envoy: clusters have no use for it.
  const underscores = side.isServer ? common?.enum("headers_with_underscores_action") : undefined;
  return {
    headBytesMax: side.headKib * 1024,
    headersMax: common?.uint("max_headers_count") ?? 100,
    acceptHttp10: options?.bool("accept_http_10") ?? false,
    defaultHostForHttp10: toLatin1(options?.string("default_host_for_http_10") ?? ""),
    allowAbsoluteUrl: options?.bool("allow_absolute_url") ?? true,
    allowChunkedLength: options?.bool("allow_chunked_length") ?? false,
    enableTrailers: options?.bool("enable_trailers") ?? false,
    headerCase: readHeaderCase(t, options),
    underscores: underscoresByName[underscores ?? "ALLOW"] ?? "allow",
  };
}

function readHeaderCase(
  t: Translation,
  options: ConfigNode | undefined,
): Http1CodecOptions["headerCase"] {
  const format = options?.node("header_key_format");
  if (format === undefined) return "lower";
  if (format.node("proper_case_words") !== undefined) return "proper";
  const stateful = format.node("stateful_formatter");
  const typed = stateful?.any("typed_config");
  stateful?.accept("name", "only a label");
  if (stateful === undefined) return "lower";
  if (typed === undefined) {
    t.missing(stateful, "typed_config");
    return "lower";
  }
  if (!typed.typeName.endsWith("preserve_case.v3.PreserveCaseFormatterConfig")) {
    t.unsupported(format, `the header formatter ${typed.typeName}`, "stateful_formatter");
    return "lower";
  }
  if (typed.bool("forward_reason_phrase", false)) {
    t.unsupported(typed, "forward_reason_phrase", "forward_reason_phrase");
  }
  const onEnvoy = typed.enum("formatter_type_on_envoy_headers");
  if (onEnvoy !== "DEFAULT") {
    const field = "formatter_type_on_envoy_headers";
    t.unsupported(typed, `${field}: ${onEnvoy}`, field);
  }
  return "preserve";
}
