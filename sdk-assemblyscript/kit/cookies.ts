// The door to assembly/kit/cookies.ts.
export * from "../assembly/kit/cookies";
