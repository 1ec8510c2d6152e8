// Where the processes of a base id meet: a unix socket in a folder of the user's own. Used by
// takeover-offer.ts and predecessor.ts.
import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelPath } from "../engine-node/addresses.ts";
import { removeStaleSocket } from "./shared-sockets.ts";

/** 107 characters are what the kernel takes as a socket's path. */
const PATH_BYTES_MAX = 107;

export interface TakeoverAddress {
  /** "@name" = abstract: without a file, and open to every user of the network namespace. */
  readonly path: string;
  /** Of the socket's file, octal. */
  readonly mode: number;
}

/** `socketPath` is --socket-path, "" = a folder that only this user may enter. */
export function takeoverAddress(baseId: number, socketPath: string, mode: number): TakeoverAddress {
  const path =
    socketPath === ""
      ? join(tmpdir(), `headgate-${process.getuid?.() ?? 0}`, `base-${baseId}.sock`)
      : `${socketPath}_${baseId}`;
  return { path, mode };
}

/** What is wrong with the place; "" = nothing. Makes the folder of the default place. */
export function prepareFolder(address: TakeoverAddress, socketPath: string): string {
  if (Buffer.byteLength(address.path) > PATH_BYTES_MAX) {
    return `${address.path} is longer than ${PATH_BYTES_MAX} bytes`;
  }
  if (socketPath !== "") return "";
  const folder = join(address.path, "..");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    const isOurs = lstatSync(folder).isDirectory() && uid === (process.getuid?.() ?? uid);
    // Somebody else could stand in for the process that runs, or tell it to drain.
    return isOurs && (mode & 0o077) === 0 ? "" : `${folder} is not a folder of this user alone`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Null when nobody listens there. Rejects when there is no telling. */
export function connectTo(address: TakeoverAddress): Promise<Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(kernelPath(address.path));
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(null);
      else reject(error);
    });
  });
}

/** Rejects; with the code EADDRINUSE when another process listens there. */
export async function listenAt(server: Server, address: TakeoverAddress): Promise<void> {
  try {
    await listenOnce(server, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    const other = await connectTo(address);
    other?.destroy();
    if (other !== null || address.path.startsWith("@")) throw error;
    // A process that was killed left its file.
    removeStaleSocket(address.path);
    await listenOnce(server, address);
  }
}

function listenOnce(server: Server, { path, mode }: TakeoverAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(kernelPath(path), () => {
      server.off("error", reject);
      if (!path.startsWith("@")) chmodSync(path, mode);
      resolve();
    });
  });
}
