/** Checks of a head's config as a file states it. @module */
import { shownValue } from "../io/_errors.ts";

/** Whether a value is a whole number above 0. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** The fields of a config, and how one is refused. */
export interface ConfigFields {
  /** The field's value, undefined when there is none. */
  field(name: string): unknown;
  /** Throws an Error that names the field unless `holds`. */
  check(name: string, holds: boolean, expected: string): void;
}

/** Looks at a value that should be an object. */
export function configFields(config: unknown): ConfigFields {
  const fields = typeof config === "object" && config !== null ? config as Record<string, unknown> : {};
  const field = (name: string): unknown => Object.hasOwn(fields, name) ? fields[name] : undefined;
  return {
    field,
    check(name, holds, expected): void {
      if (holds) return;
      const current = field(name) === undefined ? "it is missing" : `it is ${shownValue(field(name))}`;
      throw new Error(`its config's "${name}" must be ${expected}: ${current}`);
    },
  };
}
