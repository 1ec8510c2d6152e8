// The file of the access log, in memory: what the product writes is kept as lines.
import type { FileIo } from "../../src/access-log/file-sink.ts";

export interface LogLine {
  /** x-sim-id, "-" when the head was not whole. */
  readonly id: string;
  readonly code: number;
  readonly flags: string;
  readonly details: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly upstreamHost: string;
}

export class LogFile implements FileIo {
  #text: string;

  constructor() {
    this.#text = "";
  }

  get lines(): LogLine[] {
    return this.#text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const parts = line.split("|");
        const [id = "", code, flags = "", received, sent, upstreamHost = ""] = parts;
        return {
          id,
          code: Number(code),
          flags,
          details: parts.slice(6).join("|"),
          bytesReceived: Number(received),
          bytesSent: Number(sent),
          upstreamHost,
        };
      });
  }

  open(): number {
    return 100;
  }

  close(): void {}

  isPipe(): boolean {
    return false;
  }

  write(
    _file: number,
    bytes: Buffer,
    offset: number,
    length: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void {
    done(null, this.writeSync(0, bytes, offset, length));
  }

  writeSync(_file: number, bytes: Buffer, offset: number, length: number): number {
    this.#text += bytes.toString("latin1", offset, offset + length);
    return length;
  }
}
