/** Which cases a head or an adapter was trained on, and which chose its weights, as hashes that travel with it. @module */
import { CASE_RULES } from "./dataset.ts";
import { checkRecord, checkRecords, checkValue, type Rule, TEXT } from "../platform/options.ts";
import type { Case } from "./types.ts";
import { newSha256 } from "../platform/sha256.ts";

/** The cases that made weights what they are, as fingerprints; a list is absent where the file does not say. */
export interface UsedCases {
  /** Those they were trained on, and their patients. */
  seen?: ReadonlySet<string>;
  /** Those whose figures chose them, and their patients: which step's were kept, or when training ended. Empty where none did. */
  chose?: ReadonlySet<string>;
}

/** The error for test cases that training has seen. */
export class SeenCasesError extends RangeError {
  /** Name shown in stack traces. */
  override name = "SeenCasesError";
  /** How many of the cases, or their patients, it has seen. */
  readonly seen: number;

  /**
   * An error about test cases.
   *
   * @param path The file of the head or the adapter.
   * @param seen How many of the cases, or their patients, it has seen.
   * @param total How many there are.
   */
  constructor(path: string, seen: number, total: number) {
    super(
      `Cannot evaluate "${path}" as its training must not have seen the test cases: it has seen ${seen} of ${total}`,
    );
    this.seen = seen;
  }
}

function shortHash(text: string): string {
  return newSha256().update(text).digest("hex").slice(0, 12);
}

/** A case's fingerprint: 12 hex digits of the SHA-256 of its id. */
export function fingerprint(item: Pick<Case, "id">): string {
  checkRecord("name a case", "it", item, CASE_RULES);
  return shortHash(item.id);
}

/** Fingerprints of cases and, where they are known, of their patients. */
export function fingerprints(cases: readonly Pick<Case, "id" | "patientId">[]): Set<string> {
  checkRecords("name cases", "cases", cases, CASE_RULES);
  return new Set(cases.flatMap((item) => {
    const { patientId } = item;
    return [fingerprint(item), ...(patientId === undefined ? [] : [shortHash(`patient ${patientId}`)])];
  }));
}

/** How many of the cases, or of their patients, stand in a list. */
function countListed(cases: readonly Pick<Case, "id" | "patientId">[], list: ReadonlySet<string>): number {
  return cases.filter((item) => !fingerprints([item]).isDisjointFrom(list)).length;
}

/** Fingerprints that are looked in. */
const SEEN: Rule = { must: "a Set of fingerprints", allows: (value) => value instanceof Set };

/** Refuses cases that training has seen, or whose patients it has seen. @throws {SeenCasesError} If there is one. */
export function checkUnseen(
  cases: readonly Pick<Case, "id" | "patientId">[],
  seen: ReadonlySet<string>,
  path: string,
): void {
  checkRecords("look for cases", "cases", cases, CASE_RULES);
  checkValue("look for cases", "seen", seen, SEEN);
  const known = countListed(cases, seen);
  if (known > 0) throw new SeenCasesError(path, known, cases.length);
}

/**
 * What must be known before figures on these cases are believed: that some of them chose the weights, or that a file does not say
 * whether they did, or were trained on.
 *
 * @param path The file of the weights, for messages.
 * @returns A sentence each, without its end; none where nothing is to be said.
 * @throws {SeenCasesError} If training has seen one of the cases, or of their patients.
 */
export function judgedNotes(
  cases: readonly Pick<Case, "id" | "patientId">[],
  used: UsedCases,
  path: string,
): string[] {
  checkRecords("look for cases", "cases", cases, CASE_RULES);
  checkRecord("look for cases", "used", used, { seen: SEEN, chose: SEEN });
  const { seen, chose } = used;
  if (seen) checkUnseen(cases, seen, path);
  const untold = !seen ? "it was trained on" : !chose ? "chose its weights" : undefined;
  const choosing = chose ? countListed(cases, chose) : 0;
  return [
    ...(untold === undefined
      ? []
      : [`"${path}" does not say which cases ${untold}, so that none of them is evaluated here cannot be checked`]),
    ...(choosing === 0 ? [] : [
      `the weights of "${path}" were chosen by figures on ${choosing} of these ${cases.length} cases, or on their patients: here its figures are too good`,
    ]),
  ];
}

/**
 * Fingerprints as they stand in a file, with blanks between.
 *
 * @param text Undefined where the file does not say.
 * @param name What the file calls them. @default {"seen"}
 * @throws {SyntaxError} If they are none; the message names the file.
 */
export function seenCases(
  text: string | undefined,
  path: string,
  name: keyof UsedCases = "seen",
): Set<string> | undefined {
  if (text === undefined) return undefined;
  checkValue("read fingerprints", "they", text, TEXT);
  const listed = text.split(" ").filter(Boolean);
  const wrong = listed.find((fingerprint) => !/^[0-9a-f]{1,64}$/.test(fingerprint));
  if (wrong === undefined) return new Set(listed);
  throw new SyntaxError(
    `Cannot read "${path}" as its ${name} must be fingerprints in hex digits: found ${
      JSON.stringify(wrong.slice(0, 40))
    }`,
  );
}
