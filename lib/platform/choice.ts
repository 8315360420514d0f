/** Words of a fixed set: a notebook's cell checks no types, and a word mistyped must not choose something else. @module */

/**
 * Refuses a word that is none of those known.
 *
 * @param action What cannot be done with it, such as `train`.
 * @param choice What it is called, the word that was given, and those that there are.
 * @throws {RangeError} If it is none of them.
 */
export function checkChoice(
  action: string,
  choice: { name: string; value: string; among: readonly string[] },
): void {
  const { name, value, among } = choice;
  if (among.includes(value)) return;
  throw new RangeError(
    `Cannot ${action} as ${name} must be one of ${among.join(", ")}: current value is ${JSON.stringify(value)}`,
  );
}
