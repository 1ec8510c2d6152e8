// Logging through the host, called by authors and by the SDK itself.
import { LogLevel, proxy_get_log_level, proxy_log } from "./abi";
import { callbackTurn } from "./memory";
import { logValue } from "./log-value";
import { encodedLength, encodeUtf8 } from "./utf8";
import { OUT } from "./results";

let level: u32 = 0;
let levelTurn: u32 = 0;
let isLevelKnown: bool = false;

/** Messages to the host's log. A message below the host's level never leaves the guest. */
export namespace log {
  /**
   * Whether `wanted` would be written. Ask before building a message from parts: making the text
   * costs more than the call. The host is asked once per outermost callback.
   */
  export function enabled(wanted: LogLevel): bool {
    const turn = callbackTurn();
    if (!isLevelKnown || levelTurn != turn) {
      // During start-up a host may not answer: then everything is sent and the host decides.
      level = proxy_get_log_level(OUT) == 0 ? load<u32>(OUT) : 0;
      levelTurn = turn;
      isLevelKnown = true;
    }
    return <u32>wanted >= level;
  }

  export function trace(message: string): void {
    write(LogLevel.Trace, message);
  }

  export function debug(message: string): void {
    write(LogLevel.Debug, message);
  }

  export function info(message: string): void {
    write(LogLevel.Info, message);
  }

  export function warn(message: string): void {
    write(LogLevel.Warn, message);
  }

  export function error(message: string): void {
    write(LogLevel.Error, message);
  }

  export function critical(message: string): void {
    write(LogLevel.Critical, message);
  }

  /**
   * A line for machines: the message, then ` name=value` for each pair of the flat list, [name, value,
   * ...]. A value with a space, `=`, a quotation mark or a control character is quoted, and those are
   * escaped, so that no value can end the line or make up another pair. Nothing is built when the
   * level is off.
   */
  export function kv(wanted: LogLevel, message: string, pairs: string[]): void {
    if (!enabled(wanted)) return;
    let line = message;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      line += " " + logValue(pairs[i]) + "=" + logValue(pairs[i + 1]);
    }
    write(wanted, line);
  }

  function write(wanted: LogLevel, message: string): void {
    if (!enabled(wanted)) return;
    const start = encodeUtf8(message);
    proxy_log(wanted, start, encodedLength());
  }
}
