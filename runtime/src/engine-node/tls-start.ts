// startTls() of the engine: takes a connection over and begins the handshake on it. Called by
// node-engine.ts.
import type net from "node:net";
import { assert } from "../core/assert.ts";
import type { IoHandle } from "../engine/network-engine.ts";
import type { TlsEvents, TlsStart } from "../engine/tls.ts";
import type { EngineCore } from "./engine-core.ts";
import type { HandleRung } from "./handle-io.ts";
import { startTlsClient, tlsHandleOf } from "./node-internals.ts";
import { NodeIo } from "./node-io.ts";
import { TlsHandleIo } from "./tls-handle-io.ts";
import { TlsSocketIo } from "./tls-socket-io.ts";
import { hookHandle, TlsSockets } from "./tls-sockets.ts";

/** `rung` is null where there are no bare handles. */
export function startTlsOn(
  core: EngineCore,
  rung: HandleRung | null,
  io: IoHandle,
  start: TlsStart,
  events: TlsEvents,
): NodeIo {
  assert(io instanceof NodeIo);
  const { local, remote } = io;
  // Our handles and sockets are given away as sockets.
  const carrier = io.detach() as net.Socket;
  const isUnix = local?.family === "unix" || remote?.family === "unix";
  const sockets = new TlsSockets(carrier, isUnix, start);
  const handle = tlsHandleOf(sockets.secure);
  assert(handle !== null, "node:tls is not the one that we know");
  const secured =
    rung === null
      ? new TlsSocketIo(core, sockets, events)
      : new TlsHandleIo(rung, sockets, handle, events);
  secured.local = local;
  secured.remote = remote;
  hookHandle(handle, start);
  if (start.side === "client") {
    process.nextTick(startTlsClient, sockets.secure, handle, start.serverName);
  }
  return secured;
}
