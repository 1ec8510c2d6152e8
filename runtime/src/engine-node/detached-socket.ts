// A handle becomes an ordinary net.Socket; called when a connection is given away by detach().
import net from "node:net";
import type { EngineCore } from "./engine-core.ts";
import { detachedSocketOptions, type StreamHandle } from "./node-internals.ts";

/**
 * The handle reads into the engine's buffer for as long as it lives, so the socket copies what
 * comes from there. node:tls and node:http2 take over the handle below the socket and are not
 * concerned.
 */
export function newDetachedSocket(core: EngineCore, handle: StreamHandle): net.Socket {
  const socket: net.Socket = new net.Socket(
    detachedSocketOptions(handle, {
      buffer: core.readArea,
      callback: (length: number, buffer: Uint8Array): boolean =>
        socket.push(Buffer.from(buffer.subarray(0, length))),
    }),
  );
  return socket;
}

/** The same of a file descriptor, which is the socket's from now on. */
export function newSocketOf(fd: number): net.Socket {
  return new net.Socket({ fd, allowHalfOpen: true });
}
