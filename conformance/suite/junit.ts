// Results in the form that CI systems read.
import { isFlaky, type Run } from "./run.ts";

export function junitText(runs: readonly Run[]): string {
  const suites = runs.map(({ target, results, left }) => {
    const failures = results.filter((one) => one.problems.length > 0).length;
    const cases = results.map((one) => {
      const seconds = (one.ms / 1000).toFixed(3);
      const head = `<testcase name="${escaped(one.case.id)}" classname="${one.case.chapter}" time="${seconds}"`;
      if (isFlaky(one)) {
        const text = escaped((one.firstProblems ?? []).join("\n"));
        return `  ${head}><flakyFailure message="failed in the first try">${text}</flakyFailure></testcase>`;
      }
      if (one.problems.length === 0) return `  ${head}/>`;
      return `  ${head}><failure>${escaped(one.problems.join("\n"))}</failure></testcase>`;
    });
    const skipped = left.map(
      (one) =>
        `  <testcase name="${escaped(one.id)}" classname="${one.chapter}"><skipped/></testcase>`,
    );
    const count = results.length + left.length;
    const facts = `tests="${count}" failures="${failures}" skipped="${left.length}"`;
    return [`<testsuite name="${escaped(target)}" ${facts}>`, ...cases, ...skipped, "</testsuite>"];
  });
  return `<?xml version="1.0"?>\n<testsuites>\n${suites.flat().join("\n")}\n</testsuites>\n`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll('"', "&quot;")
    .replace(/[^\n\t -~]/g, "?");
}
