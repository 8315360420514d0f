/** Checks shared by the metrics; the only makers of their errors. @module */

/** Throws unless `scores` is `[n, columns]`, row-major, without NaN; returns the number of columns. */
export function checkScores(scores: ArrayLike<number>, n: number, what: string): number {
  if (n < 1) throw new RangeError(`Cannot compute ${what} as there must be at least one case: current number is 0`);
  if (scores.length === 0 || scores.length % n !== 0) {
    throw new TypeError(
      `Cannot compute ${what} as scores must hold a whole number of columns for ${n} cases: current length is ${scores.length}`,
    );
  }
  const columns = scores.length / n;
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i]!)) {
      throw new RangeError(
        `Cannot compute ${what} as scores must be numbers: current value at row ${Math.floor(i / columns)}, column ${
          i % columns
        } is NaN`,
      );
    }
  }
  return columns;
}

/** Throws unless every target is an integer in `[0, classes)`. */
export function checkTargets(targets: ArrayLike<number>, classes: number, what: string): void {
  for (let i = 0; i < targets.length; i++) {
    const value = targets[i]!;
    if (!Number.isInteger(value) || value < 0 || value >= classes) {
      throw new RangeError(
        `Cannot compute ${what} as targets must be integers from 0 to ${
          classes - 1
        }: current value at row ${i} is ${value}`,
      );
    }
  }
}

/** Throws when `names` is given and is not one name a column; returns names, by default "0", "1", ... */
export function classNames(names: readonly string[] | undefined, columns: number, what: string): readonly string[] {
  if (names === undefined) return Array.from({ length: columns }, (_, i) => String(i));
  if (names.length !== columns) {
    throw new TypeError(
      `Cannot compute ${what} as there must be one class name for each of the ${columns} columns: current number is ${names.length}`,
    );
  }
  return names;
}
