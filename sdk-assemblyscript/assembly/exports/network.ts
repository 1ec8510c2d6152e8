// Callbacks of TCP connections: export those whose hooks the filter overrides, and no other.
import { Action, BufferType, PeerType } from "../abi";
import { Body } from "../body";
import { enterCallback, leaveCallback } from "../memory";
import { findNetwork } from "../registry";

const downstream: Body = new Body(BufferType.DownstreamData);
const upstream: Body = new Body(BufferType.UpstreamData);

export function proxy_on_new_connection(contextId: u32): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onNewConnection();
  leaveCallback();
  return action;
}

export function proxy_on_downstream_data(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onDownstreamData(downstream.show(size), endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_upstream_data(contextId: u32, size: u32, endOfStream: bool): Action {
  enterCallback();
  const filter = findNetwork(contextId);
  let action = Action.Continue;
  if (filter !== null) action = filter.onUpstreamData(upstream.show(size), endOfStream);
  leaveCallback();
  return action;
}

export function proxy_on_downstream_connection_close(contextId: u32, peer: PeerType): void {
  enterCallback();
  const filter = findNetwork(contextId);
  if (filter !== null) filter.onDownstreamClose(peer);
  leaveCallback();
}

export function proxy_on_upstream_connection_close(contextId: u32, peer: PeerType): void {
  enterCallback();
  const filter = findNetwork(contextId);
  if (filter !== null) filter.onUpstreamClose(peer);
  leaveCallback();
}
