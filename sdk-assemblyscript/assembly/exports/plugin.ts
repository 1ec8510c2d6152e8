// Callbacks of plugins, and those that end a context: export what the plugin or filter overrides.
import { BufferType, GrpcStatus } from "../abi";
import { Configuration } from "../configuration";
import { GrpcEvent, tellGrpc } from "../grpc-pending";
import { leave, OVER } from "../hook";
import { answerHttpCall } from "../http-call";
import { enterCallback } from "../memory";
import { findContext, findPlugin } from "../registry";

export function proxy_on_vm_start(contextId: u32, configurationSize: u32): bool {
  enterCallback();
  const plugin = findPlugin(contextId);
  const source = new Configuration(BufferType.VmConfiguration, configurationSize);
  const isStarted = plugin !== null && plugin.onVmStart(source) && source.accept();
  leave();
  return isStarted;
}

export function proxy_on_tick(contextId: u32): void {
  enterCallback();
  const plugin = findPlugin(contextId);
  if (plugin !== null) plugin.onTick();
  leave();
}

export function proxy_on_queue_ready(contextId: u32, queueId: u32): void {
  enterCallback();
  const plugin = findPlugin(contextId);
  if (plugin !== null) plugin.onQueueReady(queueId);
  leave();
}

export function proxy_on_http_call_response(
  contextId: u32,
  callId: u32,
  headerCount: u32,
  bodySize: u32,
  trailerCount: u32,
): void {
  enterCallback();
  if (!answerHttpCall(callId, headerCount, bodySize)) {
    const plugin = findPlugin(contextId);
    if (plugin !== null) plugin.onHttpCallResponse(callId, headerCount, bodySize, trailerCount);
  }
  leave();
}

export function proxy_on_grpc_receive_initial_metadata(
  contextId: u32,
  callId: u32,
  entryCount: u32,
): void {
  enterCallback();
  if (!tellGrpc(callId, GrpcEvent.InitialMetadata, GrpcStatus.Ok, 0)) {
    const plugin = findPlugin(contextId);
    if (plugin !== null) plugin.onGrpcReceiveInitialMetadata(callId, entryCount);
  }
  leave();
}

export function proxy_on_grpc_receive(contextId: u32, callId: u32, messageSize: u32): void {
  enterCallback();
  if (!tellGrpc(callId, GrpcEvent.Message, GrpcStatus.Ok, messageSize)) {
    const plugin = findPlugin(contextId);
    if (plugin !== null) plugin.onGrpcReceive(callId, messageSize);
  }
  leave();
}

export function proxy_on_grpc_receive_trailing_metadata(
  contextId: u32,
  callId: u32,
  entryCount: u32,
): void {
  enterCallback();
  if (!tellGrpc(callId, GrpcEvent.TrailingMetadata, GrpcStatus.Ok, 0)) {
    const plugin = findPlugin(contextId);
    if (plugin !== null) plugin.onGrpcReceiveTrailingMetadata(callId, entryCount);
  }
  leave();
}

export function proxy_on_grpc_close(contextId: u32, callId: u32, status: GrpcStatus): void {
  enterCallback();
  if (!tellGrpc(callId, GrpcEvent.Close, status, 0)) {
    const plugin = findPlugin(contextId);
    if (plugin !== null) plugin.onGrpcClose(callId, status);
  }
  leave();
}

export function proxy_on_foreign_function(
  contextId: u32,
  functionId: u32,
  argumentsSize: u32,
): void {
  enterCallback();
  const plugin = findPlugin(contextId);
  if (plugin !== null) plugin.onForeignFunction(functionId, argumentsSize);
  leave();
}

export function proxy_on_done(contextId: u32): bool {
  enterCallback();
  const context = findContext(contextId);
  if (context !== null) context.state |= OVER;
  const isDone = context === null || context.onDone();
  leave();
  return isDone;
}

export function proxy_on_log(contextId: u32): void {
  enterCallback();
  const context = findContext(contextId);
  if (context !== null) {
    context.state |= OVER;
    context.onLog();
  }
  leave();
}
