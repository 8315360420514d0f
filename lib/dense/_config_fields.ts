/** Checks of a head's config as a file states it. @module */
import { shownValue } from "../io/_errors.ts";
import { isRecord } from "../io/fields.ts";

/** The fields of a config, and how one is refused. */
export interface ConfigFields {
  /** The field's value, undefined when there is none. */
  field(name: string): unknown;
  /** Throws an Error that names the field unless `holds`. */
  check(name: string, holds: boolean, expected: string): void;
}

/** Looks at a value that should be an object. */
export function configFields(config: unknown): ConfigFields {
  const fields = isRecord(config) ? config : {};
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
