// What a TCP proxy has the PROXY header to its upstream say (proxy_protocol_tlvs), laid over what
// the client's own header said. The upstream's transport decides which of it passes.
import type { Clock } from "../core/clock.ts";
import type { ConnectionInfo, ProxyTlv } from "../core/connection-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { ProxyTlvsConfig, TcpProxyTlvConfig } from "../config/snapshot.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileFormat } from "../formatter/formatter.ts";
import type { Formatter } from "../formatter/formatter.ts";

interface CompiledTlv {
  readonly type: number;
  readonly value: Uint8Array;
  /** In place of the value; null = none. */
  readonly format: Formatter | null;
}

/** The configuration, compiled; one per TCP proxy. */
export class ProxyTlvs {
  readonly #merge: ProxyTlvsConfig["merge"];
  readonly #tlvs: readonly CompiledTlv[];
  readonly #context: FormatContext;

  /** `hostname` is this machine's. */
  constructor(config: ProxyTlvsConfig, hostname: string, clock: Clock) {
    this.#merge = config.merge;
    this.#tlvs = config.tlvs.map((tlv) => compile(tlv, hostname));
    this.#context = new FormatContext(clock);
  }

  /** Once, when the connection is new. */
  applyTo(connection: ConnectionInfo, info: StreamInfo): void {
    if (this.#merge === "if_absent" && connection.hasProxyHeader) return;
    const theirs = connection.proxyTlvs;
    const own = this.#values(info);
    connection.proxyTlvs =
      this.#merge === "append"
        ? [...theirs, ...own]
        : [...own, ...theirs.filter(({ type }) => own.every((tlv) => tlv.type !== type))];
  }

  #values(info: StreamInfo): ProxyTlv[] {
    const context = this.#context;
    context.set(info, null, null, null);
    const values = this.#tlvs.map(({ type, value, format }) => ({
      type,
      value: format === null ? value : Buffer.from(format(context), "latin1"),
    }));
    context.clear();
    return values;
  }
}

function compile({ type, value, format }: TcpProxyTlvConfig, hostname: string): CompiledTlv {
  const compiled = format === null ? null : compileFormat(format, hostname);
  if (compiled !== null && typeof compiled !== "function") throw new Error(compiled.message);
  return { type, value, format: compiled };
}
