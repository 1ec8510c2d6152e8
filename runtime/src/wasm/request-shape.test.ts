import { expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { LastWords } from "./last-words.ts";
import { requestShape } from "./request-shape.ts";

function mapOf(path: string): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "GET";
  headers.path = path;
  headers.authority = "a.example";
  return headers;
}

test.each([
  ["/a/b", "/a/b"],
  ["/users/123/orders/9", "/users/:n/orders/:n"],
  ["/f/0f8fad5b-d9cb-469f-a165-70867728950e/x", "/f/:id/x"],
  ["/t/eyJhbGciOiJIUzI1NiJ9", "/t/:id"],
  ["/static/application.css", "/static/application.css"],
  ["/q?token=secret&page=2", "/q?token&page"],
  ["", ""],
])("the path %s has the shape %s", (path, shape) => {
  expect(requestShape(mapOf(path)).path).toBe(shape);
});

test("of headers only names are told, each once, without pseudo headers", () => {
  const headers = mapOf("/");
  for (const name of ["x-b", "cookie", "x-b", "x-a"]) headers.append(name, "secret");
  expect(requestShape(headers)).toEqual({
    method: "GET",
    path: "/",
    headerNames: ["cookie", "x-a", "x-b"],
  });
});

test("what clients make long is cut", () => {
  const headers = mapOf(`/${"a/".repeat(5000)}?${"b&".repeat(5000)}`);
  for (let i = 0; i < 200; i += 1) headers.append(`${i}${"n".repeat(500)}`, "v");
  const { path, headerNames } = requestShape(headers);
  expect(path).toBe(`/${"a/".repeat(14)}a`);
  expect(headerNames).toHaveLength(64);
  expect(Math.max(...headerNames.map(({ length }) => length))).toBe(64);
});

test("last words are the last 4096 characters, in whole lines where it can be", () => {
  const words = new LastWords();
  expect(words.text).toBe("");
  for (let i = 0; i < 1000; i += 1) words.add(`line ${i}`);
  expect(words.text.length).toBeLessThanOrEqual(4096 + 1000);
  expect(words.text.startsWith("line ")).toBe(true);
  expect(words.text.endsWith("line 999")).toBe(true);
  words.add(`${"x".repeat(10_000)}end`);
  expect(words.text).toBe(`${"x".repeat(4093)}end`);
});
