// Makes cases from scenes: one for each version of the ABI that has the row.
import {
  type AbiVersion,
  abiVersions,
  callbacks,
  existsIn,
  findHostcall,
  type VersionRange,
} from "proxy-wasm-types";
import { readGuest } from "../guests/guests.ts";
import type { Case, CaseChapter, Fields, Reasons, Scene } from "./case.ts";
import {
  type Call,
  type CallbackScript,
  DEFAULT_TAG,
  type Guest,
  type GuestOptions,
  makeGuest,
} from "./guest.ts";
import type { FieldList } from "./seen.ts";

const HEADERS = "proxy_on_request_headers";

/** A row of the tables with what it must show; by version where its scenes differ. */
export type Scenes = readonly Scene[] | ((version: AbiVersion) => readonly Scene[]);

/** A row of a table, or what stands for one. */
export interface NamedRow {
  readonly name: string;
  readonly chapter: CaseChapter;
  readonly doc: string;
}

export interface Row extends NamedRow, VersionRange {}

export function makeCases(row: Row, scenes: Scenes, reasons: Reasons = {}): Case[] {
  return abiVersions.flatMap(({ version }) => {
    if (!existsIn(row, version)) return [];
    const list = typeof scenes === "function" ? scenes(version) : scenes;
    return list
      .filter((scene) => hasCalls(version, scene))
      .map((scene) => makeCase(row, version, scene, reasons));
  });
}

export function makeCase(
  row: NamedRow,
  version: AbiVersion,
  scene: Scene,
  reasons: Reasons = {},
): Case {
  return {
    id: `${version}/${row.name}/${slug(scene.what)}`,
    version,
    row: row.name,
    chapter: row.chapter,
    scene,
    verdict: scene.verdict ?? reasons.verdict ?? "required",
    spec: scene.spec ?? reasons.spec ?? row.doc,
    needs: scene.behind === undefined ? (scene.needs ?? []) : ["plugins", ...(scene.needs ?? [])],
  };
}

/** Whether a version has all that the guest of a scene calls: hosts refuse other imports. */
function hasCalls(
  version: AbiVersion,
  { calls = [], callbacks: scripts = {}, behind = [] }: Scene,
): boolean {
  const all = [scripts, ...behind.map((one) => one.callbacks)];
  const more = all.flatMap((one) => Object.values(one).flatMap((script) => script.calls ?? []));
  return [...calls.map(([one]) => one), ...more].every(({ name }) => {
    const row = findHostcall(name);
    return row === undefined || existsIn(row, version);
  });
}

/** A title as a part of a name: "once, on the root" is "once-on-the-root". */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** The guest of a case. */
export function guestOf(one: Case, tag: string = DEFAULT_TAG): Guest {
  const { module } = one.scene;
  if (module === undefined) return makeGuest(guestOptions(one, tag));
  return { tag, bytes: readGuest(module), callbacks: [], calls: [] };
}

function guestOptions({ version, scene }: Case, tag: string): GuestOptions {
  const name = scene.in ?? HEADERS;
  const calls = (scene.calls ?? []).map(([one]) => one);
  const made =
    calls.length === 0 && scene.in === undefined
      ? { ...scene.callbacks }
      : joined(scene.callbacks, name, calls);
  return {
    version,
    callbacks: inVersion(version, made),
    ...scene.guest,
    tag,
  };
}

/** The guests of plugins behind the first. */
export function guestsBehind({ version, scene }: Case): readonly GuestOptions[] {
  return (scene.behind ?? []).map(({ callbacks: scripts }) => {
    return { version, callbacks: inVersion(version, { ...scripts }) };
  });
}

/** The calls stand before those that the callback has already. */
export function joined(
  scripts: Readonly<Record<string, CallbackScript>> | undefined,
  name: string,
  calls: readonly Call[],
): Record<string, CallbackScript> {
  const given = scripts?.[name];
  return { ...scripts, [name]: { ...given, calls: [...calls, ...(given?.calls ?? [])] } };
}

function inVersion(
  version: AbiVersion,
  scripts: Record<string, CallbackScript>,
): Record<string, CallbackScript> {
  const exists = (name: string): boolean =>
    callbacks.some((row) => row.name === name && existsIn(row, version));
  return Object.fromEntries(Object.entries(scripts).filter(([name]) => exists(name)));
}

/** Fields as a list. */
export function listOf(fields: Fields | undefined): FieldList {
  if (fields === undefined) return [];
  return Array.isArray(fields) ? (fields as FieldList) : Object.entries(fields);
}
