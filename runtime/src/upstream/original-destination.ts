// The hosts of an ORIGINAL_DST cluster in one worker: made for the addresses that requests, or the
// PROXY headers of their connections, name; forgotten when nobody wants them any more.
import type { HostConfig, OriginalDestinationConfig } from "../config/snapshot.ts";
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { canonicalIp } from "../core/ip-address.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { TimerEntry, type TimerWheel } from "../core/timer-wheel.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import type { Counter } from "../stats/store.ts";
import { addressText } from "./addresses.ts";
import type { Host } from "./host.ts";

/** Clients choose the addresses: so many hosts a cluster and worker, and none for more. */
export const destinationsMax = 4096;

export type MakeHost = (config: HostConfig, address: SocketAddress, text: string) => Host;

export interface DestinationOptions {
  readonly config: OriginalDestinationConfig;
  readonly makeHost: MakeHost;
  /** A header or metadata whose value is no address. */
  readonly invalid: Counter;
  /** Addresses beyond the limit. */
  readonly overflow: Counter;
  readonly clock: Clock;
  readonly timers: TimerWheel;
}

/** The timer is the next look for hosts that nobody has wanted since the last one. */
export class DestinationHosts extends TimerEntry {
  readonly #options: DestinationOptions;
  readonly #hosts: Map<string, Host> = new Map();
  /** Those that were wanted since the last look. */
  readonly #wanted: Set<string> = new Set();

  constructor(options: DestinationOptions) {
    super();
    this.#options = options;
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  /** Null: nobody says where to, or there are too many. */
  find(headers: HeaderMap | null, info: StreamInfo | null): Host | null {
    const address = this.#destination(headers, info);
    if (address === null) return null;
    const text = addressText(address);
    const host = this.#hosts.get(text) ?? this.#add(address, text);
    if (host !== null) this.#wanted.add(text);
    return host;
  }

  /** Nothing more is made; hosts finish what is under way. */
  drain(): void {
    this.#options.timers.cancel(this);
    for (const host of this.#hosts.values()) host.drain();
    this.#hosts.clear();
  }

  /** Hosts with connections that are in use stay, too: their gauges and pools live on. */
  override onDeadline(): void {
    for (const [text, host] of this.#hosts) {
      if (this.#wanted.has(text) || host.pools.activeStreams > 0) continue;
      host.drain();
      this.#hosts.delete(text);
    }
    this.#wanted.clear();
    if (this.#hosts.size > 0) this.#scheduleLook();
  }

  #destination(headers: HeaderMap | null, info: StreamInfo | null): SocketAddress | null {
    const { port } = this.#options.config;
    const named =
      this.#read(this.#fromMetadata(info)) ??
      this.#read(this.#fromHeader(headers)) ??
      fromProxyHeader(info);
    return named === null || port < 0 ? named : { ...named, port };
  }

  #fromMetadata(info: StreamInfo | null): string {
    const path = this.#options.config.metadataPath;
    if (path === null || info === null) return "";
    const found = textAt(info.dynamicMetadata, path);
    return found === "" ? textAt(info.connection?.dynamicMetadata ?? null, path) : found;
  }

  #fromHeader(headers: HeaderMap | null): string {
    const { headerName } = this.#options.config;
    if (headerName === "" || headers === null) return "";
    return headers.get(headerName) ?? "";
  }

  /** Null also for what is no address, which is counted. */
  #read(text: string): SocketAddress | null {
    if (text === "") return null;
    const address = parseDestination(text);
    if (address === null) this.#options.invalid.inc();
    return address;
  }

  #add(address: SocketAddress, text: string): Host | null {
    const { makeHost, overflow } = this.#options;
    if (this.#hosts.size >= destinationsMax) {
      overflow.inc();
      return null;
    }
    const host = makeHost(hostConfigOf(address), address, text);
    this.#hosts.set(text, host);
    if (!this.isScheduled) this.#scheduleLook();
    return host;
  }

  #scheduleLook(): void {
    const { clock, config, timers } = this.#options;
    timers.schedule(this, clock.nowMs + config.cleanupIntervalMs);
  }
}

/** "1.2.3.4:80" or "[::1]:80"; null for anything else. */
export function parseDestination(text: string): SocketAddress | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, ipv6, ipv4] = match;
  const port = Number(match[3]);
  const address = canonicalIp(ipv6 ?? ipv4 ?? "");
  // Brackets around an IPv4 address, or none around the other kind.
  const isFit = address.includes(":") === (ipv6 !== undefined);
  if (address === "" || !isFit || port > 65_535) return null;
  return { address, port, family: ipv6 === undefined ? "ipv4" : "ipv6" };
}

/** What the client's PROXY header says where it went to: the socket's own address is not that. */
function fromProxyHeader(info: StreamInfo | null): SocketAddress | null {
  const connection = info?.connection ?? null;
  if (connection === null || connection.localAddress === connection.directLocalAddress) return null;
  return parseDestination(connection.localAddress);
}

function textAt(
  metadata: Map<string, Map<string, unknown>> | null,
  path: readonly string[],
): string {
  let value: unknown = metadata?.get(path[0] as string);
  for (let i = 1; i < path.length; i += 1) {
    const key = path[i] as string;
    if (value instanceof Map) value = value.get(key);
    else if (typeof value === "object" && value !== null) value = Reflect.get(value, key);
    else return "";
  }
  return typeof value === "string" ? value : "";
}

/** A host of which nothing but the address is known. */
export function hostConfigOf({
  address,
  port,
}: Pick<SocketAddress, "address" | "port">): HostConfig {
  return {
    address: { kind: "ip", address, port, ipv4Compat: false, pipeMode: 0 },
    additionalAddresses: [],
    hostname: "",
    weight: 1,
    priority: 0,
    health: "healthy",
    transportSocketMatch: {},
    region: "",
    zone: "",
    subZone: "",
    metadata: null,
    localityMetadata: null,
  };
}
