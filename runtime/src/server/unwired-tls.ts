// What TLS of a configuration no room serves yet. Called by worker-version.ts.
import type { Snapshot } from "../config/snapshot.ts";

/** Nothing may go in plain text that the configuration encrypts. */
export function tlsProblems({ listeners }: Snapshot): string[] {
  const chains = listeners.flatMap((listener) =>
    [...listener.filterChains, listener.defaultFilterChain].map((chain) => ({ listener, chain })),
  );
  const downstream = chains.filter(({ chain }) => (chain?.tls ?? null) !== null);
  return downstream.map(({ listener }) => `${listener.where}: TLS is not implemented by Headgate`);
}
