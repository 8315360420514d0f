/** What is said where a class has fewer cases than shots were asked for. @module */
import { inSentence } from "../platform/nearest.ts";

/** Says on stderr of which classes all cases are taken, as there are fewer than `shots`. */
export function tellFewCases(classes: readonly string[], countOf: (index: number) => number, shots: number): void {
  const few = classes.flatMap((name, c) => countOf(c) < shots ? `${name} (${countOf(c)})` : []);
  if (few.length > 0) console.error(`note: fewer than ${shots} cases of ${inSentence(few)}: all of them are taken`);
}
