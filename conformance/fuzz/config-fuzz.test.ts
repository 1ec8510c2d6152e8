// Fuzzes the configuration loader: changed examples are taken, or refused with the place of each mistake.
// It throws nothing else.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadBootstrap } from "../../runtime/src/config/bootstrap-loader.ts";
import { ConfigErrors } from "../../runtime/src/config/config-error.ts";
import { Schema } from "../../runtime/src/config/schema.ts";
import { translateBootstrap } from "../../runtime/src/config/translate/translate-bootstrap.ts";
import { checkLater } from "./settings.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples: readonly string[] = globSync(
  ["runtime/src/config/fixtures/*.yaml", "examples/*/envoy.yaml"],
  { cwd: root },
)
  .sort()
  .map((file) => readFileSync(`${root}${file}`, "utf8"));

const hostileValues = fc.constantFrom(
  "null",
  "~",
  "[]",
  "{}",
  "[[[[[]]]]]",
  "{a: {b: {c: 1}}}",
  "''",
  "-1",
  "0",
  "1e400",
  "99999999999999999999999",
  ".nan",
  "0x10",
  "0o7",
  "1s",
  "-1s",
  "999999999999999s",
  "1.5e3s",
  "true",
  "yes",
  "2001-01-01",
  '"\\0"',
  '"\\u0000\\uffff"',
  '"unterminated',
  "'",
  "&a",
  "*a",
  "*nowhere",
  "!!binary x",
  "!!set {a}",
  "!ignore x",
  "!<tag:x> y",
  "<<: 1",
  "{<<: [1]}",
  "? x",
  "|",
  ">-",
  "@x",
  "`x",
  "%x",
  "# x",
  ":",
  "- - -",
  "type.googleapis.com/google.protobuf.Any",
  "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap",
  "type.googleapis.com/no.such.Type",
  "/no/such/file",
  "({[*+?",
  "(a+)+$",
  "%REQ(",
  "%REQ(A)%%DURATION%%",
  "::1/129",
  "host.without.port",
  "x".repeat(5000),
);

type Edit = (lines: string[], at: number) => void;

/** Another value behind a line's key. */
function withValue(value: string): Edit {
  return (lines, at) => {
    lines[at] = (lines[at] ?? "").replace(/^(\s*(?:- )?[^:]*:).*$/, `$1 ${value}`);
  };
}

const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: hostileValues.map(withValue) },
  fc.constant<Edit>((lines, at) => lines.splice(at, 1)),
  fc.constant<Edit>((lines, at) => lines.splice(at, 0, lines[at] ?? "")),
  fc.constant<Edit>((lines, at) => {
    lines[at] = ` ${lines[at] ?? ""}`;
  }),
  fc.constant<Edit>((lines, at) => {
    lines[at] = (lines[at] ?? "").replace(/^ {2}/, "");
  }),
  fc.constant<Edit>((lines, at) => {
    lines[at] = (lines[at] ?? "").replace(":", "");
  }),
  fc.constant<Edit>((lines, at) => {
    lines[at] = (lines[at] ?? "").replace(/^ /, "\t");
  }),
  fc.constant<Edit>((lines, at) => lines.push(...lines.splice(at, 3))),
  fc.string({ unit: "binary", maxLength: 4 }).map<Edit>((text) => (lines, at) => {
    lines[at] = `${lines[at] ?? ""}${text}`;
  }),
);

const changedExamples: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...examples),
    fc.array(fc.tuple(edits, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([text, all]) => {
    const lines = text.split("\n");
    for (const [edit, where] of all) edit(lines, Math.floor(where * lines.length));
    return lines.join("\n");
  });

const schema = Schema.open();
const options = {
  version: 1,
  serviceNode: "",
  serviceCluster: "",
  serviceZone: "",
  fileFlushIntervalMs: 10_000,
  drainTimeMs: 600_000,
  drainStrategy: "gradual",
  ignoreUnsupported: false,
} as const;

/** The problems of a configuration; throws what is no problem of the configuration. */
async function problemsOf(yaml: string, ignoreUnsupported: boolean): Promise<ConfigErrors | null> {
  try {
    const input = { yaml, allowUnknownStaticFields: false, keepGoing: true, schema };
    translateBootstrap(await loadBootstrap(input), { ...options, ignoreUnsupported });
    return null;
  } catch (error) {
    if (error instanceof ConfigErrors) return error;
    throw error;
  }
}

/** Problems without words, or without the place that they name. */
function speechless(errors: ConfigErrors | null): readonly string[] {
  if (errors === null) return [];
  if (errors.problems.length === 0) return ["no problem at all"];
  const nonsense = /^$|undefined|\[object|NaN|TypeError|is not a function/;
  return errors.problems.map(({ message }) => message).filter((text) => nonsense.test(text));
}

test("examples are all read, and there are some", () => {
  expect(examples.length).toBeGreaterThan(3);
});

test("changed examples are taken, or refused in words", async () => {
  await checkLater(
    fc.asyncProperty(changedExamples, fc.boolean(), async (text, ignoreUnsupported) => {
      expect(speechless(await problemsOf(text, ignoreUnsupported))).toEqual([]);
    }),
    150,
  );
});

test("noise is taken for YAML, or refused in words", async () => {
  const noise = fc.array(
    fc.oneof(hostileValues, fc.constantFrom("\n", "  ", "- ", ": ", "a", ",")),
    {
      maxLength: 12,
    },
  );
  await checkLater(
    fc.asyncProperty(noise, async (parts) => {
      expect(speechless(await problemsOf(parts.join(""), false))).toEqual([]);
    }),
    200,
  );
});

test("aliases of aliases are refused before they fill the memory", async () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i += 1) {
    lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
  }
  const errors = await problemsOf(lines.join("\n"), false);
  expect(errors?.problems.length).toBeGreaterThan(0);
});

test("deep nesting is refused in words", async () => {
  for (const text of ["[".repeat(20_000), "{a: ".repeat(20_000), `a: ${"- ".repeat(20_000)}x`]) {
    expect((await problemsOf(text, false))?.problems.length).toBeGreaterThan(0);
  }
});
