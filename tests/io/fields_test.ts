import { assertEquals, assertThrows } from "@std/assert";
import {
  checkedFields,
  FieldError,
  type FieldRule,
  INTERVAL,
  orAbsent,
  orNull,
  SHARE,
  SIZE,
  WHOLE,
  word,
} from "../../lib/io/fields.ts";

const fits = (rule: FieldRule, values: readonly unknown[]): boolean[] => values.map((value) => rule.fits(value));

Deno.test("a field's rules take what they name and nothing beside it", () => {
  assertEquals(fits(INTERVAL, [[0, 1], [1, 1], [1, 0], [0], [0, 1, 2], [0, NaN], null]), [
    ...[true, true],
    ...[false, false, false, false, false],
  ]);
  assertEquals(fits(WHOLE, [0, 3, -1, 0.5, 2 ** 53, "1"]), [true, true, false, false, false, false]);
  assertEquals(fits(SIZE, [1, 0, Infinity]), [true, false, false]);
  assertEquals(fits(SHARE, [0, 1, 1.01, -0.01, NaN]), [true, true, false, false, false]);
  assertEquals(fits(orNull(SIZE), [1, null, undefined, 0]), [true, true, false, false]);
  assertEquals(fits(orAbsent(SIZE), [1, undefined, null, 0]), [true, true, false, false]);
  assertEquals(fits(word(["a", "b"]), ["a", "b", "c", 0]), [true, true, false, false]);
});

Deno.test("checkedFields() names the file, the field within its record and what is there", () => {
  const rules = { epoch: WHOLE, best: orNull(SHARE) };
  assertEquals(checkedFields("r.json", { epoch: 1, best: null, other: 2 }, rules).epoch, 1);
  for (
    const [value, words] of [
      [{ epoch: 1 }, 'Cannot read "r.json" as "run.best" must be a number in [0, 1], or null: it is missing'],
      [{ epoch: -1, best: 1 }, '"run.epoch" must be a whole number of at least 0: current value is -1'],
      [[], '"run" must be an object: current value is []'],
    ] as const
  ) {
    assertThrows(() => checkedFields("r.json", value, rules, "run"), FieldError, words);
  }
});
