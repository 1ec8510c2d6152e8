// What pools of all protocols count of a connection's begin and end.
import type { ClusterStats, HostStats } from "../cluster-stats.ts";

export function countConnection(stats: ClusterStats, hostStats: HostStats): void {
  stats.cxTotal.inc();
  stats.cxActive.inc();
  hostStats.cxTotal.inc();
  hostStats.cxActive.inc();
}

/** `hadStream`: a request or a TCP session was under way. */
export function countConnectionEnd(
  stats: ClusterStats,
  hostStats: HostStats,
  lengthMs: number,
  isRemote: boolean,
  hadStream: boolean,
): void {
  stats.cxActive.dec();
  hostStats.cxActive.dec();
  stats.cxLengthMs.record(Math.round(lengthMs));
  stats.cxDestroy.inc();
  (isRemote ? stats.cxDestroyRemote : stats.cxDestroyLocal).inc();
  if (!hadStream) return;
  stats.cxDestroyWithActive.inc();
  (isRemote ? stats.cxDestroyRemoteWithActive : stats.cxDestroyLocalWithActive).inc();
}
