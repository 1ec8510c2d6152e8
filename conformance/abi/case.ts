// What a row of the hostcalls' table must show. Cases stand in cases/, by the ABI's chapters.
import type { AbiVersion, HostcallName } from "proxy-wasm-types";
import type { FilterRequest } from "@headgate/runtime/testing";
import type { Call, CallbackScript } from "./guest.ts";
import type { HostOptions, Played } from "./rig.ts";

/** An answer as rig.ts prints it; by version where they differ. */
export type Expected = string | Readonly<Record<AbiVersion, string>>;

export type Script = readonly (readonly [Call, Expected])[];

/** Calls in one callback of one stream, and what must come of them. */
export interface Scene {
  /** What it shows; unique in its case. */
  readonly what: string;
  /** Where the calls are made. Default proxy_on_request_headers. */
  readonly in?: string;
  readonly calls: Script;
  /** Further callbacks of the guest. */
  readonly callbacks?: Readonly<Record<string, CallbackScript>>;
  readonly host?: HostOptions;
  readonly request?: FilterRequest;
  /** Instead of one request. */
  readonly play?: (played: Played) => void;
  /** What else must hold. */
  readonly holds?: (played: Played) => void;
}

export interface HostcallCase {
  /** Succeeds and, if it tells bytes, tells some. Its pointers are then broken one by one. */
  readonly good: Call;
  /** Where `good` is made. Default proxy_on_request_headers. */
  readonly in?: string;
  /** Made there before `good`. */
  readonly before?: readonly Call[];
  readonly host?: HostOptions;
  readonly callbacks?: Readonly<Record<string, CallbackScript>>;
  readonly scenes: readonly Scene[];
}

export type HostcallCases = Readonly<Partial<Record<HostcallName, HostcallCase>>>;

/** The stream of scenes that say nothing else. */
export const REQUEST: FilterRequest = { path: "/a?b=c", headers: { "x-a": "1" } };
