// The floor: the least a proxy on Node's TCP handles can do; run.ts measures it beside the others.
// One read and one write each way, no features. It tells what this machine gives on this day.
// Usage: node floor.mjs PORT UPSTREAM_PORT. Takes GET without a body, one at a time per connection,
// and responses with a content-length whose head comes in one read; it closes on anything else.
import { writeSync } from "node:fs";
import net from "node:net";

const { streamBaseState, kReadBytesOrError } = process.binding("stream_wrap");
const { TCP, TCPConnectWrap } = process.binding("tcp_wrap");

const [port, upstreamPort] = process.argv.slice(2).map(Number);
// A head and 64 KiB of body in one read. One buffer serves all: bytes never outlive the read.
const buffer = Buffer.allocUnsafeSlow(68 * 1024);
const COPY_BYTES_MAX = 2048;
const CR_LF_TWICE = 0x0d0a0d0a;

const idle = [];

class Connection {
  constructor(handle) {
    this.handle = handle;
    this.isClosed = false;
    this.peer = null;
    this.text = "";
    this.left = 0;
    this.fd = -1;
    handle.owner = this;
    handle.onread = onRead;
    handle.useUserBuffer(buffer);
  }

  /** Writes bytes of the shared buffer; what the kernel does not take is copied, the peer waits. */
  write(length) {
    let sent = 0;
    if (length <= COPY_BYTES_MAX) {
      this.queued(this.handle.writeLatin1String(null, buffer.latin1Slice(0, length)));
      return;
    }
    if (this.fd < 0) this.fd = this.handle.fd;
    try {
      sent = writeSync(this.fd, buffer, 0, length);
    } catch (error) {
      if (error.code !== "EAGAIN") return close(this);
    }
    if (sent < length) {
      const rest = Buffer.from(buffer.subarray(sent, length));
      this.queued(this.handle.writeBuffer(null, rest), rest);
    }
  }

  queued(result, kept = null) {
    if (result === 0) return;
    if (typeof result === "number") return process.nextTick(close, this);
    result.kept = kept;
    result.owner = this;
    result.oncomplete = onWritten;
    if (this.peer !== null) this.peer.handle.readStop();
  }
}

class Downstream extends Connection {
  onBytes(length) {
    if (this.peer !== null) return close(this);
    if (buffer.readUInt32BE(length - 4) !== CR_LF_TWICE) return close(this);
    const upstream = idle.pop();
    if (upstream === undefined) return connect(this, buffer.latin1Slice(0, length));
    this.peer = upstream;
    upstream.peer = this;
    upstream.write(length);
  }
}

class Upstream extends Connection {
  onBytes(length) {
    const downstream = this.peer;
    if (downstream === null) return close(this);
    if (this.left === 0) {
      const head = buffer.indexOf("\r\n\r\n") + 4;
      if (head < 4) return close(this);
      this.left = head + contentLength(buffer.latin1Slice(0, head));
    }
    this.left -= length;
    downstream.write(length);
    if (this.left <= 0 && !this.isClosed) {
      downstream.peer = null;
      this.peer = null;
      this.left = 0;
      idle.push(this);
    }
  }
}

function contentLength(head) {
  let at = head.indexOf("ength: ") + 7;
  let length = 0;
  for (let code = head.charCodeAt(at); code >= 48 && code <= 57; code = head.charCodeAt(at)) {
    length = length * 10 + code - 48;
    at += 1;
  }
  return length;
}

function onRead() {
  const length = streamBaseState[kReadBytesOrError];
  if (length > 0) this.owner.onBytes(length);
  else if (length < 0) close(this.owner);
}

function onWritten(status) {
  const { owner } = this;
  if (status !== 0) close(owner);
  else if (owner.peer !== null) owner.peer.handle.readStart();
}

function close(connection) {
  if (connection.isClosed) return;
  connection.isClosed = true;
  connection.handle.close();
  const at = idle.indexOf(connection);
  if (at >= 0) idle.splice(at, 1);
  if (connection.peer !== null) close(connection.peer);
}

function connect(downstream, text) {
  const handle = new TCP(0);
  handle.setNoDelay(true);
  const upstream = new Upstream(handle);
  downstream.peer = upstream;
  upstream.peer = downstream;
  const wrap = new TCPConnectWrap();
  wrap.oncomplete = (status) => {
    if (status !== 0) return close(upstream);
    handle.readStart();
    upstream.queued(handle.writeLatin1String(null, text));
  };
  const error = handle.connect(wrap, "127.0.0.1", upstreamPort);
  if (error !== 0) close(upstream);
}

const server = net.createServer();
server.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => {
  server._handle.onconnection = (error, handle) => {
    if (error !== 0) return;
    handle.setNoDelay(true);
    new Downstream(handle);
    handle.readStart();
  };
});
process.on("SIGTERM", () => process.exit(0));
