// The key log of a TLS context: secrets of connections, for those who look into captured traffic.
// Asked by server and client contexts.
import type { TlsKeyLogConfig } from "../config/tls-config.ts";
import { CidrList } from "../core/ip-address.ts";

/** A file that is appended to; bounded by its owner. */
export interface KeyLogSink {
  write(text: string): void;
}

export class KeyLog {
  readonly #sink: KeyLogSink;
  readonly #local: CidrList | null;
  readonly #remote: CidrList | null;
  readonly #write: (line: Buffer) => void;

  constructor(config: TlsKeyLogConfig, sink: KeyLogSink) {
    this.#sink = sink;
    this.#local = config.localCidrs === null ? null : new CidrList(config.localCidrs);
    this.#remote = config.remoteCidrs === null ? null : new CidrList(config.remoteCidrs);
    this.#write = (line): void => this.#sink.write(line.toString("latin1"));
  }

  /** For TlsStart.onKeyLog; null = connections between these addresses are not logged. */
  writerFor(localIp: string, remoteIp: string): ((line: Buffer) => void) | null {
    if (this.#local?.contains(localIp) === false) return null;
    if (this.#remote?.contains(remoteIp) === false) return null;
    return this.#write;
  }
}
