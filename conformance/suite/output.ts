// What a run prints: how far it is, failures with what was seen, a table by chapter.
import type { CaseChapter } from "../abi/case.ts";
import type { Result } from "./batch.ts";
import { isFlaky, type Run } from "./run.ts";
import { shortened } from "./report.ts";

/** A line on a terminal that is written again and again. */
export class Progress {
  readonly #name: string;
  readonly #count: number;
  readonly #isTerminal: boolean;
  #done: number;
  #failed: number;

  constructor(name: string, count: number) {
    this.#name = name;
    this.#count = count;
    this.#isTerminal = process.stdout.isTTY;
    this.#done = 0;
    this.#failed = 0;
  }

  note({ problems }: Result): void {
    this.#done += 1;
    if (problems.length > 0) this.#failed += 1;
    if (!this.#isTerminal) return;
    const failed = this.#failed === 0 ? "" : `, ${this.#failed} failed`;
    process.stdout.write(`\r${this.#name}: ${this.#done} of ${this.#count}${failed} `);
  }

  end(): void {
    if (this.#isTerminal) process.stdout.write("\r\u001b[K");
  }
}

/** All that helps to understand a failure. */
export function failureText(result: Result, withTrace: boolean): string {
  const { case: one, problems, seen, trace = [] } = result;
  const lines = [`FAILED ${one.id} (${one.verdict})`, ...problems.map((text) => `  ${text}`)];
  lines.push(`  specification: ${one.spec}`);
  if (one.scene.envoy !== undefined) lines.push(`  Envoy 1.40: ${one.scene.envoy}`);
  if (!withTrace || seen === null) return lines.join("\n");
  for (const { callback, args, answers, instance } of seen.told.reports) {
    lines.push(`  ${instance.slice(-8)} ${callback.name}(${args.join()})`);
    for (const [at, call] of callback.calls.entries()) {
      lines.push(`      ${call.name} -> ${answers[at] ?? ""}`);
    }
  }
  for (const exchange of seen.told.exchanges) lines.push(`  ${JSON.stringify(exchange)}`);
  for (const connection of seen.told.connections) lines.push(`  ${JSON.stringify(connection)}`);
  if (trace.length > 0) lines.push("  the host's own trace, of another try:");
  for (const line of trace) lines.push(`    ${line}`);
  return lines.join("\n");
}

/** Chapters with how many of their cases hold. */
export function tableText({ target, version, results, left }: Run): string {
  const chapters = new Map<CaseChapter, [number, number]>();
  for (const { case: one, problems } of results) {
    const [held, all] = chapters.get(one.chapter) ?? [0, 0];
    chapters.set(one.chapter, [held + (problems.length === 0 ? 1 : 0), all + 1]);
  }
  const rows = [...chapters].map(
    ([chapter, [held, all]]) => `  ${chapter.padEnd(22)} ${String(held).padStart(5)} of ${all}`,
  );
  const not = left.length === 0 ? [] : [`  not played: ${left.length}, which the adapter cannot`];
  return [`${target} ${version}`.trim(), ...rows, ...not, ...flakyLines(results)].join("\n");
}

/** What held in the second try only: it counts as held, and is never silent. */
function flakyLines(results: readonly Result[]): string[] {
  const flaky = results.filter(isFlaky);
  if (flaky.length === 0) return [];
  const names = flaky.map(({ case: one, firstProblems = [] }) => {
    return `    ${one.id}: ${shortened(firstProblems[0] ?? "")}`;
  });
  return [`  flaky: ${flaky.length}, which held in the second try only`, ...names];
}

/** Results for programs. */
export function jsonText(runs: readonly Run[]): string {
  const plain = runs.map(({ target, version, results, left }) => ({
    target,
    version,
    cases: results.map((one) => ({
      id: one.case.id,
      verdict: one.case.verdict,
      holds: one.problems.length === 0,
      ...(one.problems.length === 0 ? {} : { problems: one.problems }),
      ...(isFlaky(one) ? { flaky: true, firstProblems: one.firstProblems } : {}),
    })),
    left: left.map((one) => one.id),
  }));
  return `${JSON.stringify(plain, null, 1)}\n`;
}
