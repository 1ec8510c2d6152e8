// Streams in few calls: a host that knows these callbacks makes them in the place of
// proxy_on_context_create and the hook's, and proxy_on_delete, and all others of the stream, only when
// the answer says so. Other hosts make the usual ones. The transform exports them for filters with one
// hook; who exports them by hand and has more says in `stays` when those count.
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
    const action = endHook(filter, filter.onRequestHeaders(requestHeaders, endOfStream));
    answer = keep(filter, action, StreamType.HttpRequest);
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
    const action = endHook(filter, filter.onResponseHeaders(responseHeaders, endOfStream));
    answer = keep(filter, action, StreamType.HttpResponse);
  }
  leave();
  return answer;
}

/**
 * The filter of a stream that has come before, or a new one, in no table; null when there is none
 * for HTTP. One that keeps nothing, and whose last stream has gone on, is taken again: it costs a third
 * of a stream to make and collect one.
 */
function open(id: u32, parentId: u32): HttpContext | null {
  const known = contexts.take(id);
  if (known != 0) return changetype<HttpContext>(known);
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

/** Whoever waits, was answered, or has hooks to come, may be asked for later. */
function keep(filter: HttpContext, action: Action, after: StreamType): u32 {
  if (action == Action.Continue && filter.state == 0 && !filter.stays(after)) {
    filter.id = 0;
    return action;
  }
  contexts.add(changetype<usize>(filter));
  return action | KEPT;
}
