// The door of @headgate/runtime/testing: filters under test, on the proxy's own wasm host and filter
// manager, without sockets and on a clock that the test moves. loadFilter is where to begin.
// oxlint-disable-next-line typescript/triple-slash-reference -- for projects that link to these sources
/// <reference path="../../types/webassembly.d.ts" preserve="true" />
export {
  type ChainLink,
  configErrors,
  type FilterOptions,
  type FilterSource,
  loadChain,
  loadFilter,
  type TestOptions,
} from "./load.ts";
export { openFilters, type TestFilter } from "./test-filter.ts";
export type {
  DownstreamMessage,
  LocalReply,
  Message,
  StreamRequest,
  StreamResponse,
  TestStream,
  UpstreamMessage,
} from "./stream.ts";
export type { TestConnection } from "./connection.ts";
export type {
  CalloutBook,
  CalloutFailure,
  CalloutMatch,
  CalloutReply,
  CalloutRequest,
  ExpectedCallout,
} from "./callouts.ts";
export type { ExpectedGrpc, GrpcMatch, GrpcReply } from "./grpc-callouts.ts";
export {
  FilterCompileError,
  GuestTrapError,
  type StrictCheck,
  StrictError,
  type StrictOptions,
} from "./errors.ts";
export { LeakError, type SoakOptions, type SoakReport } from "./soak.ts";
export type { GuestPlace } from "./places.ts";
export type { CallbackRecord, ForeignDouble, PropertyInput } from "./watch.ts";
export type { SharedData, SharedQueues, TestMetrics } from "./shared.ts";

// What stands under it, for tests of the host itself.
export * from "../test/harness.ts";
