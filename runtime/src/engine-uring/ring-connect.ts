// Starts TCP connections on the ring, for uring-engine.ts.
import type { ConnectOptions, IoEvents, SocketAddress } from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import { IoState } from "../engine-node/node-io.ts";
import { RingIo } from "./ring-io.ts";
import type { UringLoop } from "./uring-loop.ts";

/** More than an address needs: so much does not stand where V8 may move it. */
const ADDRESS_ROOM_BYTES = 128;

/** Starts a connection; failures come as onClose in a later turn. */
export function connectOnRing(
  loop: UringLoop,
  address: SocketAddress,
  options: ConnectOptions,
  events: IoEvents,
): RingIo {
  const { sockets } = loop;
  let fd = sockets.create(address.family);
  if (fd < 0 && loop.closeNow()) fd = sockets.create(address.family);
  const io = new RingIo(loop, fd, IoState.Connecting, events);
  io.remote = address;
  if (fd < 0) {
    io.fd = -1;
    io.failLater(fd);
    return io;
  }
  const { bindAddress, keepAlive } = options;
  if (bindAddress !== null && bindAddress.family !== "unix") {
    const status = sockets.bind(fd, bindAddress, address.family);
    if (status < 0) {
      io.connectFailure = CloseReason.BindFailed;
      io.failLater(status);
      return io;
    }
  }
  if (keepAlive !== null) sockets.setKeepAlive(fd, keepAlive);
  const place = Buffer.allocUnsafeSlow(ADDRESS_ROOM_BYTES);
  const length = sockets.writeTo(place, address);
  if (length < 0) io.failLater(length);
  else io.startConnect(place, length);
  return io;
}
