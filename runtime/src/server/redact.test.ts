import { expect, test } from "vitest";
import { redacted } from "./redact.ts";

test("what is secret in TLS is not shown, and what names it is", () => {
  const certificate = {
    certificate_chain: { inline_string: "chain" },
    private_key: { inline_string: "key" },
    password: { inline_bytes: "cGFzcw==" },
    pkcs12: { filename: "/etc/a.p12" },
  };
  const shown = {
    certificate_chain: { inline_string: "chain" },
    private_key: { inline_string: "[redacted]" },
    password: { inline_bytes: "W3JlZGFjdGVkXQ==" },
    pkcs12: { filename: "/etc/a.p12" },
  };
  const keys = { keys: [{ inline_string: "k".repeat(80) }, { environment_variable: "KEY" }] };
  const secrets = [
    { name: "certificate", tls_certificate: certificate },
    { name: "tickets", session_ticket_keys: keys },
    { name: "one", generic_secret: { secret: { inline_string: "a" } } },
    { name: "many", generic_secret: { secrets: { a: { inline_string: "b" } } } },
  ];
  expect(redacted({ static_resources: { secrets } })).toEqual({
    static_resources: {
      secrets: [
        { name: "certificate", tls_certificate: shown },
        {
          name: "tickets",
          session_ticket_keys: {
            keys: [{ inline_string: "[redacted]" }, { environment_variable: "KEY" }],
          },
        },
        { name: "one", generic_secret: { secret: { inline_string: "[redacted]" } } },
        { name: "many", generic_secret: { secrets: { a: { inline_string: "[redacted]" } } } },
      ],
    },
  });
});

test("a key in the place of its file's name is not shown", () => {
  const private_key = { filename: "-----BEGIN PRIVATE KEY-----\nabc" };
  expect(redacted({ private_key })).toEqual({ private_key: { filename: "[redacted]" } });
});
