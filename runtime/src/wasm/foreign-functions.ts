// What the host offers guests by name, with Envoy's messages: compression, signatures, declared
// properties, filter state. The hostcall is in hostcalls/foreign-functions.ts.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { constants, deflateSync, inflateSync } from "node:zlib";
import { limits, Status } from "proxy-wasm-types";
import type { Context } from "./context.ts";
import { DeclaredProperty, PropertySpan } from "./declared-properties.ts";
import { bytesField, isMessage, lastField, lastNumber, tag, WireType } from "./proto-fields.ts";

/** What a function made, or why it made nothing. */
export type ForeignResult = Buffer | Status;

/** `context` is the one whose callback runs: the effective one is of no account, as in Envoy. */
export type ForeignFunction = (context: Context, args: Buffer) => ForeignResult;

const NOTHING: Buffer = Buffer.alloc(0);

/** Numbers of envoy.source.extensions.common.wasm's messages. */
const DECLARE_NAME = 1;
const DECLARE_READONLY = 2;
const DECLARE_SPAN = 5;
const STATE_PATH = 1;
const STATE_VALUE = 2;
const STATE_SPAN = 3;
const VERIFY_HASH = 1;
const VERIFY_KEY = 2;
const VERIFY_SIGNATURE = 3;
const VERIFY_TEXT = 4;
const RESULT_IS_GOOD = 1;
const RESULT_ERROR = 2;

/** Filter state that Envoy can make of text, by its keys. */
const knownState: ReadonlySet<string> = new Set([
  "envoy.tcp_proxy.cluster",
  "envoy.network.upstream_server_name",
  "envoy.network.upstream_subject_alt_names",
  "envoy.network.application_protocols",
  "envoy.upstream.dynamic_host",
  "envoy.upstream.dynamic_port",
  "envoy.ratelimit.hits_addend",
  "envoy.string",
  "envoy.hashable_string",
]);

const hashes: ReadonlySet<string> = new Set(["sha1", "sha224", "sha256", "sha384", "sha512"]);

function compress(_context: Context, args: Buffer): ForeignResult {
  return deflateSync(args);
}

/** An incomplete stream is refused, and so is one that grows beyond what a guest may be given. */
function uncompress(_context: Context, args: Buffer): ForeignResult {
  try {
    const maxOutputLength = limits.foreignResultBytesMax;
    return inflateSync(args, { maxOutputLength, finishFlush: constants.Z_FINISH });
  } catch {
    return Status.SerializationFailure;
  }
}

function clearRouteCache(context: Context): ForeignResult {
  context.clearRouteCache();
  return NOTHING;
}

function declareProperty(context: Context, args: Buffer): ForeignResult {
  if (!isMessage(args)) return Status.BadArgument;
  const span = lastNumber(args, DECLARE_SPAN);
  if (span > PropertySpan.DownstreamConnection) return Status.BadArgument;
  const name = lastField(args, DECLARE_NAME).toString("latin1");
  const property = new DeclaredProperty(lastNumber(args, DECLARE_READONLY) !== 0, span);
  return context.root.declaredProperties.add(name, property) ? NOTHING : Status.BadArgument;
}

function setFilterState(context: Context, args: Buffer): ForeignResult {
  if (!isMessage(args)) return Status.BadArgument;
  const key = lastField(args, STATE_PATH).toString("latin1");
  const span = lastNumber(args, STATE_SPAN);
  if (!knownState.has(key) || context.streamInfo === null) return Status.NotFound;
  const value = Buffer.from(lastField(args, STATE_VALUE));
  context.setFilterState(key, value, span === PropertySpan.DownstreamConnection);
  return NOTHING;
}

/** A signature that is not the text's is no error of the call: the result says so. */
function verifySignature(_context: Context, args: Buffer): ForeignResult {
  if (!isMessage(args)) return Status.BadArgument;
  const key = publicKey(lastField(args, VERIFY_KEY));
  if (key === null) return Status.BadArgument;
  const hash = lastField(args, VERIFY_HASH).toString("latin1");
  if (!hashes.has(hash)) return verdict(`${hash} is not supported.`);
  const [text, signature] = [lastField(args, VERIFY_TEXT), lastField(args, VERIFY_SIGNATURE)];
  try {
    if (verify(hash, text, key, signature)) return verdict("");
  } catch {
    return verdict("Failed to initialize digest verify.");
  }
  return verdict("Failed to verify digest. Error code: 0");
}

function publicKey(der: Buffer): KeyObject | null {
  try {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return null;
  }
}

/** VerifySignatureResult; no error = it is good. */
function verdict(error: string): Buffer {
  if (error === "") return Buffer.of(tag(RESULT_IS_GOOD, WireType.Varint), 1);
  return bytesField(RESULT_ERROR, Buffer.from(error));
}

export const foreignFunctions: ReadonlyMap<string, ForeignFunction> = new Map([
  ["compress", compress],
  ["uncompress", uncompress],
  ["clear_route_cache", clearRouteCache],
  ["declare_property", declareProperty],
  ["set_envoy_filter_state", setFilterState],
  ["verify_signature", verifySignature],
]);
