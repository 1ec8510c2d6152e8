// The door to the callbacks of assembly/exports/bodies.ts: entry files of filters re-export from here.
export * from "../assembly/exports/bodies";
