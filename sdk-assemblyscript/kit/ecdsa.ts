// The door to assembly/kit/ecdsa.ts.
export * from "../assembly/kit/ecdsa";
