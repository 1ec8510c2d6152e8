// The access logs of a filter chain, whatever its network filter is.
import type { AccessLogConfig, FilterChainConfig } from "./snapshot.ts";

export function chainLogs(chain: FilterChainConfig | null): readonly AccessLogConfig[] {
  return chain?.hcm?.accessLogs ?? chain?.tcpProxy?.accessLogs ?? [];
}
