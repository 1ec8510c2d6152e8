// What an editor must know to read a filter's sources as asc does: the types and built-in
// functions of AssemblyScript, and the decorators that the SDK's transform reads.
// tsconfig.filter.json brings it in; asc itself never sees this file.
// oxlint-disable-next-line typescript/triple-slash-reference -- an import would make it a module
/// <reference path="./numbers.d.ts" />
/// <reference types="assemblyscript/std/types/assembly/index.d.ts" />

// The runtime's own functions, which the standard declarations leave out and the SDK uses.
declare function __new(size: usize, id: u32): usize;
declare function __renew(object: usize, size: usize): usize;
declare function __pin(object: usize): usize;
declare function __unpin(object: usize): void;

/**
 * Registers a class that extends HttpFilter or NetworkFilter under the `root_id` of the host's
 * configuration; without one it serves every root id. The callbacks of the hooks that the class
 * overrides are exported, and no other.
 */
declare function filter(rootId: string): (target: unknown) => void;
declare function filter(target: unknown): void;

/**
 * Registers a class that extends Plugin: what has one object per configuration, for ticks, queues and
 * state. Without a root id it belongs to the module's only filter.
 */
declare function plugin(rootId: string): (target: unknown) => void;
declare function plugin(target: unknown): void;

/**
 * A class whose public fields are the members of a configuration object. Their initialisers are the
 * defaults; what does not fit is refused with its JSON pointer, and so is a member that is no field.
 * With a name it is the variant of an abstract @config class whose member `type` has that name. A
 * method `validate(): string | null` says what else is wrong.
 */
declare function config(variant: string): (target: unknown) => void;
declare function config(target: unknown): void;

/** The member must be there. */
declare function required(target: unknown, field: string): void;

/** The least and the most that a number may be; of durations and sizes also as text. */
declare function range(
  least: f64 | string,
  most: f64 | string,
): (target: unknown, field: string) => void;

/** So many characters, elements or members at least. */
declare function minLength(length: i32): (target: unknown, field: string) => void;

/** The values that a string or whole number may have. */
declare function oneOf(...values: string[]): (target: unknown, field: string) => void;
declare function oneOf(...values: f64[]): (target: unknown, field: string) => void;

/** A regular expression that a string must match somewhere; write ^ and $ for all of it. */
declare function pattern(expression: string): (target: unknown, field: string) => void;

/** The member's name, when it is not that of the field. */
declare function key(name: string): (target: unknown, field: string) => void;

/** A duration: the field holds milliseconds, the configuration says "500ms", "1.5s", "2m", "1h". */
declare function duration(initial: string): (target: unknown, field: string) => void;
declare function duration(target: unknown, field: string): void;

/** A size: the field holds bytes, the configuration says "64KiB", "1MiB", or a number of bytes. */
declare function bytes(initial: string): (target: unknown, field: string) => void;
declare function bytes(target: unknown, field: string): void;

/** Nothing that is logged shows the value. */
declare function secret(target: unknown, field: string): void;

/** How many bytes of a body are collected for onFullRequestBody or onFullResponseBody: "1MiB". */
declare function maxBody(size: string | u32): (target: unknown, hook: string) => void;
