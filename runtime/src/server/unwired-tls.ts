// What TLS of a configuration no room serves yet. Called by worker-version.ts.
import type { Snapshot } from "../config/snapshot.ts";

/** Nothing may go in plain text that the configuration encrypts. */
export function tlsProblems({ listeners, clusters }: Snapshot): string[] {
  const chains = listeners.flatMap((listener) =>
    [...listener.filterChains, listener.defaultFilterChain].map((chain) => ({ listener, chain })),
  );
  const downstream = chains.filter(({ chain }) => (chain?.tls ?? null) !== null);
  const upstream = clusters.filter(({ transportSockets }) =>
    transportSockets.some(({ socket }) => socket.kind !== "raw_buffer"),
  );
  return [
    ...downstream.map(({ listener }) => `${listener.where}: TLS is not implemented by Headgate`),
    ...upstream.map(({ where }) => `${where}: TLS to upstreams is not implemented by Headgate`),
  ];
}
