// The part of a body, or of a TCP connection's bytes, that a callback shows; hooks get it.
import {
  BufferType,
  proxy_get_buffer_bytes,
  proxy_get_buffer_status,
  proxy_set_buffer_bytes,
} from "./abi";
import { callbackTurn } from "./memory";
import { isOk, OUT, OUT_SIZE, resultBytes, resultText } from "./results";
import { encodedLength, encodeUtf8 } from "./utf8";

const ALL: u32 = 0xffffffff;

/**
 * One buffer of the host: the chunk that just arrived, or, after a hook has answered Pause, all
 * that was buffered since. A change of its size makes an earlier `content-length` wrong: remove
 * that header in the header hook.
 */
export class Body {
  private size: u32 = 0;
  /** The callback whose size that is: the object serves all streams. */
  private turn: u32 = 0;

  constructor(private readonly type: BufferType) {}

  /** Bytes that can be read now; 0 when nothing is readable. */
  get length(): u32 {
    if (this.turn != callbackTurn()) {
      const isThere = isOk(proxy_get_buffer_status(this.type, OUT, OUT_SIZE));
      this.show(isThere ? load<u32>(OUT) : 0);
    }
    return this.size;
  }

  /**
   * A copy of `length` bytes from `start` on, cut to what is there; null when nothing is readable.
   */
  bytes(start: u32 = 0, length: u32 = ALL): Uint8Array | null {
    return this.read(start, length) ? resultBytes() : null;
  }

  /** The same as UTF-8 text, broken parts as U+FFFD. A chunk may end inside a character. */
  text(start: u32 = 0, length: u32 = ALL): string | null {
    return this.read(start, length) ? resultText() : null;
  }

  /** Replaces all of it. */
  replace(bytes: Uint8Array): bool {
    return this.replaceFrom(bytes.dataStart, bytes.length);
  }

  /** As `replace`, with text as UTF-8; false when the body cannot be changed in this hook. */
  replaceText(text: string): bool {
    const start = encodeUtf8(text);
    return start != 0 && this.replaceFrom(start, encodedLength());
  }

  /** Puts bytes before what is there. */
  prepend(bytes: Uint8Array): bool {
    return this.grow(0, bytes.dataStart, bytes.length);
  }

  /** As `prepend`, with text as UTF-8. */
  prependText(text: string): bool {
    const start = encodeUtf8(text);
    return start != 0 && this.grow(0, start, encodedLength());
  }

  /** Puts bytes behind what is there. */
  append(bytes: Uint8Array): bool {
    return this.grow(this.length, bytes.dataStart, bytes.length);
  }

  /** As `append`, with text as UTF-8. */
  appendText(text: string): bool {
    const start = encodeUtf8(text);
    return start != 0 && this.grow(this.length, start, encodedLength());
  }

  /** Drops all of it: nothing of this chunk goes on. */
  clear(): bool {
    return this.replaceFrom(0, 0);
  }

  /** Called by the callbacks, which know the size. */
  show(size: u32): this {
    this.size = size;
    this.turn = callbackTurn();
    return this;
  }

  private read(start: u32, length: u32): bool {
    return isOk(proxy_get_buffer_bytes(this.type, start, length, OUT, OUT_SIZE));
  }

  private replaceFrom(start: usize, length: u32): bool {
    if (!isOk(proxy_set_buffer_bytes(this.type, 0, ALL, start, length))) return false;
    this.show(length);
    return true;
  }

  private grow(at: u32, start: usize, length: u32): bool {
    const before = this.length;
    // Length 0 at 0 means "insert before"; a start at the end means "append".
    if (!isOk(proxy_set_buffer_bytes(this.type, at, 0, start, length))) return false;
    this.show(before + length);
    return true;
  }
}
