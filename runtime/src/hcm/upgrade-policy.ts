// Which upgrades and CONNECTs a connection manager lets through; asked by ActiveStream for requests
// that want one.
import { isUpgrade } from "../codec/http1/hop-by-hop.ts";
import type { UpgradeConfig } from "../config/snapshot.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Route } from "../router/route.ts";

export class UpgradePolicy {
  readonly #enabled: ReadonlyMap<string, boolean>;

  constructor(upgrades: readonly UpgradeConfig[]) {
    this.#enabled = new Map(upgrades.map((upgrade) => [upgrade.type, upgrade.enabled]));
  }

  /** What the request wants to become: "connect", the Upgrade header in lower-case, or null. */
  static typeOf(headers: HeaderMap): string | null {
    if (headers.method === "CONNECT") return "connect";
    return isUpgrade(headers) ? (headers.getById(HeaderId.Upgrade) ?? "").toLowerCase() : null;
  }

  /** The route's word counts before the manager's. A list of types is no type, as in Envoy. */
  allows(type: string, route: Route | null): boolean {
    return route?.upgrades?.get(type) ?? this.#enabled.get(type) ?? false;
  }
}
