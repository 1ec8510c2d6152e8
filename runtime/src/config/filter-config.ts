// HTTP filters as the workers get them; part of snapshot.ts.

export interface HttpFilterConfig {
  /** The name in the chain: key of typed_per_filter_config. */
  readonly name: string;
  readonly disabled: boolean;
  /** Index into Snapshot.plugins. */
  readonly plugin: number;
}

/** A wasm filter with the configuration of a route. */
export interface HttpFilterVariant {
  /** Index into Snapshot.plugins. */
  readonly plugin: number;
}

/** Filters that requests to a cluster pass behind the router. */
export interface ClusterFiltersConfig {
  /** Empty: those of the router do not run either. */
  readonly filters: readonly HttpFilterConfig[];
  /** Another one when anything of their plugins' configuration is: indexes say nothing. */
  readonly digest: string;
}
