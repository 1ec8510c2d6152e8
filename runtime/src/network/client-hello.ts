// Reads a TLS ClientHello: which name and which protocols the client asks for. It may come in
// several records, and in pieces of them (RFC 8446, 4.1.2 and 5.1).

export const ClientHelloState = { NeedMore: 0, Found: 1, NotTls: 2, TooLarge: 3 } as const;

export interface ClientHello {
  readonly state: number;
  /** Lower-case; "" = none. */
  readonly serverName: string;
  readonly applicationProtocols: readonly string[];
  /** The message without its head, lent as the bytes are; null = none was found. */
  readonly message: Buffer | null;
}

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD_BYTES = 5;
const RECORD_BYTES_MAX = 16_384;
const MESSAGE_HEAD_BYTES = 4;
const SERVER_NAME = 0;
const ALPN = 16;
const HOST_NAME = 0;

const none: readonly string[] = [];
const needMore: ClientHello = outcome(ClientHelloState.NeedMore);
const notTls: ClientHello = outcome(ClientHelloState.NotTls);
const tooLarge: ClientHello = outcome(ClientHelloState.TooLarge);

function outcome(state: number): ClientHello {
  return { state, serverName: "", applicationProtocols: none, message: null };
}

/**
 * `bytesMax` holds for the message without the heads of its records. Of all that has come it is
 * asked each time that more comes, and a record may have one byte: nothing is allocated before the
 * message is there.
 */
export function readClientHello(bytes: Buffer, bytesMax: number): ClientHello {
  let gathered = 0;
  let needed = MESSAGE_HEAD_BYTES;
  let length = 0;
  for (let at = 0; gathered < needed; ) {
    const size = recordBytes(bytes, at);
    if (size < 0) return notTls;
    if (size === 0) return needMore;
    const from = at + RECORD_HEAD_BYTES;
    const to = Math.min(from + size, bytes.length);
    for (let i = from; i < to && gathered + i - from < MESSAGE_HEAD_BYTES; i += 1) {
      const byte = bytes[i] as number;
      if (gathered + i - from > 0) length = length * 256 + byte;
      else if (byte !== CLIENT_HELLO) return notTls;
    }
    gathered += to - from;
    if (gathered >= MESSAGE_HEAD_BYTES) {
      if (length === 0) return notTls;
      if (length > bytesMax) return tooLarge;
      needed = MESSAGE_HEAD_BYTES + length;
    }
    if (gathered < needed && bytes.length < from + size) return needMore;
    at = from + size;
  }
  const whole = joinRecords(bytes, gathered);
  const found = parse(new Reader(whole, MESSAGE_HEAD_BYTES, needed));
  if (found.state !== ClientHelloState.Found) return found;
  return { ...found, message: whole.subarray(MESSAGE_HEAD_BYTES, needed) };
}

/** Of the record at `at`, as far as there are bytes of its head: 0 = more are needed, -1 = none. */
function recordBytes(bytes: Buffer, at: number): number {
  const count = bytes.length - at;
  if (count > 0 && bytes[at] !== HANDSHAKE_RECORD) return -1;
  if (count > 1 && bytes[at + 1] !== 3) return -1;
  if (count < RECORD_HEAD_BYTES) return 0;
  const length = bytes.readUInt16BE(at + 3);
  return length > 0 && length <= RECORD_BYTES_MAX ? length : -1;
}

/** The first `length` bytes that records carry, all of which are there. */
function joinRecords(bytes: Buffer, length: number): Buffer {
  const first = bytes.readUInt16BE(3);
  if (first >= length) return bytes.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + length);
  const whole = Buffer.allocUnsafe(length);
  for (let at = 0, done = 0; done < length; ) {
    const from = at + RECORD_HEAD_BYTES;
    const end = from + bytes.readUInt16BE(at + 3);
    done += bytes.copy(whole, done, from, end);
    at = end;
  }
  return whole;
}

/** Reads fields of `bytes[at..end)`; what does not fit makes it bad, and all later reads empty. */
export class Reader {
  readonly bytes: Buffer;
  at: number = 0;
  readonly end: number;
  isBad: boolean = false;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.isBad || this.at >= this.end;
  }

  skip(count: number): void {
    if (this.at + count > this.end) this.isBad = true;
    else this.at += count;
  }

  uint(size: number): number {
    const from = this.at;
    this.skip(size);
    return this.isBad ? 0 : this.bytes.readUIntBE(from, size);
  }

  /** A vector whose length stands in `size` bytes before it. */
  vector(size: number): Reader {
    const length = this.uint(size);
    const from = this.at;
    this.skip(length);
    return new Reader(this.bytes, from, this.isBad ? from : from + length);
  }

  text(): string {
    return this.bytes.toString("latin1", this.at, this.end);
  }
}

function parse(hello: Reader): ClientHello {
  hello.skip(2 + 32);
  hello.vector(1);
  const suites = hello.vector(2);
  const compressions = hello.vector(1);
  if (hello.isBad || suites.isAtEnd || compressions.isAtEnd) return notTls;
  let serverName = "";
  let applicationProtocols = none;
  const state = ClientHelloState.Found;
  if (hello.isAtEnd) return { state, serverName, applicationProtocols, message: null };
  const extensions = hello.vector(2);
  while (!extensions.isAtEnd) {
    const type = extensions.uint(2);
    const body = extensions.vector(2);
    if (type === SERVER_NAME && !extensions.isBad) serverName = readServerName(body);
    if (type === ALPN && !extensions.isBad) applicationProtocols = readProtocols(body);
  }
  if (hello.isBad || extensions.isBad || !hello.isAtEnd) return notTls;
  return { state, serverName, applicationProtocols, message: null };
}

function readServerName(body: Reader): string {
  const names = body.vector(2);
  while (!names.isAtEnd) {
    const type = names.uint(1);
    const name = names.vector(2);
    if (type === HOST_NAME && !names.isBad) return name.text().toLowerCase();
  }
  return "";
}

function readProtocols(body: Reader): readonly string[] {
  const protocols: string[] = [];
  const list = body.vector(2);
  while (!list.isAtEnd) {
    const protocol = list.vector(1);
    if (!list.isBad) protocols.push(protocol.text());
  }
  return list.isBad ? none : protocols;
}
