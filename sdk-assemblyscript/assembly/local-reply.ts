// Answers that a filter gives itself, instead of the upstream.
import { proxy_send_local_response, Status } from "./abi";
import { Context } from "./context";
import { ANSWERED, OVER } from "./hook";
import { log } from "./log";
import { encodedPairsLength, encodePairs } from "./pairs";
import { isOk } from "./results";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

/**
 * Sends a local reply; false when the host refused it. A stream gets one: a second makes Envoy hang,
 * and one in onLog or onDone crashes Envoy 1.40, so neither is sent. `headers` is flat, [name, value, ...].
 * `grpcStatus` -1 means that the host derives it from `status`. `details` goes to the access log.
 */
export function sendLocalReply(
  context: Context,
  status: u32,
  bodyStart: usize,
  bodyLength: u32,
  headers: string[] | null,
  grpcStatus: i32,
  details: string,
): bool {
  if ((context.state & (ANSWERED | OVER)) != 0) {
    log.warn("local reply not sent: the stream is answered or over");
    return isOk(Status.BadArgument);
  }
  let code = status;
  if (code < 200 || code > 599) {
    log.error("local reply with status " + decimal(status) + ": sent as 500");
    code = 500;
  }
  const detailsStart = encodeUtf8(details);
  const detailsLength = encodedLength();
  const pairs: usize = headers === null ? 0 : encodePairs(headers);
  const pairsLength = headers === null ? 0 : encodedPairsLength();
  const isSent = isOk(
    proxy_send_local_response(
      code,
      detailsStart,
      detailsLength,
      bodyStart,
      bodyLength,
      pairs,
      pairsLength,
      grpcStatus,
    ),
  );
  if (isSent) context.state |= ANSWERED;
  return isSent;
}
