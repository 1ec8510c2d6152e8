// Cases about tunnels: what a client sends behind an upgrade or CONNECT belongs to nobody until the answer
// is there, and lengths in heads of tunnels mean nothing.
import { head, SECOND } from "./case.ts";

/** Listeners of tunnels.test.ts. */
export type TunnelSite = "upgrades" | "connect" | "ended";

export interface TunnelCase {
  readonly id: string;
  /** What the trick is, and what a wrong reading of it would do. */
  readonly why: string;
  readonly site: TunnelSite;
  /** The client's head; `behind` follows in the same write. */
  readonly ask: string;
  readonly behind: string;
  /** What the upstream says to the head, or to the first bytes at site "ended". */
  readonly reply: string;
  /** Of what follows the head, what the upstream may get: all of it, or nothing. */
  readonly passes: boolean;
  readonly status: number;
  /** What the client gets behind the final head of the answer; null = an error page of ours. */
  readonly body: string | null;
  /** Names that the answer must not have. */
  readonly without: readonly string[];
}

const upgrade = (...lines: readonly string[]): string =>
  head("GET /chat HTTP/1.1", "Host: h", "Connection: Upgrade", "Upgrade: websocket", ...lines);
const connect = (...lines: readonly string[]): string =>
  head("CONNECT h:80 HTTP/1.1", "Host: h:80", ...lines);
const switched = (...lines: readonly string[]): string =>
  head("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", ...lines);

const LENGTHS = ["content-length", "transfer-encoding"] as const;

type More = Partial<Omit<TunnelCase, "id" | "why" | "reply">>;

function open(site: TunnelSite, id: string, why: string, reply: string, more: More): TunnelCase {
  const ask = site === "upgrades" ? upgrade() : connect();
  const status = site === "upgrades" ? 101 : 200;
  const base = { ask, status, behind: SECOND, passes: true, body: "", without: LENGTHS };
  return { ...base, site, id, why, reply, ...more };
}

function shut(site: TunnelSite, id: string, why: string, reply: string, more: More): TunnelCase {
  const ask = site === "upgrades" ? upgrade() : connect();
  const base = { ask, behind: SECOND, passes: false, status: 502, body: null, without: [] };
  return { ...base, site, id, why, reply, ...more };
}

const FORGED = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";

export const tunnels: readonly TunnelCase[] = [
  open("upgrades", "t-101", "what was sent early is the tunnel's", switched(), {}),
  open("upgrades", "t-101-bytes", "and so is what the upstream says at once", `${switched()}hi`, {
    body: "hi",
  }),
  open(
    "upgrades",
    "t-101-length-0",
    "a length of 0 says nothing",
    switched("Content-Length: 0"),
    {},
  ),
  open("upgrades", "t-101-forged", "a response in the tunnel is bytes", switched() + FORGED, {
    body: FORGED,
  }),
  open(
    "upgrades",
    "t-100-101",
    "after an interim response",
    `${head("HTTP/1.1 100 Continue")}${switched()}x`,
    {
      body: "x",
    },
  ),
  open(
    "upgrades",
    "t-ask-length",
    "a length in the request frames nothing (as Envoy)",
    switched(),
    {
      ask: upgrade("Content-Length: 5"),
      behind: "helloGET /x HTTP/1.1\r\n\r\n",
    },
  ),
  open("upgrades", "t-ask-chunked", "nor do chunks", switched(), {
    ask: upgrade("Transfer-Encoding: chunked"),
    behind: `0\r\n\r\n${SECOND}`,
  }),
  shut(
    "upgrades",
    "t-101-length",
    "a 101 with a body: bytes that are read in two ways",
    `${switched("Content-Length: 6")}forged`,
    {},
  ),
  shut(
    "upgrades",
    "t-101-chunked",
    "or with chunks",
    `${switched("Transfer-Encoding: chunked")}0\r\n\r\n${FORGED}`,
    {},
  ),
  shut(
    "upgrades",
    "t-101-no-upgrade",
    "a 101 that names no protocol",
    head("HTTP/1.1 101 OK", "Connection: Upgrade") + FORGED,
    {},
  ),
  shut(
    "upgrades",
    "t-101-no-connection",
    "nor says it in Connection",
    head("HTTP/1.1 101 OK", "Upgrade: websocket") + FORGED,
    {},
  ),
  shut(
    "upgrades",
    "t-200",
    "an upstream that goes on with HTTP (RFC 9110, 7.8)",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2")}no${FORGED}`,
    {
      status: 200,
      // As Envoy: a WebSocket that gets no 101 is answered with the headers alone.
      body: "",
    },
  ),
  shut(
    "upgrades",
    "t-403",
    "a refusal, and a request behind it",
    `${head("HTTP/1.1 403 No", "Content-Length: 2")}no${FORGED}`,
    {
      status: 403,
      body: "no",
    },
  ),
  shut(
    "upgrades",
    "t-426",
    "a refusal that names protocols is no tunnel",
    head("HTTP/1.1 426 No", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2") +
      `no${FORGED}`,
    {
      status: 426,
      body: "no",
    },
  ),
  shut(
    "upgrades",
    "t-403-until-close",
    "nor one without a length",
    `${head("HTTP/1.1 403 No", "Connection: close")}no`,
    {
      status: 403,
      body: "2\r\nno\r\n0\r\n\r\n",
    },
  ),
  open(
    "connect",
    "t-connect",
    "CONNECT: what was sent early is the tunnel's",
    head("HTTP/1.1 200 OK"),
    {},
  ),
  open(
    "connect",
    "t-connect-length",
    "a length of a 2xx says nothing (RFC 9110, 9.3.6)",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2")}hello`,
    {
      body: "hello",
    },
  ),
  open(
    "connect",
    "t-connect-chunked",
    "nor do chunks",
    `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n${FORGED}`,
    {
      body: `5\r\nhello\r\n0\r\n\r\n${FORGED}`,
    },
  ),
  open("connect", "t-connect-201", "every 2xx opens it", `${head("HTTP/1.1 201 Created")}x`, {
    status: 201,
    body: "x",
  }),
  open("connect", "t-connect-ask-0", "a CONNECT of length 0", head("HTTP/1.1 200 OK"), {
    ask: connect("Content-Length: 0"),
  }),
  shut(
    "connect",
    "t-connect-403",
    "refused, with a request behind it",
    `${head("HTTP/1.1 403 No", "Content-Length: 2")}no${FORGED}`,
    {
      status: 403,
      body: "no",
    },
  ),
  shut(
    "connect",
    "t-connect-302",
    "a 3xx opens nothing",
    `${head("HTTP/1.1 302 Found", "Location: /", "Content-Length: 0")}${FORGED}`,
    {
      status: 302,
      body: "",
    },
  ),
  shut("connect", "t-connect-101", "nor does a 101", switched() + FORGED, {}),
  shut("connect", "t-connect-length-5", "a CONNECT with a body", head("HTTP/1.1 200 OK"), {
    ask: connect("Content-Length: 5"),
    behind: `hello${SECOND}`,
    status: 400,
  }),
  shut("connect", "t-connect-te", "or with chunks", head("HTTP/1.1 200 OK"), {
    ask: connect("Transfer-Encoding: chunked"),
    behind: `0\r\n\r\n${SECOND}`,
    status: 400,
  }),
  open("ended", "t-ended", "a tunnel that ends here has the client's bytes alone", "raw", {
    body: "raw",
  }),
  open("ended", "t-ended-forged", "what looks like a response is bytes", FORGED, { body: FORGED }),
  open("ended", "t-ended-head", "what looks like a CONNECT is bytes", "x", {
    behind: connect(),
    body: "x",
  }),
  shut("ended", "t-ended-length", "a CONNECT with a body", "x", {
    ask: connect("Content-Length: 5"),
    behind: `hello${SECOND}`,
    status: 400,
  }),
];
