// Composes the TLS of a filter chain in one worker. Called by worker-version.ts.
import type { FilterChainConfig, ListenerConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import { KeyLog } from "../tls/key-log.ts";
import type { SecretSlots } from "../tls/secret-slots.ts";
import { TlsServerContext } from "../tls/tls-server-context.ts";
import { TlsFactoryStats, TlsStats } from "../tls/tls-stats.ts";
import type { WorkerContext } from "./worker-version.ts";

/** What our connection manager does not speak, and so must not agree to. */
const UNSERVED_BY_HTTP: readonly string[] = ["h2"];

/** Null = plain text. Throws what is wrong with its certificates, or with its key log. */
export function createTlsServer(
  context: WorkerContext,
  listener: ListenerConfig,
  chain: FilterChainConfig,
  secrets: SecretSlots,
): TlsServerContext | null {
  const { tls } = chain;
  if (tls === null) return null;
  const { clock, engine, log, processTicketKeys, sinks, stats } = context;
  if (!engine.capabilities.tls) throw new Error(`TLS: the engine "${engine.name}" carries none`);
  const scope = `listener.${listener.statPrefix}.`;
  const { keyLog } = tls.context;
  return new TlsServerContext(tls, {
    secrets,
    stats: new TlsStats(stats, scope),
    factoryStats: new TlsFactoryStats(stats, `${scope}server_ssl_socket_factory.`),
    processTicketKeys,
    keyLog: keyLog === null ? null : new KeyLog(keyLog, sinks.get(keyLog.path)),
    nowMs: () => clock.epochMs(),
    warn: (text) => log.logger("connection").log(LogLevel.Warning, `${listener.name}: ${text}`),
    unservedProtocols: chain.hcm === null ? [] : UNSERVED_BY_HTTP,
  });
}
