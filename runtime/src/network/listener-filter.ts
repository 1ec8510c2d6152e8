// What looks at the first bytes of a connection before its filter chain is chosen.
import type { ConnectionInfo } from "../core/connection-info.ts";

/** Answers of inspect() that are no number of bytes. */
export const ListenerFilterVerdict = {
  /** What has come does not suffice; called again with more. */
  NeedMore: -1,
  // Else the connection is closed: what came in place of what the filter wants.
  NoProxyHeader: -2,
  MalformedProxyHeader: -3,
  ProxyVersionNotAllowed: -4,
  ClientHelloTooLarge: -5,
} as const;

/**
 * One for all connections of a listener, without state of its own: it is asked with all bytes from
 * the beginning each time some more have come. A filter must come to an end within
 * `LISTENER_FILTER_BYTES_MAX` bytes, whatever they are.
 */
export interface ListenerFilter {
  /**
   * `bytes` are what the client has sent so far, without what filters before have consumed; they
   * are lent. Writes what it finds into `info`. Answers how many bytes it consumes (0 = it only
   * looked), or a ListenerFilterVerdict.
   */
  inspect(bytes: Buffer, info: ConnectionInfo): number;

  /** True = this connection goes on without it, and waits for no bytes. Left out: never. */
  isDisabledFor?(info: ConnectionInfo): boolean;
}

/** The longest header that a filter waits for: PROXY protocol v2 with all its 64 KiB of TLVs. */
export const LISTENER_FILTER_BYTES_MAX: number = 16 + 65_535;
