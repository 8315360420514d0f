import { assert, assertEquals, assertThrows } from "@std/assert";
import { createProgress, formatDuration, type ProgressOptions } from "../../lib/display/progress.ts";

/** A progress display with a clock and a paper of its own. */
function setUp(total: number, options: ProgressOptions = {}) {
  const written: string[] = [], clock = { ms: 0 };
  const progress = createProgress(total, {
    write: (text) => void written.push(text),
    now: () => clock.ms,
    terminal: false,
    columns: 100,
    ...options,
  });
  return { progress, written, clock };
}

Deno.test("createProgress() draws a bar with loss, rate and time left on a terminal", () => {
  const { progress, written, clock } = setUp(40, { terminal: true, label: "train", itemsPerStep: 64, unit: "pairs" });
  clock.ms = 1000;
  progress.update(10, { loss: 2.5, learningRate: 0.001 });
  assertEquals(written, [
    "\r\x1b[2Ktrain [#######-----------------------] 10/40  loss 2.5000  lr 1.00e-3  640 pairs/s  3.0 s left"
      .replace("#######-----------------------", "########----------------------"),
  ]);
});

Deno.test("createProgress() redraws a terminal at most ten times a second and always at the end", () => {
  const { progress, written, clock } = setUp(1000, { terminal: true });
  for (let i = 1; i <= 1000; i++) {
    clock.ms = i;
    progress.update(i);
  }
  assertEquals(written.length, 10);
  progress.finish();
  assert(written.at(-2)!.includes("1000/1000") && written.at(-2)!.includes("took 1.0 s"));
  assertEquals(written.at(-1), "\n");
});

Deno.test("createProgress() never fills more than the terminal's columns", () => {
  const { progress, written, clock } = setUp(9, { terminal: true, columns: 24, label: "a long label" });
  clock.ms = 500;
  progress.update(3, { loss: 1, learningRate: 1 });
  for (const text of written) assert(text.replace("\r\x1b[2K", "").length < 24, text);
});

Deno.test("createProgress() writes plain lines now and then without a terminal, the last state once", () => {
  const { progress, written, clock } = setUp(100, { plainInterval: 5000, label: "encode" });
  for (let i = 1; i <= 100; i++) {
    clock.ms = i * 120;
    progress.update(i);
  }
  progress.finish();
  assertEquals(written.map((line) => line.split("  ")[0]), [
    "encode 1/100",
    "encode 43/100",
    "encode 85/100",
    "encode 100/100",
  ]);
  assert(written.every((line) => line.endsWith("\n") && !line.includes("\x1b") && !line.includes("\r")));
});

Deno.test("createProgress() takes the rate from the recent past and from where resumed work starts", () => {
  const { progress, written, clock } = setUp(1000, { start: 900, plainInterval: 0 });
  clock.ms = 60_000; // one slow step
  progress.update(901);
  for (let i = 1; i <= 40; i++) {
    clock.ms = 60_000 + i * 100;
    progress.update(901 + i);
  }
  assert(written[0]!.includes("901/1000  0.02 items/s"), written[0]!);
  assert(written.at(-1)!.includes("941/1000  10.0 items/s  5.9 s left"), written.at(-1)!);
});

Deno.test("createProgress() keeps a note apart from the bar", () => {
  const { progress, written, clock } = setUp(2, { terminal: true });
  clock.ms = 1000;
  progress.update(1);
  progress.note("saved");
  assertEquals(written[1], "\r\x1b[2Ksaved\n");
  assert(written[2]!.includes("1/2"));
});

Deno.test("createProgress() of no steps ends without dividing by zero", () => {
  const { progress, written } = setUp(0);
  progress.finish();
  assertEquals(written, ["0/0  took 0.0 s\n"]);
});

Deno.test("createProgress() refuses a total that is no count", () => {
  assertThrows(() => createProgress(-1), RangeError, "current value is -1");
  assertThrows(() => createProgress(1.5), RangeError, "current value is 1.5");
});

Deno.test("formatDuration() carries seconds into minutes and hours", () => {
  assertEquals(
    [0, 4.24, 9.96, 59.6, 185, 3599.7, 7620, Infinity].map(formatDuration),
    ["0.0 s", "4.2 s", "10 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "2 h 07 min", "?"],
  );
});
