// Which route tables a listener gets by RDS. Used by translate-bootstrap.ts and server/.
import type { ListenerConfig, RdsConfig } from "../snapshot.ts";

export function rdsOf(listener: ListenerConfig): RdsConfig[] {
  const chains = [...listener.filterChains, listener.defaultFilterChain];
  return chains.map((chain) => chain?.hcm?.rds ?? null).filter((rds) => rds !== null);
}
