// Messages of gRPC in the bytes of a body: a flag, four bytes of length, the message.

const HEAD_BYTES = 5;

/** What a message's head says may be kept. */
export const grpcMessageBytesMax: number = 16 * 1024 * 1024;

export function grpcFrame(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/** Receives whole messages. */
export interface GrpcMessageReceiver {
  /** The bytes are the receiver's to keep. */
  onMessage(message: Buffer): void;
}

export class GrpcFrameReader {
  readonly #receiver: GrpcMessageReceiver;
  readonly #head: Buffer;
  #headBytes: number = 0;
  #message: Buffer | null = null;
  #messageBytes: number = 0;

  constructor(receiver: GrpcMessageReceiver) {
    this.#receiver = receiver;
    this.#head = Buffer.alloc(HEAD_BYTES);
  }

  /** Nothing of a message is waited for. */
  get isBetween(): boolean {
    return this.#headBytes === 0 && this.#message === null;
  }

  /** False when the bytes are no gRPC, compressed, or announce more than is kept. */
  read(buffer: Buffer, from: number, to: number): boolean {
    let at = from;
    while (at < to) {
      if (this.#message === null) {
        at = this.#readHead(buffer, at, to);
        if (at < 0) return false;
      }
      if (this.#message !== null) at = this.#readBody(buffer, at, to, this.#message);
    }
    return true;
  }

  #readHead(buffer: Buffer, from: number, to: number): number {
    const size = Math.min(HEAD_BYTES - this.#headBytes, to - from);
    buffer.copy(this.#head, this.#headBytes, from, from + size);
    this.#headBytes += size;
    if (this.#head[0] !== 0) return -1;
    if (this.#headBytes < HEAD_BYTES) return to;
    const length = this.#head.readUInt32BE(1);
    if (length > grpcMessageBytesMax) return -1;
    this.#headBytes = 0;
    this.#message = Buffer.allocUnsafe(length);
    this.#messageBytes = 0;
    return from + size;
  }

  #readBody(buffer: Buffer, from: number, to: number, message: Buffer): number {
    const size = Math.min(message.length - this.#messageBytes, to - from);
    buffer.copy(message, this.#messageBytes, from, from + size);
    this.#messageBytes += size;
    if (this.#messageBytes === message.length) {
      this.#message = null;
      this.#receiver.onMessage(message);
    }
    return from + size;
  }
}
