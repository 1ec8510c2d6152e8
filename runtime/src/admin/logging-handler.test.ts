import { expect, test } from "vitest";
import { adminForTest } from "./admin-for-test.ts";

const admin = adminForTest();

test("log levels are listed and changed, all or none of a request", async () => {
  expect(await admin.answerOf("POST", "/logging")).toBe(
    "200 active loggers:\n  admin: info\n  http: error\n\n",
  );
  expect((await admin.call("POST", "/logging?level=debug")).body).toContain("http: debug");
  expect((await admin.call("POST", "/logging?admin=trace")).body).toContain("admin: trace");
  expect((await admin.call("POST", "/logging?paths=admin:info,http:warning")).body).toContain(
    "  admin: info\n  http: warning\n",
  );
  const errors = [
    ["level=bad", "unknown logger level"],
    ["level=warn", "unknown logger level"],
    ["admin=nope", "unknown logger level"],
    ["foo=info", "unknown logger name"],
    ["paths=admin:off,zzz:debug", "unknown logger name"],
    ["paths=admin", "empty logger name or empty logger level"],
    ["admin=info&http=info", "invalid number of parameters"],
    ["group=admin:debug", "group parameter requires fine-grain logging to be enabled"],
  ] as const;
  for (const [query, error] of errors) {
    const { status, body } = await admin.call("POST", `/logging?${query}`);
    expect(status).toBe(400);
    expect(body.startsWith(`error: ${error}\n\nusage: /logging?<name>=<level> `)).toBe(true);
    expect(body.endsWith("active loggers:\n  admin: info\n  http: warning\n\n")).toBe(true);
  }
  for (const empty of ["level=", "paths="]) {
    expect((await admin.call("POST", `/logging?${empty}`)).status).toBe(200);
  }
  const form = {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "level=critical",
  };
  expect((await admin.call("POST", "/logging", form)).body).toContain("http: critical");
});
