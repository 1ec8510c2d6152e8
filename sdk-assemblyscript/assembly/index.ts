// The door of the SDK for filters. The callbacks to export are in exports/base, exports/http,
// exports/network and exports/plugin.
export * from "./abi";
export { Body } from "./body";
export { concatBytes, equalBytes, utf8Bytes, utf8Text } from "./bytes";
export { nowMs, nowNs } from "./clock";
export { ConfigArray, ConfigObject } from "./config-object";
export { Configuration, NoConfig } from "./configuration";
export { HttpFilter, NetworkFilter, Plugin } from "./context";
export { callForeign, foreignArguments } from "./foreign";
export { Gather, GatheredResponse } from "./gather";
export { GrpcCall, GrpcResponse, GrpcStream } from "./grpc-call";
export { HeaderMap, RequestHeaders, ResponseHeaders } from "./headers";
export { HttpRequest, HttpResponse } from "./http";
export { CallFailure, HttpCall, HttpCallResponse } from "./http-call";
export { counters, gauges, histograms, Labelled } from "./labels";
export { log } from "./log";
export { Counter, counter, Gauge, gauge, Histogram, histogram } from "./metrics";
export { HeaderName } from "./names";
export { HeaderPair } from "./pairs";
export { limitPendingCalls } from "./pending-call";
export { Property, property } from "./properties";
export { Queue } from "./queue";
export { registerFilter, registerPlugin } from "./registry";
export { lastStatus } from "./results";
export { shared, SharedCounter, SharedValue } from "./shared-data";
export { asciiLower, decimal, signedDecimal } from "./text";
