// Envoy's response flags: why a stream ended as it did. Bits of StreamInfo.responseFlags.

/** 30 flags, so the set is a non-negative 31-bit integer. */
export const ResponseFlag = {
  FailedLocalHealthCheck: 0x1,
  NoHealthyUpstream: 0x2,
  UpstreamRequestTimeout: 0x4,
  LocalReset: 0x8,
  UpstreamRemoteReset: 0x10,
  UpstreamConnectionFailure: 0x20,
  UpstreamConnectionTermination: 0x40,
  UpstreamOverflow: 0x80,
  NoRouteFound: 0x100,
  DelayInjected: 0x200,
  FaultInjected: 0x400,
  RateLimited: 0x800,
  UnauthorizedExternalService: 0x1000,
  RateLimitServiceError: 0x2000,
  DownstreamConnectionTermination: 0x4000,
  UpstreamRetryLimitExceeded: 0x8000,
  StreamIdleTimeout: 0x10000,
  InvalidEnvoyRequestHeaders: 0x20000,
  DownstreamProtocolError: 0x40000,
  UpstreamMaxStreamDurationReached: 0x80000,
  ResponseFromCacheFilter: 0x100000,
  NoFilterConfigFound: 0x200000,
  DurationTimeout: 0x400000,
  UpstreamProtocolError: 0x800000,
  NoClusterFound: 0x1000000,
  OverloadManagerTerminated: 0x2000000,
  DnsResolutionFailed: 0x4000000,
  DropOverload: 0x8000000,
  DownstreamRemoteReset: 0x10000000,
  UnconditionalDropOverload: 0x20000000,
} as const;

interface FlagName {
  readonly flag: number;
  /** For %RESPONSE_FLAGS%. */
  readonly short: string;
  /** For %RESPONSE_FLAGS_LONG%. */
  readonly long: string;
}

/** In the order in which Envoy prints several flags. */
export const responseFlagNames: readonly FlagName[] = [
  { flag: ResponseFlag.FailedLocalHealthCheck, short: "LH", long: "FailedLocalHealthCheck" },
  { flag: ResponseFlag.NoHealthyUpstream, short: "UH", long: "NoHealthyUpstream" },
  { flag: ResponseFlag.UpstreamRequestTimeout, short: "UT", long: "UpstreamRequestTimeout" },
  { flag: ResponseFlag.LocalReset, short: "LR", long: "LocalReset" },
  { flag: ResponseFlag.UpstreamRemoteReset, short: "UR", long: "UpstreamRemoteReset" },
  { flag: ResponseFlag.UpstreamConnectionFailure, short: "UF", long: "UpstreamConnectionFailure" },
  {
    flag: ResponseFlag.UpstreamConnectionTermination,
    short: "UC",
    long: "UpstreamConnectionTermination",
  },
  { flag: ResponseFlag.UpstreamOverflow, short: "UO", long: "UpstreamOverflow" },
  { flag: ResponseFlag.NoRouteFound, short: "NR", long: "NoRouteFound" },
  { flag: ResponseFlag.DelayInjected, short: "DI", long: "DelayInjected" },
  { flag: ResponseFlag.FaultInjected, short: "FI", long: "FaultInjected" },
  { flag: ResponseFlag.RateLimited, short: "RL", long: "RateLimited" },
  {
    flag: ResponseFlag.UnauthorizedExternalService,
    short: "UAEX",
    long: "UnauthorizedExternalService",
  },
  { flag: ResponseFlag.RateLimitServiceError, short: "RLSE", long: "RateLimitServiceError" },
  {
    flag: ResponseFlag.DownstreamConnectionTermination,
    short: "DC",
    long: "DownstreamConnectionTermination",
  },
  {
    flag: ResponseFlag.UpstreamRetryLimitExceeded,
    short: "URX",
    long: "UpstreamRetryLimitExceeded",
  },
  { flag: ResponseFlag.StreamIdleTimeout, short: "SI", long: "StreamIdleTimeout" },
  {
    flag: ResponseFlag.InvalidEnvoyRequestHeaders,
    short: "IH",
    long: "InvalidEnvoyRequestHeaders",
  },
  { flag: ResponseFlag.DownstreamProtocolError, short: "DPE", long: "DownstreamProtocolError" },
  {
    flag: ResponseFlag.UpstreamMaxStreamDurationReached,
    short: "UMSDR",
    long: "UpstreamMaxStreamDurationReached",
  },
  { flag: ResponseFlag.ResponseFromCacheFilter, short: "RFCF", long: "ResponseFromCacheFilter" },
  { flag: ResponseFlag.NoFilterConfigFound, short: "NFCF", long: "NoFilterConfigFound" },
  { flag: ResponseFlag.DurationTimeout, short: "DT", long: "DurationTimeout" },
  { flag: ResponseFlag.UpstreamProtocolError, short: "UPE", long: "UpstreamProtocolError" },
  { flag: ResponseFlag.NoClusterFound, short: "NC", long: "NoClusterFound" },
  {
    flag: ResponseFlag.OverloadManagerTerminated,
    short: "OM",
    long: "OverloadManagerTerminated",
  },
  { flag: ResponseFlag.DnsResolutionFailed, short: "DF", long: "DnsResolutionFailed" },
  { flag: ResponseFlag.DropOverload, short: "DO", long: "DropOverload" },
  { flag: ResponseFlag.DownstreamRemoteReset, short: "DR", long: "DownstreamRemoteReset" },
  {
    flag: ResponseFlag.UnconditionalDropOverload,
    short: "UDO",
    long: "UnconditionalDropOverload",
  },
];

/** "UF,URX", or "-" when no flag is set. */
export function responseFlagsText(flags: number): string {
  if (flags === 0) return "-";
  let text = "";
  for (const name of responseFlagNames) {
    if ((flags & name.flag) !== 0) text += text === "" ? name.short : `,${name.short}`;
  }
  return text;
}
