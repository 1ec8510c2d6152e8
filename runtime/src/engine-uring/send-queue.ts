// What a connection writes, until the kernel has it: one send under way, the rest behind it in
// order.
import { writeLatin1 } from "../core/latin1.ts";
import type { UringLoop } from "./uring-loop.ts";
import { arenaPieceBytes } from "./send-arena.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, Op, QUIET_SEND } from "./uring-abi.ts";

/** Pieces of one call. */
const PIECES_MAX = 8;
/** sizeof(struct msghdr), struct iovec. */
const HEADER_BYTES = 56;
const PIECE_BYTES = 16;

const TWO_32 = 4_294_967_296;

/** Where bytes are that the kernel looks at: exactly one of the three holds them. */
interface Piece {
  address: number;
  length: number;
  /** A place in the arena, or -1. */
  readonly at: number;
  /** Memory of their own, kept from the garbage collector. */
  readonly kept: Buffer | null;
  /** An address in the read buffers that is pinned, or 0. */
  readonly pinned: number;
}

export class SendQueue {
  readonly #loop: UringLoop;
  /** Bytes of all that has not left. */
  bytes: number = 0;
  #flying: readonly Piece[] | null = null;
  /** The one piece of text that flies, without an object of its own; -1 = another or none. */
  #flyingAt: number = -1;
  #flyingLength: number = 0;
  /** The list of pieces in the arena, or -1. */
  #listAt: number = -1;
  #waiting: Piece[] = [];

  constructor(loop: UringLoop) {
    this.#loop = loop;
  }

  get isFlying(): boolean {
    return this.#flyingAt >= 0 || this.#flying !== null;
  }

  /** Of the send that is under way. */
  get flyingBytes(): number {
    return this.isFlying ? this.#flyingLength : 0;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Behind the send that is under way, or without one. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * The usual case: one text, nothing in front of it. Answers whether it is on its way: then it is
   * over when the ring has got it, with a completion only if not all of it was taken.
   */
  trySendText(text: string, fd: number, userData: number): boolean {
    if (this.bytes > 0 || text.length > arenaPieceBytes) return false;
    const { arena, ring } = this.#loop;
    const at = arena.take(text.length);
    if (at < 0) return false;
    writeLatin1(arena.bytes, text, at);
    this.#flyingAt = at;
    this.#flyingLength = text.length;
    this.bytes = text.length;
    const flags = MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT;
    ring.prepare(QUIET_SEND, fd, arena.addressOf(at), text.length, flags, userData);
    return true;
  }

  addText(text: string): void {
    const length = text.length;
    if (length === 0) return;
    const { arena } = this.#loop;
    const at = length <= arenaPieceBytes ? arena.take(length) : -1;
    if (at < 0) {
      this.addBytes(Buffer.from(text, "latin1"));
      return;
    }
    writeLatin1(arena.bytes, text, at);
    this.#add({ address: arena.addressOf(at), length, at, kept: null, pinned: 0 });
  }

  /** `kept` is ours. */
  addBytes(kept: Buffer): void {
    const { length } = kept;
    const { arena, native } = this.#loop;
    // So small a one may be on V8's heap, and move.
    const at = length <= 64 ? arena.take(length) : -1;
    if (at >= 0) {
      kept.copy(arena.bytes, at);
      this.#add({ address: arena.addressOf(at), length, at, kept: null, pinned: 0 });
      return;
    }
    const own = length <= 64 ? copyOf(kept, 0, length) : kept;
    this.#add({ address: native.addressOf(own), length, at: -1, kept: own, pinned: 0 });
  }

  addLent(buffer: Buffer, from: number, to: number): void {
    const { reads } = this.#loop;
    const address = reads.mayPin ? reads.addressOf(buffer, from) : 0;
    if (address === 0) {
      this.addBytes(copyOf(buffer, from, to));
      return;
    }
    reads.pin(address);
    this.#add({ address, length: to - from, at: -1, kept: null, pinned: address });
  }

  /** Sends what waits, unless something flies. Answers whether something flies now that did not. */
  start(fd: number, userData: number): boolean {
    const waiting = this.#waiting;
    if (this.isFlying || waiting.length === 0) return false;
    const { arena, ring } = this.#loop;
    const count = Math.min(waiting.length, PIECES_MAX);
    const listAt = count > 1 ? arena.take(HEADER_BYTES + count * PIECE_BYTES) : -1;
    const flags = MSG_NOSIGNAL | MSG_WAITALL;
    if (listAt < 0) {
      const piece = waiting.shift() as Piece;
      this.#flying = [piece];
      this.#flyingLength = piece.length;
      ring.prepare(Op.Send, fd, piece.address, piece.length, flags, userData);
      return true;
    }
    this.#flying = waiting.splice(0, count);
    this.#listAt = listAt;
    this.#flyingLength = this.#writeList(this.#flying, listAt);
    ring.prepare(Op.SendMsg, fd, arena.addressOf(listAt), 1, flags, userData);
    return true;
  }

  /** The kernel took so much of what flew; negative = it failed, and took nothing. */
  landed(result: number): void {
    const taken = Math.max(result, 0);
    this.bytes -= taken;
    const left = this.#flyingLength - taken;
    const { arena } = this.#loop;
    if (this.#listAt >= 0) arena.release(this.#listAt);
    this.#listAt = -1;
    const at = this.#flyingAt;
    const pieces = this.#flying ?? [];
    this.#flyingAt = -1;
    this.#flying = null;
    if (at >= 0) {
      if (left === 0) arena.release(at);
      else {
        const address = arena.addressOf(at) + taken;
        this.#waiting.unshift({ address, length: left, at, kept: null, pinned: 0 });
      }
      return;
    }
    if (left > 0) this.#takeBack(pieces, taken);
    else for (const piece of pieces) this.#release(piece);
  }

  /** Lets go of what does not fly. */
  clear(): void {
    for (const piece of this.#waiting) {
      this.bytes -= piece.length;
      this.#release(piece);
    }
    this.#waiting = [];
  }

  /** What has not left, copied. Nothing may fly. */
  rest(): Buffer[] {
    const { arena, reads } = this.#loop;
    return this.#waiting.map(({ address, length, at, kept, pinned }) => {
      if (kept !== null) return Buffer.from(kept.subarray(kept.length - length));
      if (pinned !== 0) return reads.copyAt(address, length);
      const from = address - arena.addressOf(0);
      return at < 0 ? Buffer.alloc(0) : Buffer.from(arena.bytes.subarray(from, from + length));
    });
  }

  #add(piece: Piece): void {
    this.bytes += piece.length;
    this.#waiting.push(piece);
  }

  #takeBack(pieces: readonly Piece[], taken: number): void {
    let skip = taken;
    const left: Piece[] = [];
    for (const piece of pieces) {
      if (skip >= piece.length) {
        skip -= piece.length;
        this.#release(piece);
        continue;
      }
      piece.address += skip;
      piece.length -= skip;
      skip = 0;
      left.push(piece);
    }
    this.#waiting.unshift(...left);
  }

  #release(piece: Piece): void {
    if (piece.at >= 0) this.#loop.arena.release(piece.at);
    else if (piece.pinned !== 0) this.#loop.reads.unpin(piece.pinned);
  }

  /** struct msghdr with its struct iovec behind it. Returns their bytes. */
  #writeList(pieces: readonly Piece[], at: number): number {
    const { arena } = this.#loop;
    const { words } = arena;
    const header = at >> 2;
    words.fill(0, header, header + (HEADER_BYTES >> 2));
    const list = arena.addressOf(at + HEADER_BYTES);
    words[header + 4] = list;
    words[header + 5] = list / TWO_32;
    words[header + 6] = pieces.length;
    let word = header + (HEADER_BYTES >> 2);
    let bytes = 0;
    for (const { address, length } of pieces) {
      words[word] = address;
      words[word + 1] = address / TWO_32;
      words[word + 2] = length;
      words[word + 3] = 0;
      word += 4;
      bytes += length;
    }
    return bytes;
  }
}

/** Outside of V8's heap, however small. */
function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(Math.max(to - from, 128)).subarray(0, to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}
