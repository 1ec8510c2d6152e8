// Reads what configures the HTTP/2 side of clusters.
import { defaultHttp2Options } from "../../core/http2-options.ts";
import type { Http2ClientOptions } from "../../core/http2-options.ts";
import type { ConfigNode } from "../config-node.ts";

const floodFields = [
  "max_outbound_frames",
  "max_outbound_control_frames",
  "max_consecutive_inbound_frames_with_empty_payload",
  "max_inbound_priority_frames_per_stream",
  "max_inbound_window_update_frames_per_data_frame_sent",
];

/** Null when the hosts speak HTTP/1. `options` is Http2ProtocolOptions. */
export function readHttp2Options(
  options: ConfigNode | undefined,
  common: ConfigNode | undefined,
): Http2ClientOptions | null {
  if (options === undefined) return null;
  options.accept("allow_connect", "only for tunnels, which HTTP/2 upstreams do not get");
  options.accept("allow_metadata", "METADATA frames are ignored");
  for (const flood of floodFields)
    options.accept(flood, "the HTTP/2 library has limits of its own");
  const headKib = common?.uint("max_response_headers_kb") ?? 60;
  return {
    streamsMax: options.uint("max_concurrent_streams") ?? defaultHttp2Options.streamsMax,
    streamWindowBytes:
      options.uint("initial_stream_window_size") ?? defaultHttp2Options.streamWindowBytes,
    connectionWindowBytes:
      options.uint("initial_connection_window_size") ?? defaultHttp2Options.connectionWindowBytes,
    headerTableBytes: options.uint("hpack_table_size") ?? defaultHttp2Options.headerTableBytes,
    headBytesMax: headKib * 1024,
    headersMax: common?.uint("max_headers_count") ?? defaultHttp2Options.headersMax,
  };
}
