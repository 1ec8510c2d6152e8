// The callbacks of exports/http for filters that take whole bodies: onFullRequestBody needs the three
// of the request from here, onFullResponseBody those of the response. They do all that the others do,
// and weigh 1 KB more.
import { Action, StreamType } from "../abi";
import { beginCollecting, collect, finishCollecting, isCollecting } from "../full-body";
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
    action = filter.onRequestHeaders(requestHeaders, endOfStream);
    if (!endOfStream && filter.requestBodyMax() != 0) {
      action = beginCollecting(filter, StreamType.HttpRequest, action);
    }
    action = endHook(filter, action);
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
    const body = requestBody.show(size);
    const isWhole = filter.requestBodyMax() != 0 && isCollecting(filter, StreamType.HttpRequest);
    if (isWhole) action = collect(filter, StreamType.HttpRequest, body, endOfStream);
    else action = filter.onRequestBody(body, endOfStream);
    action = endHook(filter, action);
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
    if (filter.requestBodyMax() != 0 && isCollecting(filter, StreamType.HttpRequest)) {
      action = finishCollecting(filter, StreamType.HttpRequest, requestBody);
    }
    if (action == Action.Continue) action = filter.onRequestTrailers(requestTrailers);
    action = endHook(filter, action);
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
    action = filter.onResponseHeaders(responseHeaders, endOfStream);
    if (!endOfStream && filter.responseBodyMax() != 0) {
      action = beginCollecting(filter, StreamType.HttpResponse, action);
    }
    action = endHook(filter, action);
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
    const body = responseBody.show(size);
    const isWhole = filter.responseBodyMax() != 0 && isCollecting(filter, StreamType.HttpResponse);
    if (isWhole) action = collect(filter, StreamType.HttpResponse, body, endOfStream);
    else action = filter.onResponseBody(body, endOfStream);
    action = endHook(filter, action);
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
    if (filter.responseBodyMax() != 0 && isCollecting(filter, StreamType.HttpResponse)) {
      action = finishCollecting(filter, StreamType.HttpResponse, responseBody);
    }
    if (action == Action.Continue) action = filter.onResponseTrailers(responseTrailers);
    action = endHook(filter, action);
  }
  leave();
  return action;
}
