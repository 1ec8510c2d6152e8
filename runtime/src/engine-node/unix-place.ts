// The file of a unix listener. With publishLater it is bound under a name beside its place and
// renamed, so that at each moment somebody listens there, be it the listener before. Used by both
// kinds of listeners.
import { lstatSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** What the kernel takes, less the NUL at the end. */
const PATH_BYTES_MAX = 107;

let lastNumber = 0;

export class UnixPlace {
  /** The name to bind; libuv removes it when the listener closes, whoever has it then. */
  readonly bindPath: string;
  readonly #path: string;
  /** Inode of our file in its place; 0 = it is not there. */
  #inode: number = 0;

  readonly #replaces: boolean;

  /** `path` as in the contract: "@name" is abstract and has no file. */
  constructor(path: string, publishLater: boolean) {
    this.#path = path;
    this.#replaces = publishLater && !path.startsWith("@");
    this.bindPath = this.#replaces ? nameBeside(path) : path;
  }

  /** "" or the error's name: what is there and is no socket stays. */
  check(): string {
    if (!this.#replaces) return "";
    try {
      if (!lstatSync(this.#path).isSocket()) return "EADDRINUSE";
      if (this.bindPath === this.#path) rmSync(this.#path);
    } catch {
      // Nothing is there, or bind() will say what is wrong.
    }
    return "";
  }

  /** From now on clients find this listener. "" or the error's name. */
  publish(): string {
    if (this.#inode !== 0 || !this.#replaces) return "";
    try {
      const { ino } = lstatSync(this.bindPath);
      if (this.bindPath !== this.#path) renameSync(this.bindPath, this.#path);
      this.#inode = ino;
    } catch (error) {
      const code: unknown = Reflect.get(error as Error, "code");
      return typeof code === "string" ? code : "EIO";
    }
    return "";
  }

  /** The listener is closed: its file goes, unless a successor's stands there. */
  remove(): void {
    if (this.#inode === 0) return;
    try {
      if (lstatSync(this.#path).ino === this.#inode) rmSync(this.#path);
    } catch {
      // It is gone already.
    }
    this.#inode = 0;
  }
}

/** The path itself when there is no room for another name. */
function nameBeside(path: string): string {
  lastNumber += 1;
  const mark = `${process.pid.toString(36)}-${lastNumber}-${randomMark()}`;
  for (const name of [`${path}.${mark}`, join(dirname(path), `.${mark}`)]) {
    if (Buffer.byteLength(name) <= PATH_BYTES_MAX) return name;
  }
  return path;
}

/** Several threads number their listeners, each from 1. */
function randomMark(): string {
  return Math.floor(Math.random() * 2 ** 31).toString(36);
}
