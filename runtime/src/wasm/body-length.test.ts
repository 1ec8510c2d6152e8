// Bodies that a guest changes when their content-length cannot follow any more: counted, told once.
import { expect, test } from "vitest";
import { type FilterHost, scriptedHost } from "./guest-script-for-test.ts";

function broken(host: FilterHost): [number, number] {
  const told = host.logs.filter(({ message }) => message.includes("after its content-length"));
  return [host.stats.counter("wasm.filter.body_length_broken").value, told.length];
}

test("a request and a response whose length was sent already", async () => {
  const host = await scriptedHost([
    "request_body#1 set_buffer_bytes 0 0 max longer",
    "response_body#1 set_buffer_bytes 1 0 max shorter",
  ]);
  host.request({
    method: "POST",
    headers: { "content-length": "3" },
    body: "abc",
    upstream: { body: "hello", headers: { "content-length": "5" } },
  });
  expect(broken(host)).toEqual([2, 1]);
  host.close();
});

test("an equal size, a body in chunks, and headers that wait break nothing", async () => {
  const host = await scriptedHost(
    [
      "request_headers return 1",
      "request_body#1 set_buffer_bytes 0 0 max longer",
      "response_body#1 set_buffer_bytes 1 0 max shorter",
      "response_body#2 set_buffer_bytes 1 0 max HELLO",
    ],
    { allowOnHeadersStopIteration: true },
  );
  const headers = { "content-length": "3" };
  host.request({ method: "POST", headers, body: "abc", upstream: { body: "hello" } });
  const upstream = { body: "hello", headers: { "content-length": "5" } };
  host.request({ upstream });
  expect(broken(host)).toEqual([0, 0]);
  host.close();
});
