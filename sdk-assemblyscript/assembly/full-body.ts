// Whole bodies: what pauses, counts and limits between the callbacks of a stream and the hooks
// onFullRequestBody and onFullResponseBody. A filter that collects nothing does not carry this code.
import { Action, StreamType } from "./abi";
import { Body } from "./body";
import { HttpContext } from "./context";
import { HeaderMap } from "./headers";
import { ANSWERED } from "./hook";
import { requestHeaders, responseHeaders } from "./http";
import { wholeNumber } from "./text";

/** Bits of Context.state, one for each direction: its body is being collected. */
const COLLECTING: u32 = 1 << 12;

/** Whether the body of this direction is being collected. */
export function isCollecting(context: HttpContext, stream: StreamType): bool {
  return (context.state & (COLLECTING << stream)) != 0;
}

/** After the hook of headers that a body follows: `action` is that hook's answer. */
export function beginCollecting(context: HttpContext, stream: StreamType, action: Action): Action {
  if ((context.state & ANSWERED) != 0) return action;
  const isRequest = stream == StreamType.HttpRequest;
  const headers: HeaderMap = isRequest ? requestHeaders : responseHeaders;
  const text = headers.get("content-length");
  const announced = text === null ? -1 : wholeNumber(text);
  if (announced >= 0 && <u32>announced > most(context, stream)) {
    const answer = tooLarge(context, stream);
    return answer == Action.Continue ? action : answer;
  }
  const keeps = isRequest ? context.keepsRequestLength() : context.keepsResponseLength();
  // Later is too late: the headers go on before the body is whole.
  if (!keeps && text !== null) headers.remove("content-length");
  context.state |= COLLECTING << stream;
  return action;
}

/** For each callback of the body while it is being collected. */
export function collect(
  context: HttpContext,
  stream: StreamType,
  body: Body,
  endOfStream: bool,
): Action {
  if (body.length > most(context, stream)) {
    context.state &= ~(COLLECTING << stream);
    return tooLarge(context, stream);
  }
  return endOfStream ? finishCollecting(context, stream, body) : Action.Pause;
}

/** The body is whole: its trailers are there, or its end. */
export function finishCollecting(context: HttpContext, stream: StreamType, body: Body): Action {
  context.state &= ~(COLLECTING << stream);
  if (stream == StreamType.HttpRequest) return context.onFullRequestBody(body);
  return context.onFullResponseBody(body);
}

function most(context: HttpContext, stream: StreamType): u32 {
  return stream == StreamType.HttpRequest ? context.requestBodyMax() : context.responseBodyMax();
}

function tooLarge(context: HttpContext, stream: StreamType): Action {
  if (stream == StreamType.HttpRequest) return context.onRequestBodyTooLarge();
  return context.onResponseBodyTooLarge();
}
