import { expect, test } from "vitest";
import { responseFlagsText } from "../core/response-flags.ts";
import { PoolFailureReason, StreamResetReason } from "../upstream/pool/conn-pool.ts";
import { failureDetails, failureOfPool, failureOfReset } from "./upstream-failure.ts";

test("every reset reason has Envoy's text, status and flag", () => {
  const table = Object.values(StreamResetReason).map((reason) => {
    const failure = failureOfReset(reason);
    return `${failure.text}: ${failure.status} ${responseFlagsText(failure.responseFlag)}`;
  });
  expect(table).toEqual([
    "local reset: 503 LR",
    "local refused stream reset: 503 LR",
    "remote reset: 503 UR",
    "remote refused stream reset: 503 UR",
    "remote connection failure: 503 UF",
    "connection timeout: 503 UF",
    "connection termination: 503 UC",
    "overflow: 503 UO",
    "protocol error: 502 UPE",
  ]);
});

test("every pool failure too, and only overflow is an overload", () => {
  const failures = Object.values(PoolFailureReason).map((reason) => failureOfPool(reason));
  expect(failures.map((failure) => failure.text)).toEqual([
    "overflow",
    "remote connection failure",
    "local connection failure",
    "connection timeout",
  ]);
  expect(failures.map((failure) => failure.isOverload)).toEqual([true, false, false, false]);
});

test("details have no white space, with and without a transport failure", () => {
  const failure = failureOfReset(StreamResetReason.ConnectionFailure);
  expect(failureDetails(failure, false, "")).toBe(
    "upstream_reset_before_response_started{remote_connection_failure}",
  );
  expect(failureDetails(failure, true, "a b\tc")).toBe(
    "upstream_reset_after_response_started{remote_connection_failure|a_b_c}",
  );
});
