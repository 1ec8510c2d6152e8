// What a stream's route means for its StreamInfo, and who has none. Used by active-stream.ts.
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { Route } from "../router/route.ts";

/** As Envoy: nothing is routed without x-forwarded-proto. */
export function isUnroutable(headers: HeaderMap): boolean {
  return (headers.getById(HeaderId.XForwardedProto) ?? "") === "";
}

/** For logs and guests. */
export function noteRoute(info: StreamInfo, route: Route | null): void {
  info.upstreamCluster = route?.fixedCluster ?? "";
  info.routeName = route?.name ?? "";
  info.virtualHostName = route?.virtualHost.name ?? "";
  info.routeMetadata = route?.metadata ?? null;
  info.virtualHostMetadata = route?.virtualHost.metadata ?? null;
}

/** Logs name the cluster also when a filter answered before one was picked. */
export function nameCluster(
  info: StreamInfo,
  route: Route | null,
  headers: HeaderMap | null,
): void {
  if (info.upstreamCluster !== "" || headers === null || route?.kind !== "route") return;
  info.upstreamCluster = route.chooseCluster(headers, 0).clusterName;
}
