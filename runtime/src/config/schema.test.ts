import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { findEnumValue, Schema, typeNameOf } from "./schema.ts";

const path = new URL("./envoy-api.binpb", import.meta.url);

test("knows every message of the descriptor set, nested ones included, and no other", () => {
  const schema = Schema.open();
  let count = 0;
  for (const file of fromBinary(FileDescriptorSetSchema, readFileSync(path)).file) {
    for (const message of file.messageType) {
      const name = `${file.package}.${message.name}`;
      expect(schema.getMessage(name)?.typeName).toBe(name);
      for (const nested of message.nestedType) {
        if (nested.options?.mapEntry === true) continue;
        expect(schema.getMessage(`${name}.${nested.name}`)?.name).toBe(nested.name);
      }
      count += 1;
    }
  }
  expect([...schema.typeNames()]).toHaveLength(count);
  expect(count).toBeGreaterThan(1200);
  expect(schema.getMessage("envoy.config.cluster.v3.NoSuchMessage")).toBeUndefined();
  expect(schema.getMessage("")).toBeUndefined();
  expect(() => schema.requireMessage("nothing")).toThrow("no message nothing");
});

test("the order in which files are asked for does not matter", () => {
  const one = Schema.open(readFileSync(path));
  const other = Schema.open(path);
  const wasm = "envoy.extensions.filters.http.wasm.v3.Wasm";
  const bootstrap = "envoy.config.bootstrap.v3.Bootstrap";
  const fields = (schema: Schema, name: string): string[] =>
    schema.requireMessage(name).fields.map((field) => field.name);
  const first = [fields(one, wasm), fields(one, bootstrap)];
  const second = [fields(other, bootstrap), fields(other, wasm)].reverse();
  expect(first).toEqual(second);
  const config = one.getField(one.requireMessage(wasm), "config");
  expect(config?.message).toBe(one.getMessage("envoy.extensions.wasm.v3.PluginConfig"));
});

test("finds fields by proto name and by JSON name", () => {
  const schema = Schema.open();
  const cluster = schema.requireMessage("envoy.config.cluster.v3.Cluster");
  expect(schema.getField(cluster, "connect_timeout")?.number).toBe(4);
  expect(schema.getField(cluster, "connectTimeout")?.number).toBe(4);
  expect(schema.getField(cluster, "Connect_Timeout")).toBeUndefined();
  const policy = schema.getField(cluster, "lb_policy")?.enum;
  expect(policy && findEnumValue(policy, "round_robin")?.name).toBe("ROUND_ROBIN");
  expect(policy && findEnumValue(policy, "round-robin")).toBeUndefined();
});

test("the type is what stands behind the last slash", () => {
  expect(typeNameOf("type.googleapis.com/a.b")).toBe("a.b");
  expect(typeNameOf("a.b")).toBe("a.b");
});
