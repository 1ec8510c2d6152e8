// Kept connections that ask one request after the other until so many are answered; every answer is
// looked at whole.
import net from "node:net";

const REQUEST = "GET /s HTTP/1.1\r\nhost: million\r\nuser-agent: million\r\n\r\n";
/** An answer that is not as it should be is shown, but not all of them. */
const SHOWN_MAX = 5;

export class Clients {
  readonly #port: number;
  readonly #wanted: number;
  readonly #isRight: (answer: string) => boolean;
  asked = 0;
  answered = 0;
  failed = 0;
  readonly shown: string[] = [];

  /** `isRight` gets head and body; the body of an answer ends with its last chunk. */
  constructor(port: number, wanted: number, isRight: (answer: string) => boolean) {
    this.#port = port;
    this.#wanted = wanted;
    this.#isRight = isRight;
  }

  async run(connections: number): Promise<void> {
    await Promise.all(Array.from({ length: connections }, () => this.#connection()));
  }

  #connection(): Promise<void> {
    return new Promise((resolve) => {
      const socket = net.connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
      let text = "";
      let isWaiting = false;
      const ask = (): void => {
        if (this.asked === this.#wanted) {
          socket.end();
          return;
        }
        this.asked += 1;
        isWaiting = true;
        socket.write(REQUEST);
      };
      socket.on("connect", ask);
      socket.on("error", (error) => this.#fail(String(error)));
      socket.on("close", () => {
        if (isWaiting) this.#fail(`the connection ended: ${text}`);
        resolve();
      });
      socket.setEncoding("latin1").on("data", (part: string) => {
        text += part;
        if (!text.endsWith("\r\n0\r\n\r\n")) return;
        isWaiting = false;
        this.answered += 1;
        if (!this.#isRight(text)) this.#fail(text);
        text = "";
        ask();
      });
    });
  }

  #fail(what: string): void {
    this.failed += 1;
    if (this.shown.length < SHOWN_MAX) this.shown.push(what);
  }
}
