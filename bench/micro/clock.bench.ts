// What a look at the clock costs: the thread's own against the system's. See core/clock.ts.
import { Clock } from "../../runtime/src/core/clock.ts";
import type { MicroBench } from "./runner.ts";

const clock = new Clock();

export const benches: readonly MicroBench[] = [
  {
    name: "Clock.nowMs (a field)",
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += clock.nowMs;
      return sum;
    },
  },
  {
    name: "Clock.update (reads the source)",
    run(times) {
      for (let i = 0; i < times; i += 1) clock.update();
      return clock.nowMs;
    },
  },
  {
    name: "Clock.httpDate (one text per second)",
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += clock.httpDate().length;
      return sum;
    },
  },
  {
    name: "new Date().toUTCString()",
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += new Date().toUTCString().length;
      return sum;
    },
  },
];
