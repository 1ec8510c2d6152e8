// Callbacks of HTTP streams: export those whose hooks the filter overrides, and no other. The host
// asks what is exported, and each callback that is not there saves a call per stream.
import { Action } from "../abi";
import {
  requestBody,
  requestHeaders,
  requestTrailers,
  responseBody,
  responseHeaders,
  responseTrailers,
} from "../http";
import { enterCallback, leaveCallback } from "../memory";
import { findHttp } from "../registry";

export function proxy_on_request_headers(
  contextId: u32,
  headerCount: u32,
  endOfStream: bool,
): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onRequestHeaders(requestHeaders, endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_request_body(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onRequestBody(requestBody.show(size), endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_request_trailers(contextId: u32, trailerCount: u32): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onRequestTrailers(requestTrailers);
  leaveCallback();
  return action;
}

export function proxy_on_response_headers(
  contextId: u32,
  headerCount: u32,
  endOfStream: bool,
): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onResponseHeaders(responseHeaders, endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_response_body(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onResponseBody(responseBody.show(size), endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_response_trailers(contextId: u32, trailerCount: u32): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onResponseTrailers(responseTrailers);
  leaveCallback();
  return action;
}
