// Clusters that guests of the suite may call, the same for all cases: adapters make servers from them.

export interface ClusterFacts {
  readonly kind: "http" | "grpc";
  /**
   * What comes. "cut": a response that breaks off, "refuse": there is no host, so that the call fails
   * at once, "never": nothing, "mirror": a body that says what was asked, see `mirrored`, "judge": see
   * `judged`.
   */
  readonly answer:
    | "cut"
    | "judge"
    | "mirror"
    | "refuse"
    | "never"
    | {
        /** Of HTTP, or of gRPC. */
        readonly status: number;
        readonly headers?: Readonly<Record<string, string>>;
        /** Of gRPC: the status's message; what is sent comes back before. */
        readonly body?: string;
        readonly trailers?: Readonly<Record<string, string>>;
      };
}

export const clusters: Readonly<Record<string, ClusterFacts>> = {
  up: {
    kind: "http",
    answer: { status: 201, headers: { a: "b" }, body: "answer", trailers: { t: "1" } },
  },
  plain: { kind: "http", answer: { status: 200, headers: { a: "b" }, body: "xyz" } },
  auth: { kind: "http", answer: "judge" },
  mirror: { kind: "http", answer: "mirror" },
  broken: { kind: "http", answer: "cut" },
  refusing: { kind: "http", answer: "refuse" },
  silent: { kind: "http", answer: "never" },
  echo: {
    kind: "grpc",
    answer: { status: 0, headers: { a: "b" }, trailers: { t: "1", u: "2" } },
  },
  failing: { kind: "grpc", answer: { status: 7, body: "no" } },
  denied: { kind: "grpc", answer: { status: 16, body: "denied" } },
  mute: { kind: "grpc", answer: "never" },
};

/** What a cluster that mirrors answers: "POST /path authority, x-ask: 1, body: text, t: 1". */
export function mirrored(
  method: string,
  path: string,
  authority: string,
  ask: string,
  body: string,
  trailer: string,
): string {
  return `${method} ${path} ${authority}, x-ask: ${ask}, body: ${body}, t: ${trailer}`;
}

/** What a cluster that judges answers: whoever is good, or whatever is open. */
export function judged(
  path: string,
  authorization: string,
): { status: number; headers: Readonly<Record<string, string>>; body: string } {
  return authorization === "good" || path.startsWith("/gate/open")
    ? { status: 200, headers: { "x-auth-user": "ann", "x-gate": "open" }, body: "welcome" }
    : { status: 401, headers: { "www-authenticate": "Basic" }, body: "who?" };
}
