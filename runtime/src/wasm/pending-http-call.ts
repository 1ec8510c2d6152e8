// One callout of a guest that waits for its answer; made by RootContext, told by Callouts.
import type { HeaderMap } from "../core/header-map.ts";
import type { HttpCall, HttpCallReceiver } from "./callout.ts";
import type { RootContext } from "./root-context.ts";

export class PendingHttpCall implements HttpCallReceiver {
  /** Set as soon as the call was started. */
  call: HttpCall | null = null;
  /** What it holds of the guest's bytes. */
  readonly bytes: number;
  readonly #root: RootContext;
  readonly #token: number;

  constructor(root: RootContext, token: number, bytes: number) {
    this.bytes = bytes;
    this.#root = root;
    this.#token = token;
  }

  onResponse(headers: HeaderMap, body: Buffer, trailers: HeaderMap | null): void {
    this.#root.tellHttpCallResponse(this.#token, headers, body, trailers);
  }

  onReset(): void {
    this.#root.tellHttpCallResponse(this.#token, null, null, null);
  }

  cancel(): void {
    this.call?.cancel();
  }
}
