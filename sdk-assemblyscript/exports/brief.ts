// The door to the callbacks of assembly/exports/brief.ts: entry files of filters re-export from here.
export * from "../assembly/exports/brief";
