// Stands in front of a server with a protocol of lines (Redis' inline commands, SMTP and the like): only
// lines with an allowed command go on, whole; anything else ends the connection.
import {
  Action,
  asciiLower,
  Body,
  counters,
  log,
  NetworkFilter,
  PeerType,
  property,
} from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** In small letters; clients may write them as they like. */
  @required @minLength(1) @pattern("^[a-z]+$") commands: string[];
  @bytes("1KiB") @range("16B", "64KiB") lineBytesMax: u32;
}

const lines = counters("tcp_filter.lines", ["result"]);
const source = property("source", "address");

/** One of these lives as long as one connection. */
@filter
class TcpFilter extends NetworkFilter<Config> {
  override onDownstreamData(data: Body, endOfStream: bool): Action {
    const text = data.text();
    if (text === null) return Action.Continue;
    const end = text.lastIndexOf("\n") + 1;
    let from = 0;
    while (from < end) {
      const next = text.indexOf("\n", from) + 1;
      if (!this.isAllowed(text.substring(from, next))) return this.refuse("denied");
      from = next;
    }
    const rest = text.length - end;
    if (<u32>rest > this.config.lineBytesMax) return this.refuse("too_long");
    if (rest == 0) return Action.Continue;
    // A line that the client's end cuts off is none.
    if (endOfStream) return this.refuse("cut_off");
    // The proxy keeps all of it, and shows it again with what comes.
    return Action.Pause;
  }

  override onDownstreamClose(peer: PeerType): void {
    log.debug("closed by " + (peer == PeerType.Remote ? "the client" : "us or the upstream"));
  }

  private isAllowed(line: string): bool {
    if (<u32>line.length > this.config.lineBytesMax) return false;
    const blank = line.indexOf(" ");
    const command = (blank < 0 ? line : line.substring(0, blank)).trim();
    const isAllowed = this.config.commands.includes(asciiLower(command));
    if (isAllowed) lines.with(["passed"]).increment();
    return isAllowed;
  }

  private refuse(why: string): Action {
    lines.with([why]).increment();
    const address = source.text();
    log.info("connection of " + (address === null ? "?" : address) + " refused: " + why);
    this.close();
    return Action.Pause;
  }
}
