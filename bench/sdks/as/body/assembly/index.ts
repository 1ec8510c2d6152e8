// Replaces "secret" by "[hidden]" in the bytes of whole text responses.
import { Action, Body, HttpFilter, ResponseHeaders } from "@headgate/sdk-assemblyscript";
import { indexOfBytes, utf8Bytes } from "@headgate/sdk-assemblyscript/kit/bytes";

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
  const places: i32[] = [];
  const size = SECRET.length;
  let at = indexOfBytes(body, SECRET);
  for (; at >= 0; at = indexOfBytes(body, SECRET, at + size)) places.push(at);
  const result = new Uint8Array(body.length + places.length * (HIDDEN.length - size));
  let from = 0;
  let to = 0;
  for (let i = 0; i < places.length; i++) {
    result.set(body.subarray(from, places[i]), to);
    to += places[i] - from;
    result.set(HIDDEN, to);
    to += HIDDEN.length;
    from = places[i] + size;
  }
  result.set(body.subarray(from), to);
  return result;
}
