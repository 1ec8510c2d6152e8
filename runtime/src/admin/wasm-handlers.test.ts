import { expect, test } from "vitest";
import { adminForTest, type Answer, type Call } from "./admin-for-test.ts";
import { createAdminServer } from "./admin-server.ts";

const admin = adminForTest();

test("wasm plugins have a page", async () => {
  const { status, body } = await admin.call("GET", "/wasm/plugins");
  expect([status, JSON.parse(body)]).toEqual([200, admin.fake.wasmPlugins()]);
  expect((await admin.call("GET", "/wasm/plugins/guest/nothing")).status).toBe(404);
  const costs = await admin.call("GET", "/wasm/costs");
  expect([costs.status, JSON.parse(costs.body)]).toEqual([200, admin.fake.wasmCosts()]);
  const traps = await admin.call("GET", "/wasm/plugins/a%20guest/traps");
  expect([traps.status, JSON.parse(traps.body)]).toEqual([200, admin.fake.wasmTraps("a guest")]);
  expect(await admin.answerOf("GET", "/wasm/plugins/b/traps")).toBe("404 no plugin b\n");
  const shadow = await admin.call("GET", "/wasm/plugins/a%20guest/shadow");
  expect([shadow.status, JSON.parse(shadow.body)]).toEqual([200, admin.fake.wasmShadow("a guest")]);
  expect(await admin.answerOf("GET", "/wasm/plugins/b/shadow")).toBe("404 no plugin b\n");
  expect((await admin.call("POST", "/wasm/plugins/a%20guest/traps")).status).toBe(405);
});

const STREAM = { kind: "stream" } as const;
const share = (more: object): object => ({ perTenThousand: 0, match: null, ...more });

test.each<[string, string, Call, string]>([
  ["a module", "a%20b/module", { body: "module" }, '["a b","module",null,null]'],
  ["what is shared", "g/module?shared_data=fresh", { body: "m" }, '["g","m",null,null,"fresh"]'],
  ["a configuration", "g/configuration", { body: "{}" }, '["g",null,"{}",null]'],
  [
    "what curl --data-binary sends",
    "g/module",
    {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "a=b&canary=1",
    },
    '["g","a=b&canary=1",null,null]',
  ],
  [
    "both",
    "g/module",
    {
      headers: { "content-type": 'multipart/form-data; boundary="b"' },
      body:
        '--b\r\nContent-Disposition: form-data; name="module"; filename="a.wasm"\r\n\r\nbytes' +
        '\r\n--b\r\ncontent-disposition: form-data; name="configuration"\r\n\r\n\r\n--b--\r\n',
    },
    '["g","bytes","",null]',
  ],
  [
    "a module with its source map",
    "g/module",
    {
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body:
        '--b\r\ncontent-disposition: form-data; name="module"\r\n\r\nbytes' +
        '\r\n--b\r\ncontent-disposition: form-data; name="source_map"\r\n\r\n{}\r\n--b--\r\n',
    },
    '["g","bytes",null,null,"{}"]',
  ],
])("%s is pushed", async (_, path, request, expected) => {
  expect((await admin.call("POST", `/wasm/plugins/${path}`, request)).status).toBe(200);
  expect(admin.fake.calls).toEqual([`push ${expected}`]);
});

test.each<[string, object]>([
  ["canary=10%25", { share: share({ perTenThousand: 1000, sticky: { kind: "stream" } }) }],
  [
    "canary=0.5&sticky=header:X-User&promote=auto",
    {
      share: share({ perTenThousand: 50, sticky: { kind: "header", header: "x-user" } }),
      isPromoted: true,
    },
  ],
  [
    "canary_header=X-Canary=a=b&sticky=client",
    { share: share({ match: { header: "x-canary", value: "a=b" }, sticky: { kind: "client" } }) },
  ],
  ["shadow", { role: "shadow", share: share({ perTenThousand: 10_000, sticky: STREAM }) }],
  ["shadow=2.5%25", { role: "shadow", share: share({ perTenThousand: 250, sticky: STREAM }) }],
  [
    "shadow_header=x-try",
    { role: "shadow", share: share({ match: { header: "x-try", value: null }, sticky: STREAM }) },
  ],
])("a trial of ?%s", async (query, expected) => {
  expect((await admin.call("POST", `/wasm/plugins/g/module?${query}`, { body: "m" })).status).toBe(
    200,
  );
  const [plugin, module, configuration, trial] = JSON.parse(
    (admin.fake.calls[0] ?? "").replace("push ", ""),
  ) as unknown[];
  expect([plugin, module, configuration]).toEqual(["g", "m", null]);
  expect(trial).toEqual({ role: "canary", isPromoted: false, ...expected });
});

test.each<[string, Call, string]>([
  ["module", {}, "found no module, expected its bytes as the body or as the part module"],
  ["module?canary=0", { body: "m" }, 'canary: found "0", expected a percentage from 0.01 to 100'],
  ["module?canary=101", { body: "m" }, 'canary: found "101", expected a percentage'],
  ["module?promote=auto", { body: "m" }, "promote is of a canary: expected canary"],
  ["module?shadow&promote=auto", { body: "m" }, "promote is of a canary: expected canary"],
  ["module?sticky=client", { body: "m" }, "sticky: expected one of canary, canary_header, shadow"],
  ["module?shadow&canary=1", { body: "m" }, "found canary and shadow, expected one of them"],
  ["module?shadow=2000", { body: "m" }, 'shadow: found "2000", expected a percentage'],
  ["module?canary=1&sticky=me", { body: "m" }, 'sticky: found "me", expected client or header'],
  ["module?canary=1&canary_header=a", { body: "m" }, "found canary and canary_header"],
  ["module?canary_header=a%20b", { body: "m" }, "canary_header: found"],
  ["module?shared_data", { body: "m" }, 'shared_data: found "", expected kept or fresh'],
  ["module?nope=1", { body: "m" }, "unknown parameter nope, expected canary"],
  [
    "module",
    { headers: { "content-type": "multipart/form-data; boundary=b" }, body: "--b\r\nx\r\n\r\ny" },
    "the body ends within a part",
  ],
  [
    "module",
    { headers: { "content-type": "multipart/form-data" }, body: "--b" },
    "the content type names no boundary",
  ],
])("a push of %s %j says what is wrong", async (path, request, expected) => {
  const { status, body } = await admin.call("POST", `/wasm/plugins/g/${path}`, request);
  expect(status).toBe(400);
  expect((JSON.parse(body) as { problems: string[] }).problems[0]).toContain(expected);
  expect(admin.fake.calls).toEqual([]);
});

test("what a push came to is its status, and large bodies are refused", async () => {
  const push = (body: string): Promise<Answer> =>
    admin.call("POST", "/wasm/plugins/g/module", { body });
  expect((await push("bad")).status).toBe(422);
  expect((await push("x".repeat(200_000))).status).toBe(200);
  expect((await push("x".repeat(200_001))).status).toBe(413);
  expect((await admin.call("POST", "/wasm/plugins/g/promote?version=v")).status).toBe(200);
  expect((await admin.call("POST", "/wasm/plugins/g/rollback")).status).toBe(409);
  expect(admin.fake.calls.slice(2)).toEqual(["promote g v", "rollback g "]);
  expect((await admin.call("GET", "/wasm/plugins/g/module")).status).toBe(405);
});

test("only who may changes plugins, and is told before the body is read", async () => {
  const push = async (headers: Call["headers"]): Promise<number> => {
    const path = "/wasm/plugins/g/module";
    return (await admin.call("POST", path, { body: "module", ...(headers && { headers }) })).status;
  };
  expect(await push({ origin: "http://127.0.0.1" })).toBe(403);
  const access = [
    [{ from: "off", token: "" }, undefined, 403],
    [{ from: "any", token: "secret-12" }, undefined, 401],
    [{ from: "any", token: "secret-12" }, { authorization: "Bearer secret-13" }, 401],
    [{ from: "local", token: "secret-12" }, { authorization: "Bearer secret-12" }, 200],
  ] as const;
  for (const [wasmAccess, headers, status] of access) {
    await admin.server.close();
    admin.server = createAdminServer(admin.fake, { ...admin.options, wasmAccess });
    admin.port = (await admin.server.listen()).port ?? 0;
    expect(await push(headers)).toBe(status);
  }
  expect(admin.fake.calls).toHaveLength(1);
});
