/** Which cases trained an adapter and which chose its weights, in its file. @module */
import { seenCases, type UsedCases } from "../data/seen.ts";
import { defined } from "../platform/defined.ts";
import type { AdapterFile } from "./record.ts";

/** The lists of a record. */
type CaseLists = Pick<AdapterFile, "seen" | "chose">;

/** How the lists of cases stand in a file: fingerprints in order, with blanks between. */
export function caseTexts(adapter: CaseLists): { seen?: string; chose?: string } {
  const { seen, chose } = adapter;
  return defined({ seen: seen?.join(" "), chose: chose?.join(" ") });
}

/**
 * The lists of cases that a file's fields hold.
 *
 * @throws {SyntaxError} If they are no fingerprints.
 */
export function caseLists(
  fields: Readonly<Record<string, unknown>>,
  file: string,
): CaseLists {
  const listOf = (name: keyof CaseLists): string[] | undefined => {
    const value = fields[name];
    const list = seenCases(value === undefined ? undefined : String(value), file, name);
    return list && [...list];
  };
  return defined({ seen: listOf("seen"), chose: listOf("chose") });
}

/** The lists of cases of an adapter's record. */
export function usedCases({ seen, chose }: CaseLists): UsedCases {
  return defined({ seen: seen && new Set(seen), chose: chose && new Set(chose) });
}

/** Every case that one of several adapters has seen, and every one that chose one's weights, where all tell. */
export function joinedCases(adapters: readonly CaseLists[]): CaseLists {
  const union = (name: keyof CaseLists): string[] | undefined => {
    const lists = adapters.flatMap(({ [name]: list }) => list ? [list] : []);
    return lists.length < adapters.length ? undefined : [...new Set(lists.flat())].sort();
  };
  return defined({ seen: union("seen"), chose: union("chose") });
}
