// Replaces "secret" by "[hidden]" in the bytes of whole text responses.
import { Action, Body, HttpFilter, ResponseHeaders } from "@headgate/sdk-assemblyscript";
import { utf8Bytes } from "@headgate/sdk-assemblyscript/kit/bytes";

const SECRET = utf8Bytes("secret");
const HIDDEN = utf8Bytes("[hidden]");

@filter
class BodyRewrite extends HttpFilter {
  private isText: bool = false;

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    const type = headers.get("content-type");
    this.isText = !endOfStream && type !== null && type.startsWith("text/");
    if (this.isText) headers.remove("content-length");
    return Action.Continue;
  }

  override onResponseBody(body: Body, endOfStream: bool): Action {
    if (!this.isText) return Action.Continue;
    if (!endOfStream) return Action.Pause;
    const bytes = body.bytes();
    if (bytes !== null) body.replace(hide(bytes));
    return Action.Continue;
  }
}

function hide(body: Uint8Array): Uint8Array {
  let count = 0;
  for (let at = find(body, 0); at >= 0; at = find(body, at + SECRET.length)) count++;
  if (count == 0) return body;
  const result = new Uint8Array(body.length + count * (HIDDEN.length - SECRET.length));
  let from = 0;
  let to = 0;
  for (let at = find(body, 0); at >= 0; at = find(body, from)) {
    result.set(body.subarray(from, at), to);
    to += at - from;
    result.set(HIDDEN, to);
    to += HIDDEN.length;
    from = at + SECRET.length;
  }
  result.set(body.subarray(from), to);
  return result;
}

/** Where the next one begins; -1 when there is none. */
function find(body: Uint8Array, from: i32): i32 {
  const last = body.length - SECRET.length;
  for (let at = from; at <= last; at++) {
    let size = 0;
    while (size < SECRET.length && body[at + size] == SECRET[size]) size++;
    if (size == SECRET.length) return at;
  }
  return -1;
}
