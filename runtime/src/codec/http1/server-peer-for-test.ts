// The peer of a server connection, for its tests: sends what an engine would deliver, and answers requests.
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import {
  defaultOptions,
  FakeSink,
  RecordingManager,
  type RecordingRequest,
  responseMap,
} from "./recorders-for-test.ts";
import { Http1ServerConnection } from "./server-connection.ts";
import { Http1Shared } from "./shared.ts";

/** A server connection between a fake sink and a recording manager. */
export class ServerPeer {
  readonly sink: FakeSink = new FakeSink();
  readonly manager: RecordingManager = new RecordingManager();
  readonly connection: Http1ServerConnection;

  constructor(options: Partial<Http1CodecOptions> = {}) {
    this.connection = new Http1ServerConnection(
      this.sink,
      this.manager,
      { ...defaultOptions, ...options },
      new Http1Shared(),
      null,
    );
  }

  /** Sends bytes, then what the codec put back, as an engine would. */
  send(text: string): void {
    let bytes: Buffer = Buffer.from(text, "latin1");
    while (bytes.length > 0) {
      this.connection.dispatch(bytes, bytes.length);
      bytes = this.sink.takeUnread();
    }
  }

  /** Delivers what was put back and may be read by now. */
  deliverUnread(): void {
    this.send(this.sink.takeUnread().toString("latin1"));
  }

  /** The last one. */
  get stream(): RecordingRequest {
    return this.manager.streams.at(-1) as RecordingRequest;
  }
}

export function encodeBody(stream: RecordingRequest, text: string, endStream: boolean): boolean {
  const bytes = Buffer.from(text, "latin1");
  return stream.encoder.encodeData(bytes, 0, bytes.length, endStream);
}

export function answer(stream: RecordingRequest, body: string): void {
  stream.encoder.encodeHeaders(responseMap(200, `content-length: ${body.length}`), body === "");
  if (body !== "") encodeBody(stream, body, true);
}

export const GET: string = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
