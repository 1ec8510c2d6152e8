import { afterAll, beforeAll, expect, test } from "vitest";
import type { DynamicSecret, Snapshot } from "../config/snapshot.ts";
import { boot, cluster, translate } from "../config/translate/bootstrap-for-test.ts";
import type { Fields } from "../config/translate/bootstrap-for-test.ts";
import { CertificateFiles, chainOf, clusterWith } from "../config/translate/tls-for-test.ts";
import { makeOcspResponse } from "../../test/ocsp-response.ts";
import { StatsAggregate } from "../stats/aggregate.ts";
import { CertificateBook } from "./certificate-book.ts";

const files = new CertificateFiles();
const NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const node = { id: "n", cluster: "c" };

beforeAll(async () => {
  const authority = await files.make("authority", {
    isAuthority: true,
    notAfter: new Date("2026-01-31T12:00:00Z"),
    serial: "0a01",
  });
  const names = {
    dnsNames: ["a.example"],
    uris: ["spiffe://x/a"],
    ipAddresses: ["10.0.0.1"],
    emails: ["a@b"],
  };
  const notAfter = new Date("2027-01-01T00:00:00Z");
  await files.make("server", { issuer: authority, serial: "0b02", notAfter, ...names });
});
afterAll(() => files.remove());

async function snapshotOf(common: Fields, upstream: Fields = {}): Promise<Snapshot> {
  const clusters = [cluster(upstream)];
  const parts = { ...chainOf(common), clusters, bootstrap: { node } };
  const listener = { stat_prefix: "front" };
  return (await translate(boot({ ...parts, listener }))).snapshot;
}

class Book {
  readonly stats: StatsAggregate = new StatsAggregate();
  readonly book: CertificateBook = new CertificateBook(this.stats.store);

  value(name: string): number | undefined {
    for (const stat of this.stats.scalars()) if (stat.name === name) return stat.value;
    return undefined;
  }
}

const own = (): Fields => ({
  tls_certificates: [files.pair("server")],
  validation_context: { trusted_ca: files.file("authority.pem") },
});

test("certificates are told in Envoy's form", async () => {
  const { book } = new Book();
  book.update(await snapshotOf(own()));
  expect(book.certificates(NOW_MS)).toEqual([
    {
      ca_cert: [
        {
          path: files.path("authority.pem"),
          serial_number: "0a01",
          subject_alt_names: [],
          days_until_expiration: "30",
          valid_from: "2020-01-01T00:00:00Z",
          expiration_time: "2026-01-31T12:00:00Z",
        },
      ],
      cert_chain: [
        {
          path: files.path("server.pem"),
          serial_number: "0b02",
          subject_alt_names: [
            { dns: "a.example" },
            { uri: "spiffe://x/a" },
            { ip_address: "10.0.0.1" },
          ],
          days_until_expiration: "365",
          valid_from: "2020-01-01T00:00:00Z",
          expiration_time: "2027-01-01T00:00:00Z",
        },
      ],
    },
  ]);
});

test("an OCSP response is told with its times", async () => {
  const validFrom = new Date("2025-12-31T00:00:00Z");
  const nextUpdate = new Date("2026-01-07T00:00:00Z");
  const response = makeOcspResponse([files.get("server")], { thisUpdate: validFrom, nextUpdate });
  files.write("server.ocsp", response);
  const certificate = { ...files.pair("server"), ocsp_staple: files.file("server.ocsp") };
  const { book } = new Book();
  expect(book.secondsUntilOcspExpiry(NOW_MS)).toBeNull();
  book.update(await snapshotOf({ tls_certificates: [certificate] }));
  expect(book.secondsUntilOcspExpiry(NOW_MS)).toBe(6 * 24 * 3600);
  expect(book.secondsUntilOcspExpiry(NOW_MS + 30 * 24 * 3_600_000)).toBe(0);
  expect(book.certificates(NOW_MS)).toMatchObject([
    {
      ca_cert: [],
      cert_chain: [
        {
          ocsp_details: {
            valid_from: "2025-12-31T00:00:00Z",
            expiration: "2026-01-07T00:00:00Z",
          },
        },
      ],
    },
  ]);
});

test("gauges say when they expire, and the first of all by days", async () => {
  const { book, value } = bookAndValue();
  expect(book.daysUntilExpiry(NOW_MS)).toBeNull();
  book.update(await snapshotOf(own(), clusterWith({ common_tls_context: own() })));
  const at = Date.parse("2027-01-01T00:00:00Z") / 1000;
  const caAt = Date.parse("2026-01-31T12:00:00Z") / 1000;
  for (const scope of ["listener.front", "cluster.up"]) {
    const certificate = `${scope}.ssl.certificate`;
    expect(value(`${certificate}.unnamed_cert_e3b0c442.expiration_unix_time_seconds`)).toBe(at);
    expect(value(`${certificate}.unnamed_ca_cert_e3b0c442.expiration_unix_time_seconds`)).toBe(
      caAt,
    );
  }
  expect(book.daysUntilExpiry(NOW_MS)).toBe(30);
  expect(book.daysUntilExpiry(Date.parse("2028-01-01T00:00:00Z"))).toBe(0);
});

function bookAndValue(): { book: CertificateBook; value: (name: string) => number | undefined } {
  const made = new Book();
  return { book: made.book, value: (name) => made.value(name) };
}

test("secrets that come are counted, named, and missing until then", async () => {
  const { book, value } = bookAndValue();
  const path_config_source = { path: "/dev/null" };
  const sds = { name: "s", sds_config: { path_config_source } };
  const empty = await snapshotOf({ tls_certificate_sds_secret_configs: [sds] });
  const source = empty.listeners[0]?.filterChains[0]?.tls?.context.certificates[0];
  if (source?.kind !== "secret") throw new Error("found no secret");
  const counter = "listener.front.server_ssl_socket_factory.ssl_context_update_by_sds";
  book.update(empty);
  expect([book.certificates(NOW_MS), value(counter)]).toEqual([[], 0]);

  const plain = await snapshotOf({ tls_certificates: [files.pair("server")] });
  const inline = plain.listeners[0]?.filterChains[0]?.tls?.context.certificates[0];
  if (inline?.kind !== "inline") throw new Error("found no certificate");
  const certificate = { ...inline.value, name: "s" };
  const secret = (revision: number): DynamicSecret => {
    return { key: source.key, revision, value: { kind: "certificate", certificate } };
  };
  book.update({ ...empty, secrets: [secret(3)] });
  book.update({ ...empty, secrets: [secret(3)] });
  expect(value(counter)).toBe(1);
  expect(book.certificates(NOW_MS)).toHaveLength(1);
  expect(value("listener.front.ssl.certificate.s.expiration_unix_time_seconds")).toBeGreaterThan(0);
  book.update({ ...empty, secrets: [secret(4)] });
  expect(value(counter)).toBe(2);
});
