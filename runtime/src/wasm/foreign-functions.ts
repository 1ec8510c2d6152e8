// What the host offers guests by name, with Envoy's messages: compression, signatures, declared
// properties, filter state. The hostcall is in hostcalls/foreign-functions.ts.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { constants, deflateSync, inflateSync } from "node:zlib";
import { limits, Status } from "proxy-wasm-types";
import type { Context } from "./context.ts";
import { DeclaredProperties, DeclaredProperty, PropertySpan } from "./declared-properties.ts";
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
const SIGN_HASH = 1;
const SIGN_KEY = 2;
const SIGN_TEXT = 3;
const SIGNED_SIGNATURE = 2;
const SIGNED_ERROR = 3;

/** What is kept of a guest's text; null = Envoy makes nothing of it. */
type StateForm = (value: Buffer) => Buffer | null;

const asText: StateForm = (value) => value;
/** As Envoy's numbers of 32 bits: spaces around, "+" and zeros in front do not matter. */
const NUMBER = /^[\t-\r ]*\+?0*(\d{1,10})[\t-\r ]*$/;
const asNumber: StateForm = (value) => {
  const digits = NUMBER.exec(value.toString("latin1"))?.[1];
  const number = Number(digits ?? Number.NaN);
  return number <= 0xffff_ffff ? Buffer.from(String(number)) : null;
};

/** Filter state that Envoy can make of text, by its keys. */
const knownState: ReadonlyMap<string, StateForm> = new Map([
  ["envoy.tcp_proxy.cluster", asText],
  ["envoy.network.upstream_server_name", asText],
  ["envoy.network.upstream_subject_alt_names", asText],
  ["envoy.network.application_protocols", asText],
  ["envoy.upstream.dynamic_host", asText],
  ["envoy.upstream.dynamic_port", asNumber],
  ["envoy.ratelimit.hits_addend", asNumber],
  ["envoy.string", asText],
  ["envoy.hashable_string", asText],
]);
/** It steers upstream connections in Envoy, which lets nobody read it. Here nothing would. */
const UNREADABLE_STATE = "envoy.network.application_protocols";

const hashes: ReadonlySet<string> = new Set(["sha1", "sha224", "sha256", "sha384", "sha512"]);

/** About the nanoseconds that these take: 50 us to set zlib up, and then by the byte. */
const ZLIB_FUEL = 50_000;
const DEFLATED_BYTE_FUEL = 32;
const INFLATED_BYTE_FUEL = 2;
/** A curve takes up to 3 ms, RSA as the cube of its key. */
const SIGNATURE_FUEL = 1_000_000;
const KEY_CUBE_FUEL = 1 / 2048;

function compress(context: Context, args: Buffer): ForeignResult {
  const isPaid = context.root.vm.affords(ZLIB_FUEL + args.length * DEFLATED_BYTE_FUEL);
  return isPaid ? deflateSync(args) : Status.InternalFailure;
}

/** An incomplete stream is refused, and so is one that grows beyond what a guest may be given. */
function uncompress(context: Context, args: Buffer): ForeignResult {
  const maxOutputLength = limits.foreignResultBytesMax;
  const { vm } = context.root;
  if (!vm.affords(ZLIB_FUEL)) return Status.InternalFailure;
  try {
    const result = inflateSync(args, { maxOutputLength, finishFlush: constants.Z_FINISH });
    vm.charge(result.length * INFLATED_BYTE_FUEL);
    return result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      vm.limits.refused("foreign_result_bytes", maxOutputLength, context.plugin);
    }
    // How far it came nobody tells: at most a thousand times its size.
    vm.charge(Math.min(args.length * 1000, maxOutputLength) * INFLATED_BYTE_FUEL);
    return Status.SerializationFailure;
  }
}

function clearRouteCache(context: Context): ForeignResult {
  context.clearRouteCache();
  return NOTHING;
}

function declareProperty(context: Context, args: Buffer): ForeignResult {
  if (!isMessage(args)) return Status.BadArgument;
  // An unknown span is no mistake, as in proto3; it lasts as long as the filter chain.
  const told = lastNumber(args, DECLARE_SPAN);
  const span = told > PropertySpan.DownstreamConnection ? PropertySpan.FilterChain : told;
  const name = lastField(args, DECLARE_NAME).toString("latin1");
  if (name.length > limits.propertyPathBytesMax) return Status.BadArgument;
  const property = new DeclaredProperty(lastNumber(args, DECLARE_READONLY) !== 0, span);
  // As in Envoy each context has its own, and those of root contexts count.
  context.declaredProperties ??= new DeclaredProperties();
  if (context.declaredProperties.isFull) {
    const { limits: ofGuest } = context.root.vm;
    ofGuest.refused("declared_properties", limits.declaredPropertiesMax, context.plugin);
    return Status.BadArgument;
  }
  return context.declaredProperties.add(name, property) ? NOTHING : Status.BadArgument;
}

function setFilterState(context: Context, args: Buffer): ForeignResult {
  if (!isMessage(args)) return Status.BadArgument;
  const key = lastField(args, STATE_PATH).toString("latin1");
  const span = lastNumber(args, STATE_SPAN);
  const form = knownState.get(key);
  if (form === undefined || context.streamInfo === null) return Status.NotFound;
  const given = lastField(args, STATE_VALUE);
  if (given.length > limits.propertyValueBytesMax) return Status.BadArgument;
  const value = form(given);
  if (value === null) return Status.BadArgument;
  if (key === UNREADABLE_STATE) return NOTHING;
  context.setFilterState(key, Buffer.from(value), span === PropertySpan.DownstreamConnection);
  return NOTHING;
}

function affordsKey(context: Context, key: Buffer): boolean {
  return context.root.vm.affords(SIGNATURE_FUEL + key.length ** 3 * KEY_CUBE_FUEL);
}

/** A signature that is not the text's is no error of the call: the result says so. */
function verifySignature(context: Context, args: Buffer): ForeignResult {
  if (args.length === 0 || !isMessage(args)) return Status.BadArgument;
  const hash = lastField(args, VERIFY_HASH).toString("latin1");
  if (!hashes.has(hash)) return verdict(`${hash} is not supported.`);
  const der = lastField(args, VERIFY_KEY);
  if (!affordsKey(context, der)) return Status.InternalFailure;
  const key = publicKey(der);
  if (key === null) return verdict("Failed to initialize digest verify.");
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

/** A key in DER, as Envoy's `sign` takes it. */
function signText(context: Context, args: Buffer): ForeignResult {
  if (args.length === 0 || !isMessage(args)) return Status.BadArgument;
  const refusal = (error: string): Buffer => bytesField(SIGNED_ERROR, Buffer.from(error));
  const hash = lastField(args, SIGN_HASH).toString("latin1");
  if (!hashes.has(hash)) return refusal(`${hash} is not supported.`);
  const der = lastField(args, SIGN_KEY);
  if (!affordsKey(context, der)) return Status.InternalFailure;
  const key = privateKey(der);
  if (key === null) {
    return refusal("Invalid key type: private key required for signing operation.");
  }
  try {
    const signature = sign(hash, lastField(args, SIGN_TEXT), key);
    const isGood = Buffer.of(tag(RESULT_IS_GOOD, WireType.Varint), 1);
    return Buffer.concat([isGood, bytesField(SIGNED_SIGNATURE, signature)]);
  } catch {
    return refusal("Failed to initialize digest sign.");
  }
}

function privateKey(der: Buffer): KeyObject | null {
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    return null;
  }
}

export const foreignFunctions: ReadonlyMap<string, ForeignFunction> = new Map([
  ["compress", compress],
  ["uncompress", uncompress],
  ["clear_route_cache", clearRouteCache],
  ["declare_property", declareProperty],
  ["set_envoy_filter_state", setFilterState],
  ["sign", signText],
  ["verify_signature", verifySignature],
]);
