// A guest for tests of TCP filters: asks a cluster whether the connection may be, reads and changes
// bytes both ways.
import {
  Action,
  Body,
  Configuration,
  log,
  NetworkFilter,
  PeerType,
  Plugin,
  property,
  registerPlugin,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export * from "@headgate/sdk-assemblyscript/exports/network";
export { proxy_on_http_call_response } from "@headgate/sdk-assemblyscript/exports/plugin";

const source = property("source", "address");

class Config {
  constructor(readonly cluster: string) {}
}

class Tcp extends Plugin<Config> {
  override configure(source: Configuration): Config | null {
    return new Config(source.text());
  }

  override createNetworkFilter(): NetworkFilter<Config> | null {
    return new TcpFilter();
  }
}

class TcpFilter extends NetworkFilter<Config> {
  private isAsked: bool = false;

  override onNewConnection(): Action {
    if (this.config.cluster == "") return Action.Continue;
    const peer = source.text();
    this.isAsked = true;
    return this.call(this.config.cluster)
      .get("/allowed")
      .header("x-peer", peer === null ? "" : peer)
      .send(this, (self, response) => {
        log.info(`asked ${response.ok} ${response.status}`);
        self.isAsked = false;
        if (response.ok && response.status == 200) return Action.Continue;
        self.close();
        return Action.Pause;
      });
  }

  /** A line is sent on when it is whole, with its length in front. */
  override onDownstreamData(data: Body, endOfStream: bool): Action {
    // Bytes come here though the connection waits; when it goes on they are not shown again.
    if (this.isAsked) return Action.Pause;
    const text = data.text();
    if (text === null) return Action.Continue;
    if (!endOfStream && !text.endsWith("\n")) return Action.Pause;
    if (text.startsWith("quit")) {
      data.clear();
      this.close();
      return Action.Continue;
    }
    data.prependText(`${data.length}:`);
    return Action.Continue;
  }

  override onUpstreamData(data: Body, endOfStream: bool): Action {
    const bytes = data.bytes(0, 1);
    if (bytes !== null && bytes.length == 1) data.append(bytes);
    return Action.Continue;
  }

  override onDownstreamClose(peer: PeerType): void {
    log.info(`downstream closed ${<i32>peer}`);
  }

  override onUpstreamClose(peer: PeerType): void {
    log.info(`upstream closed ${<i32>peer}`);
  }
}

registerPlugin("", () => new Tcp());
