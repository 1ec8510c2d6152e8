// What TLS of the simulated engine says on the wire: records and a ClientHello of the real form, so
// that who looks at first bytes finds them; the rest is made up. Nothing is secret, but bytes of
// the application do not look like themselves: who passes on what is under TLS is found out.
import { assert } from "../core/assert.ts";

export const RecordType = { Alert: 21, Handshake: 22, Data: 23 } as const;

/** Bytes of the application that one record has at the most. */
export const recordBytesMax = 16_384;
const headerBytes = 5;

const clientHelloType = 1;
const serverHelloType = 2;
const finishedType = 20;
/** Handshake header, version, random, no session id, one cipher, no compression. */
const helloFixedBytes = 4 + 2 + 32 + 1 + 4 + 2;
const serverNameExtension = 0;
const protocolsExtension = 16;

const mask = 0x5a;

export const closeNotify: Buffer = record(RecordType.Alert, Buffer.from([1, 0]));
export const finished: Buffer = record(
  RecordType.Handshake,
  Buffer.from([finishedType, 0, 0, 1, 0]),
);

/** Why one side refuses the other, as OpenSSL has it here, and at the peer. */
export interface Refusal {
  readonly alert: number;
  readonly code: string;
  readonly reason: string;
  readonly peerCode: string;
}

type RefusalName =
  | "httpRequest"
  | "wrongVersion"
  | "unexpected"
  | "protocol"
  | "noCertificate"
  | "stranger";

export const refusals: Readonly<Record<RefusalName, Refusal>> = {
  httpRequest: refusal(70, "HTTP_REQUEST", "TLSV1_ALERT_PROTOCOL_VERSION"),
  wrongVersion: refusal(70, "WRONG_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION"),
  unexpected: refusal(10, "UNEXPECTED_MESSAGE", "SSLV3_ALERT_UNEXPECTED_MESSAGE"),
  protocol: refusal(120, "NO_APPLICATION_PROTOCOL", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
  noCertificate: refusal(
    116,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
  ),
  stranger: refusal(48, "CERTIFICATE_VERIFY_FAILED", "TLSV1_ALERT_UNKNOWN_CA"),
};

function refusal(alert: number, name: string, peerName: string): Refusal {
  const reason = name.toLowerCase().replaceAll("_", " ");
  return { alert, code: `ERR_SSL_${name}`, reason, peerCode: `ERR_SSL_${peerName}` };
}

/** What the peer makes of a fatal alert. */
export function alerted(body: Buffer): Refusal {
  const { peerCode } =
    Object.values(refusals).find(({ alert }) => alert === body[1]) ?? refusals.unexpected;
  const reason = peerCode.slice("ERR_SSL_".length).toLowerCase().replaceAll("_", " ");
  return { alert: body[1] as number, code: peerCode, reason, peerCode };
}

export function fatalAlert({ alert }: Refusal): Buffer {
  return record(RecordType.Alert, Buffer.from([2, alert]));
}

export interface SimHello {
  readonly serverName: string;
  readonly protocols: readonly string[];
}

/** A record, or why there is none. */
export interface TakenRecord {
  readonly type: number;
  readonly body: Buffer;
  /** Bytes that it took. */
  readonly length: number;
}

/** The record that `bytes` begin with: null = it is not whole; a refusal = it is none. */
export function takeRecord(bytes: Buffer): TakenRecord | Refusal | null {
  const [type, major] = bytes;
  if (type === undefined) return null;
  const isText = type >= 0x41 && type <= 0x5a;
  if (isText) return refusals.httpRequest;
  if (type < RecordType.Alert || type > RecordType.Data) return refusals.wrongVersion;
  if (major !== undefined && major !== 3) return refusals.wrongVersion;
  if (bytes.length < headerBytes) return null;
  const length = headerBytes + bytes.readUInt16BE(3);
  if (length > headerBytes + recordBytesMax) return refusals.wrongVersion;
  if (bytes.length < length) return null;
  return { type, body: bytes.subarray(headerBytes, length), length };
}

/** `bytes` as records that a peer takes for its application's. */
export function dataRecords(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += recordBytesMax) {
    parts.push(record(RecordType.Data, masked(bytes.subarray(at, at + recordBytesMax))));
  }
  return Buffer.concat(parts);
}

/** A copy of what the application wrote, from a record's body; and the other way round. */
export function masked(body: Buffer): Buffer {
  const bytes = Buffer.from(body);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = (bytes[i] as number) ^ mask;
  return bytes;
}

export function clientHello({ serverName, protocols }: SimHello): Buffer {
  const extensions: Buffer[] = [];
  if (serverName !== "") {
    const entry = Buffer.concat([Buffer.from([0]), sized(Buffer.from(serverName, "latin1"), 2)]);
    extensions.push(extension(serverNameExtension, sized(entry, 2)));
  }
  if (protocols.length > 0) {
    const names = protocols.map((name) => sized(Buffer.from(name, "latin1"), 1));
    extensions.push(extension(protocolsExtension, sized(Buffer.concat(names), 2)));
  }
  const fixed = Buffer.alloc(helloFixedBytes - 4);
  fixed.writeUInt16BE(0x0303, 0);
  // One cipher, TLS_AES_128_GCM_SHA256, and one way of compression, none.
  fixed.set([0, 2, 0x13, 0x01, 1, 0], fixed.length - 6);
  const body = Buffer.concat([fixed, sized(Buffer.concat(extensions), 2)]);
  return record(RecordType.Handshake, handshake(clientHelloType, body));
}

export function serverHello(protocol: string): Buffer {
  return record(RecordType.Handshake, handshake(serverHelloType, Buffer.from(protocol, "latin1")));
}

/** Of a record's body; null = it is something else. */
export function readClientHello(body: Buffer): SimHello | null {
  if (body[0] !== clientHelloType || body.length < helloFixedBytes + 2) return null;
  let serverName = "";
  const protocols: string[] = [];
  for (let at = helloFixedBytes + 2; at + 4 <= body.length; ) {
    const type = body.readUInt16BE(at);
    const end = at + 4 + body.readUInt16BE(at + 2);
    if (type === serverNameExtension) serverName = body.toString("latin1", at + 9, end);
    for (let name = at + 6; type === protocolsExtension && name < end; ) {
      const next = name + 1 + (body[name] as number);
      protocols.push(body.toString("latin1", name + 1, next));
      name = next;
    }
    at = end;
  }
  return { serverName, protocols };
}

/** The protocol that was agreed on, "" = none; null = it is something else. */
export function readServerHello(body: Buffer): string | null {
  return body[0] === serverHelloType ? body.toString("latin1", 4) : null;
}

export function isFinished(body: Buffer): boolean {
  return body[0] === finishedType;
}

export function isCloseNotify(body: Buffer): boolean {
  return body[1] === 0;
}

function record(type: number, body: Buffer): Buffer {
  assert(body.length <= recordBytesMax);
  return Buffer.concat([Buffer.from([type, 3, 3]), sized(body, 2)]);
}

function handshake(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), sized(body, 3)]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, type]), sized(body, 2)]);
}

/** With its length in front. */
function sized(bytes: Buffer, lengthBytes: number): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}
