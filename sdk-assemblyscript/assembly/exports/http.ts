// Callbacks of HTTP streams: export those whose hooks the filter overrides, and no other. The host
// asks what is exported, and each callback that is not there saves a call per stream.
import { Action, StreamType } from "../abi";
import { beginHook, endHook, leave } from "../hook";
import {
  requestBody,
  requestHeaders,
  requestTrailers,
  responseBody,
  responseHeaders,
  responseTrailers,
} from "../http";
import { enterCallback } from "../memory";
import { findHttp } from "../registry";

export function proxy_on_request_headers(
  contextId: u32,
  headerCount: u32,
  endOfStream: bool,
): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpRequest);
    action = endHook(filter, filter.onRequestHeaders(requestHeaders, endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_request_body(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpRequest);
    action = endHook(filter, filter.onRequestBody(requestBody.show(size), endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_request_trailers(contextId: u32, trailerCount: u32): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpRequest);
    action = endHook(filter, filter.onRequestTrailers(requestTrailers));
  }
  leave();
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
  if (filter !== null) {
    beginHook(filter, StreamType.HttpResponse);
    action = endHook(filter, filter.onResponseHeaders(responseHeaders, endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_response_body(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpResponse);
    action = endHook(filter, filter.onResponseBody(responseBody.show(size), endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_response_trailers(contextId: u32, trailerCount: u32): Action {
  enterCallback();
  const filter = findHttp(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpResponse);
    action = endHook(filter, filter.onResponseTrailers(responseTrailers));
  }
  leave();
  return action;
}
