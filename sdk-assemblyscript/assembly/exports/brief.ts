// Streams of filters with one hook, in one call instead of three: a host that knows these callbacks
// makes them in the place of proxy_on_context_create and the hook's, and proxy_on_delete only when the
// answer says so. Other hosts make the usual ones. For modules that have no other callback of streams,
// nor one that comes later (ticks, answers); the transform exports them where that is so.
import { Action, StreamType } from "../abi";
import { Context, ContextKind, HttpContext } from "../context";
import { contexts } from "../contexts";
import { beginHook, endHook, leave, REUSING } from "../hook";
import { requestHeaders, responseHeaders } from "../http";
import { enterCallback } from "../memory";
import { findPlugin } from "../registry";

/** Beside the action: the context lives on, and is to be deleted. */
const KEPT: u32 = 256;

export function headgate_request_headers(
  contextId: u32,
  parentContextId: u32,
  headerCount: u32,
  endOfStream: bool,
): u32 {
  enterCallback();
  const filter = open(contextId, parentContextId);
  let answer: u32 = KEPT;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpRequest);
    answer = keep(filter, endHook(filter, filter.onRequestHeaders(requestHeaders, endOfStream)));
  }
  leave();
  return answer;
}

export function headgate_response_headers(
  contextId: u32,
  parentContextId: u32,
  headerCount: u32,
  endOfStream: bool,
): u32 {
  enterCallback();
  const filter = open(contextId, parentContextId);
  let answer: u32 = KEPT;
  if (filter !== null) {
    beginHook(filter, StreamType.HttpResponse);
    answer = keep(filter, endHook(filter, filter.onResponseHeaders(responseHeaders, endOfStream)));
  }
  leave();
  return answer;
}

/**
 * The filter, known to nobody; null when there is none for HTTP. One that keeps nothing, and whose
 * last stream has gone on, is taken again: it costs a third of a stream to make and collect one.
 */
function open(id: u32, parentId: u32): HttpContext | null {
  const plugin = findPlugin(parentId);
  if (plugin === null) return null;
  let context: Context | null = plugin.spare;
  if (context === null || context.id != 0) context = plugin.openStream();
  if (context === null) return null;
  if (context.kind != ContextKind.Http) return null;
  const filter = changetype<HttpContext>(context);
  filter.id = id;
  if (plugin.state == REUSING && plugin.spare !== filter) plugin.spare = filter;
  return filter;
}

/** Whoever waits, or was answered, may be asked for later. */
function keep(filter: HttpContext, action: Action): u32 {
  if (action == Action.Continue && filter.state == 0) {
    filter.id = 0;
    return action;
  }
  contexts.add(changetype<usize>(filter));
  return action | KEPT;
}
