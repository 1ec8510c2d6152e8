// Servers behind the clusters that guests call (../abi/clusters.ts), on free ports, for a whole run.
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { type ClusterFacts, clusters, judged, mirrored } from "../abi/clusters.ts";

type Answer = Extract<ClusterFacts["answer"], object>;

export class CalloutServers {
  /** Ports by cluster; a cluster that refuses has none. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #servers: readonly Server[];
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(
    ports: ReadonlyMap<string, number>,
    servers: readonly Server[],
    sockets: ReadonlySet<Socket>,
  ) {
    this.ports = ports;
    this.#servers = servers;
    this.#sockets = sockets;
  }

  static async start(): Promise<CalloutServers> {
    const ports = new Map<string, number>();
    const servers: Server[] = [];
    const sockets = new Set<Socket>();
    for (const [name, facts] of Object.entries(clusters)) {
      if (facts.answer === "refuse") continue;
      const server = facts.kind === "grpc" ? grpcServer(facts) : httpServer(facts);
      server.on("connection", (socket: Socket) => {
        sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ports.set(name, (server.address() as AddressInfo).port);
      servers.push(server);
    }
    return new CalloutServers(ports, servers, sockets);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await Promise.all(closed);
  }
}

function httpServer({ answer }: ClusterFacts): Server {
  return http.createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString("latin1");
    });
    request.on("end", () => {
      if (answer === "mirror") {
        const { method = "", url = "", headers, trailers } = request;
        const ask = String(headers["x-ask"] ?? "");
        response.end(mirrored(method, url, headers.host ?? "", ask, body, trailers["t"] ?? ""));
      } else if (answer === "judge") {
        const { url = "", headers } = request;
        const { status, headers: own, body: text } = judged(url, headers.authorization ?? "");
        response.writeHead(status, own).end(text);
      } else if (answer === "cut") {
        response.writeHead(200, { "content-length": 100 });
        response.write("a part", () => response.destroy());
      } else if (typeof answer === "object") {
        const { trailers } = answer;
        response.writeHead(answer.status, {
          ...answer.headers,
          ...(trailers === undefined ? {} : { trailer: Object.keys(trailers).join() }),
        });
        response.write(answer.body ?? "");
        if (trailers !== undefined) response.addTrailers(trailers);
        response.end();
      }
    });
  });
}

/** What is sent comes back, message by message; the status comes when the guest has sent all. */
function grpcServer({ answer }: ClusterFacts): Server {
  const server = http2.createServer();
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    if (typeof answer !== "object") {
      stream.resume();
      return;
    }
    answerGrpc(stream, answer);
  });
  return server as unknown as Server;
}

function answerGrpc(stream: http2.ServerHttp2Stream, answer: Answer): void {
  const isGood = answer.status === 0;
  const head = { ":status": 200, "content-type": "application/grpc", ...answer.headers };
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => {
    const message = answer.body === undefined ? {} : { "grpc-message": answer.body };
    stream.sendTrailers({ "grpc-status": String(answer.status), ...message, ...answer.trailers });
  });
  // Messages keep their five bytes of head: they come back as they came.
  stream.on("data", (part: Buffer) => {
    if (isGood) stream.write(part);
  });
  stream.on("end", () => stream.end());
}
