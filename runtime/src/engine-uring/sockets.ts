// Sockets by system calls: made, bound, asked for their names. Only the making is on the way of
// connections.
import type { ListenOptions, SocketAddress, TcpKeepAlive } from "../engine/network-engine.ts";
import { ipAddress, noAddress } from "../engine-node/addresses.ts";
import type { Native, Region } from "./native.ts";
import { SOCK_CLOEXEC } from "./uring-abi.ts";

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_KEEPALIVE = 9;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SHUT_RD = 0;
const SHUT_WR = 1;

/** sizeof(struct sockaddr_in), sockaddr_in6. */
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;
/** Where they are written to; behind it their length. */
const NAME_BYTES = 64;

/** One per thread: the place that addresses and options of a call stand in. */
export class Sockets {
  readonly #native: Native;
  readonly #scratch: Region;

  constructor(native: Native, scratch: Region) {
    this.#native = native;
    this.#scratch = scratch;
  }

  /** A file descriptor, or a negated errno. Sends small pieces at once. */
  create(family: SocketAddress["family"]): number {
    const domain = family === "ipv6" ? AF_INET6 : AF_INET;
    const fd = this.#result(this.#native.call.socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd < 0) return fd;
    this.#native.estate?.opened(fd);
    this.setNoDelay(fd, true);
    return fd;
  }

  /** `family` is that of the socket: an address of the other one is refused. */
  bind(fd: number, address: SocketAddress, family: SocketAddress["family"]): number {
    const length = this.#write(address, family);
    if (length < 0) return length;
    return this.#result(this.#native.call.bind(fd, this.#scratch.address, length));
  }

  /** Returns 0 or a negated errno; `fd` is not closed then. */
  listen(fd: number, address: SocketAddress, options: ListenOptions, backlog: number): number {
    this.#setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reusePort) this.#setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family === "ipv6") {
      const isOnly = address.address === "::" && !options.ipv4Compat;
      this.#setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, isOnly ? 1 : 0);
    }
    const status = this.bind(fd, address, address.family);
    return status < 0 ? status : this.#result(this.#native.call.listen(fd, backlog));
  }

  /** Writes the address where the kernel will look for it; its length, or a negated errno. */
  writeTo(target: Buffer, address: SocketAddress): number {
    const length = this.#write(address, address.family);
    if (length > 0) this.#scratch.bytes.copy(target, 0, 0, length);
    return length;
  }

  localOf(fd: number): SocketAddress {
    return this.#nameOf(fd, this.#native.call.getsockname);
  }

  remoteOf(fd: number): SocketAddress {
    return this.#nameOf(fd, this.#native.call.getpeername);
  }

  setNoDelay(fd: number, isOn: boolean): void {
    this.#setOption(fd, IPPROTO_TCP, TCP_NODELAY, isOn ? 1 : 0);
  }

  setKeepAlive(fd: number, keepAlive: TcpKeepAlive | null): void {
    this.#setOption(fd, SOL_SOCKET, SO_KEEPALIVE, keepAlive === null ? 0 : 1);
    if (keepAlive === null) return;
    this.#setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepAlive.idleSeconds);
    this.#setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepAlive.intervalSeconds);
    this.#setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, keepAlive.probes);
  }

  /** FIN. Returns 0 or a negated errno. */
  endWriting(fd: number): number {
    return this.#result(this.#native.call.shutdown(fd, SHUT_WR));
  }

  /** Nobody is accepted any more from now on, whatever operations are under way. */
  endListening(fd: number): void {
    this.#native.call.shutdown(fd, SHUT_RD);
  }

  /** RST, at once: a connect to no address is how the kernel is asked to give up a connection. */
  abort(fd: number): void {
    this.#scratch.bytes.fill(0, 0, IPV4_BYTES);
    this.#scratch.bytes.writeUInt16LE(AF_UNSPEC, 0);
    this.#native.call.connect(fd, this.#scratch.address, IPV4_BYTES);
  }

  /** For descriptors without operations under way. */
  close(fd: number): void {
    this.#native.estate?.closing(fd);
    this.#native.call.close(fd);
  }

  #write(address: SocketAddress, family: SocketAddress["family"]): number {
    const { call } = this.#native;
    const place = this.#scratch.address;
    if (family === "ipv6") {
      const status = call.uv_ip6_addr(address.address, address.port, place);
      return status < 0 ? status : IPV6_BYTES;
    }
    const status = call.uv_ip4_addr(address.address, address.port, place);
    return status < 0 ? status : IPV4_BYTES;
  }

  #nameOf(fd: number, ask: (fd: number, name: bigint, length: bigint) => number): SocketAddress {
    if (fd < 0) return noAddress;
    const { bytes, address } = this.#scratch;
    bytes.writeUInt32LE(NAME_BYTES, NAME_BYTES);
    if (ask(fd, address, address + BigInt(NAME_BYTES)) < 0) return noAddress;
    const family = bytes.readUInt16LE(0);
    const port = bytes.readUInt16BE(2);
    if (family === AF_INET) return ipAddress(bytes.subarray(4, 8).join("."), port);
    if (family !== AF_INET6) return noAddress;
    const text = NAME_BYTES * 2;
    this.#native.call.uv_ip_name(address, address + BigInt(text), NAME_BYTES);
    return ipAddress(bytes.toString("latin1", text, bytes.indexOf(0, text)), port);
  }

  #setOption(fd: number, level: number, name: number, value: number): void {
    const at = NAME_BYTES;
    this.#scratch.bytes.writeInt32LE(value, at);
    this.#native.call.setsockopt(fd, level, name, this.#scratch.address + BigInt(at), 4);
  }

  #result(value: number): number {
    return value < 0 ? -this.#native.errno : value;
  }
}
