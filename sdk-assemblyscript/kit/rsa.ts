// The door to assembly/kit/rsa.ts.
export * from "../assembly/kit/rsa";
