// The door to assembly/kit/jwt.ts.
export * from "../assembly/kit/jwt";
