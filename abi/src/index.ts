// The package's door: the proxy-wasm ABI as data and codecs, for any host or SDK.
export {
  abiVersions,
  existsIn,
  findVersionByMarker,
  markerPrefix,
} from "./versions.ts";
export type { AbiVersion, AbiVersionFacts } from "./versions.ts";
export {
  Action,
  BufferFlag,
  BufferType,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterMetadataStatus,
  FilterStatus,
  FilterTrailersStatus,
  GrpcStatus,
  LogLevel,
  MapType,
  MetricType,
  PeerType,
  Status,
  StreamType,
  WasiErrno,
} from "./types.ts";
export type { EnumName } from "./types.ts";
export { formatSignature } from "./signature.ts";
export type {
  Chapter,
  Param,
  ParamMeaning,
  Support,
  VersionRange,
  WasmType,
} from "./signature.ts";
export { findHostcall, hostcalls } from "./hostcalls.ts";
export type { Hostcall, HostcallName, Phase } from "./hostcalls.ts";
export {
  extraEnvImports,
  findToolchainImport,
  wasiFunctions,
  wasiModuleNames,
} from "./toolchain.ts";
export type { ToolchainImport } from "./toolchain.ts";
export { callbacks, findCallback } from "./callbacks.ts";
export type { Callback, WhenAbsent } from "./callbacks.ts";
export {
  decodePairs,
  decodePairsInto,
  encodedPairsSize,
  encodePairs,
  encodePairsInto,
  PairsResult,
} from "./pairs.ts";
export type { TextReader } from "./pairs.ts";
export { decodePropertyPath, encodePropertyPath, trimPropertyPath } from "./property-path.ts";
export { limits } from "./limits.ts";
