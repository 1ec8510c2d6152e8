import { renameSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Schema } from "../config/schema.ts";
import type { DynamicSecret, TlsSecret } from "../config/snapshot.ts";
import { boot, translate } from "../config/translate/bootstrap-for-test.ts";
import type { Fields } from "../config/translate/bootstrap-for-test.ts";
import type { SecretNeed } from "../config/translate/secret-need.ts";
import { CertificateFiles, chainOf } from "../config/translate/tls-for-test.ts";
import { StatsAggregate } from "../stats/aggregate.ts";
import { TlsSecrets } from "./tls-secrets.ts";

const schema = Schema.open();
const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const node = { id: "n", cluster: "c" };

let world: World;
beforeEach(async () => {
  world = new World();
  await world.files.make("one");
  await world.files.make("two");
});
afterEach(() => world.end());

/** Secrets as the main thread has them, with real files; changes are done when the test waits. */
class World {
  readonly files: CertificateFiles = new CertificateFiles();
  readonly stats: StatsAggregate = new StatsAggregate();
  readonly applied: (readonly DynamicSecret[])[] = [];
  readonly logged: string[] = [];
  readonly secrets: TlsSecrets;
  problems: readonly string[] = [];
  #queue: Promise<void> = Promise.resolve();
  #onChange: () => void = () => {};

  constructor() {
    this.secrets = new TlsSecrets({
      stats: this.stats,
      ignoreUnsupported: false,
      applySecrets: (secrets) => {
        if (this.problems.length === 0) this.applied.push(secrets);
        return Promise.resolve(this.problems);
      },
      context: {
        schema,
        logger: {
          level: 0,
          log: (_level: number, text: string) => this.logged.push(text),
        } as never,
        rejectUnknownFields: false,
        onUnknownFields: () => {},
        enqueue: (change) => {
          this.#queue = this.#queue.then(change).then(() => this.#onChange());
        },
      },
    });
  }

  /** Resolves when a change was done after which `isDone`. */
  async until(isDone: () => boolean): Promise<void> {
    if (isDone()) return;
    await new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (isDone()) resolve();
      };
    });
  }

  sds(version: string, ...resources: readonly Fields[]): void {
    const typed = resources.map((one) => ({ "@type": SECRET, ...one }));
    this.put("sds.json", JSON.stringify({ version_info: version, resources: typed }));
  }

  put(name: string, content: string): void {
    renameSync(this.files.write(`${name}.next`, content), this.files.path(name));
  }

  source(name: string): Fields {
    const path_config_source = { path: this.files.path("sds.json") };
    return { name, sds_config: { path_config_source } };
  }

  async use(common: Fields): Promise<readonly SecretNeed[]> {
    const { listeners } = await translate(boot({ ...chainOf(common), bootstrap: { node } }));
    await this.secrets.ensure(listeners);
    this.secrets.retain(listeners);
    this.#users = listeners;
    return listeners.flatMap(({ secrets }) => secrets);
  }

  #users: Parameters<TlsSecrets["secrets"]>[0] = [];

  get values(): readonly (TlsSecret | null)[] {
    return this.secrets.secrets(this.#users).map(({ value }) => value);
  }

  count(name: string): number {
    for (const stat of this.stats.scalars()) if (stat.name === name) return stat.value;
    return Number.NaN;
  }

  end(): void {
    this.secrets.close();
    this.files.remove();
  }
}

function chainPem(secret: TlsSecret | null | undefined): string {
  return secret?.kind === "certificate" ? secret.certificate.chainPem : "";
}

test("a secret of SDS is there after the start, and another one with another file", async () => {
  const { files } = world;
  world.sds("v1", { name: "s", tls_certificate: files.pair("one") });
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  expect(world.values.map(chainPem)).toEqual([files.get("one").pem]);
  world.sds("v2", { name: "s", tls_certificate: files.pair("two") });
  await world.until(() => world.applied.length > 0);
  expect(chainPem(world.applied[0]?.[0]?.value)).toBe(files.get("two").pem);
  expect(world.values.map(chainPem)).toEqual([files.get("two").pem]);
  expect(world.count("sds.s.update_success")).toBe(2);
});

test("files that SDS names are watched without more ado", async () => {
  const { files } = world;
  world.sds("v1", { name: "s", tls_certificate: files.pair("one") });
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  world.put("one.pem", files.get("two").pem);
  await world.until(() => world.count("sds.s.key_rotation_failed") > 0);
  expect(world.applied).toEqual([]);
  expect(world.logged.at(-1)).toMatch(
    /the files of the TLS secret s are refused, nothing changed: .*sds\.json:1:\d+: sds\.resources\[0\]\.tls_certificate\.private_key: found the key of another certificate/,
  );
  world.put("one.key", files.get("two").keyPem);
  await world.until(() => world.applied.length > 0);
  expect(world.values.map(chainPem)).toEqual([files.get("two").pem]);
});

test("a response that is no good changes nothing", async () => {
  const { files } = world;
  world.sds("v1", { name: "s", tls_certificate: files.pair("one") });
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  const bad: readonly [readonly Fields[], string][] = [
    [[], "Missing SDS resources for s"],
    [[{ name: "other", tls_certificate: files.pair("one") }], "(expecting s): other"],
    [[{ name: "s", validation_context: {} }], "found validation_context, expected tls_certificate"],
    [[{ name: "s", tls_certificate: files.pair("one", "two") }], "the key of another certificate"],
  ];
  for (const [at, [resources, words]] of bad.entries()) {
    world.sds(`bad ${at}`, ...resources);
    await world.until(() => world.count("sds.s.update_rejected") > at);
    expect(world.logged.at(-1)).toContain(words);
  }
  expect(world.applied).toEqual([]);
  expect(world.values.map(chainPem)).toEqual([files.get("one").pem]);
});

test("one that does not come is missing until it does", async () => {
  world.sds("v0");
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  expect(world.values).toEqual([null]);
  expect(world.secrets.sdsStates()).toEqual([{ name: "s", inForce: null }]);
  world.sds("v1", { name: "s", tls_certificate: world.files.pair("one") });
  await world.until(() => world.applied.length > 0);
  expect(world.values.map(chainPem)).toEqual([world.files.get("one").pem]);
});

test("a validation context is laid over the default of each user", async () => {
  const { files } = world;
  const own = { verify_certificate_hash: ["a".repeat(64)], only_verify_leaf_cert_crl: true };
  world.sds("v1", {
    name: "v",
    validation_context: {
      trusted_ca: files.file("one.pem"),
      verify_certificate_hash: ["b".repeat(64)],
    },
  });
  await world.use({
    tls_certificates: [files.pair("one")],
    combined_validation_context: {
      default_validation_context: own,
      validation_context_sds_secret_config: world.source("v"),
    },
  });
  expect(world.values).toMatchObject([
    {
      kind: "validation",
      validation: {
        name: "v",
        trustedCaPem: files.get("one").pem,
        certificateHashes: ["a".repeat(64), "b".repeat(64)],
        onlyVerifiesLeafCrl: true,
      },
    },
  ]);
});

test("files of the configuration are watched when a directory is named", async () => {
  const { files } = world;
  const watched_directory = { path: files.folder };
  await world.use({ tls_certificates: [{ ...files.pair("one"), watched_directory }] });
  expect(world.values.map(chainPem)).toEqual([files.get("one").pem]);
  world.put("one.key", files.get("two").keyPem);
  world.put("one.pem", files.get("two").pem);
  await world.until(() => world.applied.length > 0);
  expect(world.values.map(chainPem)).toEqual([files.get("two").pem]);
});

test("what workers refuse is not kept", async () => {
  const { files } = world;
  world.sds("v1", { name: "s", tls_certificate: files.pair("one") });
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  world.problems = ["no"];
  world.sds("v2", { name: "s", tls_certificate: files.pair("two") });
  await world.until(() => world.count("sds.s.update_rejected") > 0);
  expect(world.values.map(chainPem)).toEqual([files.get("one").pem]);
});

test("nothing is watched for users that are gone", async () => {
  world.sds("v1", { name: "s", tls_certificate: world.files.pair("one") });
  await world.use({ tls_certificate_sds_secret_configs: [world.source("s")] });
  await world.use({ tls_certificates: [world.files.pair("one")] });
  expect(world.secrets.sdsStates()).toEqual([]);
});
