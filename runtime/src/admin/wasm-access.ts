// Who may change plugins by the admin interface: what comes in so runs in every request's way.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { textResponse } from "./admin-request.ts";
import type { AdminResponse } from "./admin-request.ts";

export interface WasmAccessOptions {
  /** Nobody; who comes over loopback or a unix socket; everybody. */
  readonly from: "off" | "local" | "any";
  /** What `authorization: Bearer` must bring; "" = nothing. */
  readonly token: string;
}

/** Null: come in. `address` is the peer's, undefined that of a unix socket. */
export function refuseWasmWrite(
  { from, token }: WasmAccessOptions,
  address: string | undefined,
  headers: IncomingHttpHeaders,
): AdminResponse | null {
  if (from === "off") return textResponse("plugins cannot be changed here: --wasm-push off\n", 403);
  if (from === "local" && !isLocal(address)) {
    const why = "plugins are changed over loopback or a unix socket only";
    return textResponse(`${why} (--wasm-push any allows more)\n`, 403);
  }
  // A page from anywhere can have a browser on this machine post to loopback.
  if (headers.origin !== undefined) {
    return textResponse("plugins are not changed by browsers: found an origin header\n", 403);
  }
  if (token === "" || isSame(headers.authorization ?? "", `Bearer ${token}`)) return null;
  return textResponse("expected authorization: Bearer with the token of this process\n", 401);
}

function isLocal(address: string | undefined): boolean {
  if (address === undefined || address === "") return true;
  return /^(?:::ffff:)?127\.|^::1$/.test(address);
}

/** In a time that tells nothing of the token. */
function isSame(found: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(found), digest(expected));
}
