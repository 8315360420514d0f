/** The classes of a table's cells. @module */
import { byCodePoint } from "../text/code_point_order.ts";
import { listed } from "../platform/nearest.ts";
import { rowNumber, type Table } from "./csv.ts";
import { ClassError } from "./dataset.ts";
import type { Case } from "./types.ts";

/** The class index of a cell, or the error that names file, row, value and the classes there are. */
export function classIndex(table: Table, row: number, classes: readonly string[], value: string): number {
  const index = classes.indexOf(value);
  if (index < 0) {
    throw new ClassError(
      `Cannot read "${table.path}" row ${rowNumber(row)} as its class must be one of ${listed(classes)}: ` +
        `it is ${JSON.stringify(value)}`,
      value,
      classes,
    );
  }
  return index;
}

/** Thrown where a class cell seems to hold several classes, and no separator was named. */
export class JointClassError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "JointClassError";
  /** What stands between the classes of the cell. */
  readonly separator: string;

  /**
   * An error about a class cell.
   *
   * @param message One line.
   * @param separator What stands between the classes of the cell.
   */
  constructor(message: string, separator: string) {
    super(message);
    this.separator = separator;
  }
}

/** What may stand between the classes of a cell that names several. */
const SEPARATORS = [",", ";", "|"];

/** The first separator of classes in a class's name; undefined where it has none. */
export function classSeparator(name: string): string | undefined {
  return [...name].find((letter) => SEPARATORS.includes(letter));
}

/** Refuses classes such as "COVID-19, ARDS" beside "COVID-19": as one class of its own it would take the other's cases. */
function checkJointClasses(path: string, classes: readonly string[]): void {
  for (const name of classes) {
    for (const separator of SEPARATORS) {
      const parts = name.split(separator).map((part) => part.trim());
      const known = parts.length > 1 ? parts.find((part) => classes.includes(part)) : undefined;
      if (known === undefined) continue;
      throw new JointClassError(
        `Cannot read "${path}" as a cell must name one class: ${JSON.stringify(name)} holds ${
          JSON.stringify(known)
        }, ` +
          "which is a class itself; say what separates classes, or which classes there are",
        separator,
      );
    }
  }
}

/** The classes of some rows, and what reads a row's; none where no column of classes is named. */
export function classesOf(
  table: Table,
  rows: readonly number[],
  { label, separator, classes: given }: { label?: string; separator?: string; classes?: readonly string[] },
): { classes: readonly string[]; targetOf: (row: number) => Pick<Case, "target" | "targets"> } {
  if (label === undefined) return { classes: [], targetOf: () => ({}) };
  const column = table.column(label);
  const namesOf = (row: number): string[] => {
    const cell = table.rows[row]![column]!.trim();
    return separator === undefined ? [cell] : cell.split(separator).map((part) => part.trim()).filter(Boolean);
  };
  const classes = given ?? [...new Set(rows.flatMap(namesOf))].sort(byCodePoint);
  if (given === undefined && separator === undefined) checkJointClasses(table.path, classes);
  return {
    classes,
    targetOf(row) {
      const targets = namesOf(row).map((name) => classIndex(table, row, classes, name));
      return separator === undefined
        ? { target: targets[0]! }
        : { targets: classes.map((_, i) => targets.includes(i) ? 1 : 0) };
    },
  };
}
