// The door to assembly/kit/hmac.ts.
export * from "../assembly/kit/hmac";
