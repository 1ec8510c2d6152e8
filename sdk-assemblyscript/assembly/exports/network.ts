// Callbacks of TCP connections: export those whose hooks the filter overrides, and no other.
import { Action, BufferType, PeerType, StreamType } from "../abi";
import { Body } from "../body";
import { beginHook, endHook, leave } from "../hook";
import { enterCallback } from "../memory";
import { findNetwork } from "../registry";

const downstream: Body = new Body(BufferType.DownstreamData);
const upstream: Body = new Body(BufferType.UpstreamData);

export function proxy_on_new_connection(contextId: u32): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.Downstream);
    action = endHook(filter, filter.onNewConnection());
  }
  leave();
  return action;
}

export function proxy_on_downstream_data(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.Downstream);
    action = endHook(filter, filter.onDownstreamData(downstream.show(size), endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_upstream_data(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) {
    beginHook(filter, StreamType.Upstream);
    action = endHook(filter, filter.onUpstreamData(upstream.show(size), endOfStream));
  }
  leave();
  return action;
}

export function proxy_on_downstream_connection_close(contextId: u32, peer: PeerType): void {
  enterCallback();
  const filter = findNetwork(contextId);
  if (filter !== null) filter.onDownstreamClose(peer);
  leave();
}

export function proxy_on_upstream_connection_close(contextId: u32, peer: PeerType): void {
  enterCallback();
  const filter = findNetwork(contextId);
  if (filter !== null) filter.onUpstreamClose(peer);
  leave();
}
