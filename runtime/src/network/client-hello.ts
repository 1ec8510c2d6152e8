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

/** `bytesMax` holds for the message without the heads of its records. */
export function readClientHello(bytes: Buffer, bytesMax: number): ClientHello {
  const parts: Buffer[] = [];
  let gathered = 0;
  let needed = MESSAGE_HEAD_BYTES;
  for (let at = 0; gathered < needed; ) {
    const head = bytes.subarray(at, at + RECORD_HEAD_BYTES);
    if (!isRecordHead(head)) return notTls;
    if (head.length < RECORD_HEAD_BYTES) return needMore;
    const from = at + RECORD_HEAD_BYTES;
    const end = from + head.readUInt16BE(3);
    const part = bytes.subarray(from, end);
    parts.push(part);
    gathered += part.length;
    const message = messageBytes(parts, gathered);
    if (message < 0) return notTls;
    if (message > bytesMax) return tooLarge;
    if (message > 0) needed = MESSAGE_HEAD_BYTES + message;
    if (gathered < needed && bytes.length < end) return needMore;
    at = end;
  }
  const whole = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  const found = parse(new Reader(whole, MESSAGE_HEAD_BYTES, needed));
  if (found.state !== ClientHelloState.Found) return found;
  return { ...found, message: whole.subarray(MESSAGE_HEAD_BYTES, needed) };
}

/** As far as there are bytes of it. */
function isRecordHead(head: Buffer): boolean {
  if (head.length > 0 && head[0] !== HANDSHAKE_RECORD) return false;
  if (head.length > 1 && head[1] !== 3) return false;
  if (head.length < RECORD_HEAD_BYTES) return true;
  const length = head.readUInt16BE(3);
  return length > 0 && length <= RECORD_BYTES_MAX;
}

/** Length of the message; 0 = not known yet, -1 = it is no ClientHello. */
function messageBytes(parts: readonly Buffer[], gathered: number): number {
  const first = parts[0] as Buffer;
  if (first.length > 0 && first[0] !== CLIENT_HELLO) return -1;
  if (gathered < MESSAGE_HEAD_BYTES) return 0;
  const head = first.length >= MESSAGE_HEAD_BYTES ? first : Buffer.concat(parts);
  const length = head.readUIntBE(1, 3);
  return length === 0 ? -1 : length;
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
