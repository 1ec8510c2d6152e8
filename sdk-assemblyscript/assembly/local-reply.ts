// Answers that a filter gives itself, instead of the upstream.
import { proxy_send_local_response } from "./abi";
import { log } from "./log";
import { encodedPairsLength, encodePairs } from "./pairs";
import { isOk } from "./results";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

/**
 * Sends a local reply; false when the host refused it. `headers` is flat, [name, value, ...].
 * `grpcStatus` -1 means that the host derives it from `status`. `details` goes to the access log.
 */
export function sendLocalReply(
  status: u32,
  bodyStart: usize,
  bodyLength: u32,
  headers: string[] | null,
  grpcStatus: i32,
  details: string,
): bool {
  let code = status;
  if (code < 200 || code > 599) {
    log.error("local reply with status " + decimal(status) + ": sent as 500");
    code = 500;
  }
  const detailsStart = encodeUtf8(details);
  const detailsLength = encodedLength();
  const pairs: usize = headers === null ? 0 : encodePairs(headers);
  const pairsLength = headers === null ? 0 : encodedPairsLength();
  return isOk(
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
}
