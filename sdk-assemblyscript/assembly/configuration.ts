// What a plugin or a VM was configured with. Reading it as an object is in config-object.ts; a
// filter that takes plain text does not carry that code.
import { BufferType, proxy_get_buffer_bytes } from "./abi";
import { ConfigDocument } from "./config-document";
import { ConfigObject } from "./config-object";
import { jsonProblem, jsonProblemNode, jsonProblemOffset, readJson } from "./json";
import { log } from "./log";
import { callbackTurn } from "./memory";
import { copyBytes, isOk, OUT, OUT_SIZE, resultLength, resultStart } from "./results";
import { readStruct } from "./struct";
import { beginTape, closeNode, NodeKind, pushNode, takeTape } from "./tape";
import { decimal } from "./text";
import { decodeUtf8 } from "./utf8";

/** What must be asked before a configuration is accepted. */
export abstract class ReadingCheck {
  abstract finish(): void;
}

/** The configuration of a filter that has none: one that is not empty is refused. */
export class NoConfig {}

/**
 * The configuration of a plugin, or of its VM, as the host hands it over. It is empty once the hook
 * that got it has returned; objects that `json` handed out stay readable.
 */
export class Configuration {
  /** Errors so far. Any refuses the configuration. */
  errorCount: i32 = 0;
  private check: ReadingCheck | null = null;

  private start: usize = 0;
  private length: u32 = 0;
  private readonly turn: u32 = callbackTurn();

  constructor(type: BufferType, size: u32) {
    if (size > 0 && isOk(proxy_get_buffer_bytes(type, 0, size, OUT, OUT_SIZE))) {
      this.start = resultStart();
      this.length = resultLength();
    }
  }

  /** Whether there is none. */
  get isEmpty(): bool {
    return this.length == 0;
  }

  /** Exactly what the host gave, copied; empty when there is no configuration. */
  bytes(): Uint8Array {
    return copyBytes(this.start, this.size());
  }

  /** All of it as text: what a google.protobuf.StringValue held. */
  text(): string {
    return decodeUtf8(this.start, this.size());
  }

  /**
   * The object that was configured, whether it came as JSON text or as a serialised
   * google.protobuf.Struct; without any configuration an empty object. When it is malformed, or is
   * no object, that is an error, and the result is an empty object, so that reading can go on.
   * Each call reads anew; members are checked against the last one only.
   */
  json(): ConfigObject {
    const document = this.readDocument();
    this.check = document;
    return new ConfigObject(document, 0);
  }

  /** As `json`, for code of the transform. */
  readDocument(): ConfigDocument {
    const length = this.size();
    const copy = new StaticArray<u8>(length);
    const start = changetype<usize>(copy);
    memory.copy(start, this.start, length);
    // A Struct begins with the tag 0x0a. JSON text may as well, a line feed, but is never a valid
    // Struct: each entry of one holds a byte 0x12, which JSON forbids.
    let isRead = length > 0 && load<u8>(start) == 0x0a && readStruct(start, length);
    if (!isRead && length > 0) {
      isRead = readJson(start, length);
      if (!isRead) this.failJson(copy);
    }
    if (!isRead) {
      beginTape(start);
      closeNode(pushNode(NodeKind.Object, start, 0));
    }
    return new ConfigDocument(this, copy, takeTape());
  }

  /** Adds an error, logged at once; `pointer` as `/routes/0/prefix`, "" for the whole. */
  fail(pointer: string, message: string): void {
    this.errorCount++;
    log.error("configuration " + (pointer.length == 0 ? "/" : pointer) + ": " + message);
  }

  /** Called when the author's reading is over; false when there was any error. */
  accept(): bool {
    const check = this.check;
    // After one error the rest was perhaps not read any more.
    if (check !== null && this.errorCount == 0) check.finish();
    return this.errorCount == 0;
  }

  /** The host's bytes lie in scratch memory: they are gone when the callback has returned. */
  private size(): u32 {
    return this.turn == callbackTurn() ? this.length : 0;
  }

  private failJson(copy: StaticArray<u8>): void {
    const document = new ConfigDocument(this, copy, takeTape());
    document.fail(jsonProblemNode(), jsonProblem() + " at byte " + decimal(jsonProblemOffset()));
  }
}
