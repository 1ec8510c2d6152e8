// The versions of the proxy-wasm ABI and what differs; asked by hosts when they load a module.

export type AbiVersion = "0.1.0" | "0.2.0" | "0.2.1";

export interface AbiVersionFacts {
  readonly version: AbiVersion;
  /** Name of the exported function, never called, by which a module says its version. */
  readonly marker: string;
  /** Whether on_request_headers and on_response_headers take a third parameter, end_of_stream. */
  readonly headersHaveEndOfStream: boolean;
  /** Whether an absent header answers NotFound; otherwise Ok with an empty value. */
  readonly missingHeaderIsNotFound: boolean;
  /** What differs from the version before, one sentence each. */
  readonly differences: readonly string[];
}

/** Oldest first. */
export const abiVersions: readonly AbiVersionFacts[] = [
  {
    version: "0.1.0",
    marker: "proxy_abi_version_0_1_0",
    headersHaveEndOfStream: false,
    missingHeaderIsNotFound: false,
    differences: [
      "configurations are read by proxy_get_configuration, buffers 6 to 8 do not exist",
      "streams resume by proxy_continue_request and proxy_continue_response",
      "the header callbacks do not say whether the stream ends",
      "an absent header answers Ok with an empty value",
    ],
  },
  {
    version: "0.2.0",
    marker: "proxy_abi_version_0_2_0",
    headersHaveEndOfStream: true,
    missingHeaderIsNotFound: true,
    differences: [
      "configurations are buffers 6 and 7 instead of proxy_get_configuration",
      "proxy_continue_stream and proxy_close_stream replace the continue functions",
      "proxy_clear_route_cache is gone",
      "the header callbacks have a third parameter, end_of_stream",
      "an absent header answers NotFound",
      "new callback proxy_on_foreign_function",
    ],
  },
  {
    version: "0.2.1",
    marker: "proxy_abi_version_0_2_1",
    headersHaveEndOfStream: true,
    missingHeaderIsNotFound: true,
    differences: ["new hostcall proxy_get_log_level"],
  },
];

/** What every marker's name begins with, those of unknown versions too. */
export const markerPrefix = "proxy_abi_version_";

/** The facts of the version a marker stands for; undefined when the name marks no known version. */
export function findVersionByMarker(exportName: string): AbiVersionFacts | undefined {
  return abiVersions.find((facts) => facts.marker === exportName);
}

/** Whether something that exists from `since` to `until` (null: still) exists in `version`. */
export function existsIn(
  range: { readonly since: AbiVersion; readonly until: AbiVersion | null },
  version: AbiVersion,
): boolean {
  // Versions of this family compare as text: every part is one digit.
  return range.since <= version && (range.until === null || version <= range.until);
}
