// All cases of the suite.
import {
  type AbiVersion,
  abiVersions,
  callbacks,
  existsIn,
  type Hostcall,
  hostcalls,
} from "proxy-wasm-types";
import type { Case, HostcallCase } from "./case.ts";
import { calloutCallbacks } from "./cases/callout-callbacks.ts";
import { calloutCases } from "./cases/callouts.ts";
import { extensionCases } from "./cases/extensions.ts";
import { failureCases } from "./cases/failures.ts";
import { fieldCases } from "./cases/fields.ts";
import { httpCallbacks } from "./cases/http-callbacks.ts";
import { lifecycleCallbacks } from "./cases/lifecycle-callbacks.ts";
import { moduleCases } from "./cases/modules.ts";
import { plainCases } from "./cases/plain.ts";
import { positionCases } from "./cases/positions.ts";
import { severalPluginsCases } from "./cases/several-plugins.ts";
import { streamCases } from "./cases/streams.ts";
import { tcpCallbacks } from "./cases/tcp-callbacks.ts";
import { threadCases } from "./cases/threads.ts";
import { toolchainCases } from "./cases/toolchains.ts";
import { valueCases } from "./cases/values.ts";
import { wasiCases } from "./cases/wasi.ts";
import {
  absence,
  scenesOfCallback,
  scenesOfHostcall,
  scenesOfPhases,
  scenesOfStart,
  unknownHere,
} from "./generated-scenes.ts";
import { makeCase, makeCases, type Scenes } from "./make-case.ts";

export const hostcallCases: Readonly<Record<string, HostcallCase>> = {
  ...plainCases,
  ...fieldCases,
  ...streamCases,
  ...calloutCases,
  ...valueCases,
};

export const callbackCases: Readonly<Record<string, Scenes>> = {
  ...lifecycleCallbacks,
  ...httpCallbacks,
  ...tcpCallbacks,
  ...calloutCallbacks,
};

/** In the order of the tables, then WASI, threads, extensions and the guests of toolchains. */
export function allCases(): readonly Case[] {
  return [
    ...hostcalls.flatMap(casesOfHostcall),
    ...callbacks.flatMap(casesOfCallback),
    ...severalPluginsCases(),
    ...positionCases(),
    ...failureCases(),
    ...wasiCases(),
    ...moduleCases(),
    ...threadCases(),
    ...extensionCases(),
    ...toolchainCases(),
  ];
}

function casesOfHostcall(row: Hostcall): Case[] {
  const of = hostcallCases[row.name];
  if (of === undefined) return [];
  const newest: AbiVersion = row.until ?? "0.2.1";
  const elsewhere = abiVersions.filter(({ version }) => !existsIn(row, version));
  return [
    ...makeCases(row, [...of.scenes, ...scenesOfHostcall(row, of)], of),
    ...[...scenesOfPhases(row, of), ...scenesOfStart(row, of)].map((scene) =>
      makeCase(row, newest, scene),
    ),
    ...elsewhere.map(({ version }) => makeCase(row, version, unknownHere(of))),
  ];
}

function casesOfCallback(row: (typeof callbacks)[number]): Case[] {
  const generated = scenesOfCallback(row).map((scene) =>
    makeCase(row, row.until ?? "0.2.1", scene),
  );
  const own = callbackCases[row.name] ?? [];
  const isFirst = row.name === "proxy_on_context_create";
  return [...makeCases(row, own), ...generated, ...(isFirst ? makeCases(row, [absence]) : [])];
}
