// Which route tables a listener gets by RDS. Used by translate-bootstrap.ts and server/.
import type { HcmConfig, ListenerConfig, RdsConfig } from "../snapshot.ts";

export function rdsOf(listener: ListenerConfig): RdsConfig[] {
  return hcmsOf([listener])
    .map(({ rds }) => rds)
    .filter((rds) => rds !== null);
}

/** All connection managers. */
export function hcmsOf(listeners: readonly ListenerConfig[]): HcmConfig[] {
  return listeners
    .flatMap((listener) => [...listener.filterChains, listener.defaultFilterChain])
    .map((chain) => chain?.hcm ?? null)
    .filter((hcm) => hcm !== null);
}
