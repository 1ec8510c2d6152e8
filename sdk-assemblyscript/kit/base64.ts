// The door to assembly/kit/base64.ts.
export * from "../assembly/kit/base64";
