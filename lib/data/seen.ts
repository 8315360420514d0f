/** Which cases a head or an adapter was trained on, as hashes that travel with it. @module */
import type { Case } from "./types.ts";
import { newSha256 } from "../platform/sha256.ts";

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
  return shortHash(item.id);
}

/** Fingerprints of cases and, where they are known, of their patients. */
export function fingerprints(cases: readonly Pick<Case, "id" | "patientId">[]): Set<string> {
  return new Set(cases.flatMap((item) => {
    const { patientId } = item;
    return [fingerprint(item), ...(patientId === undefined ? [] : [shortHash(`patient ${patientId}`)])];
  }));
}

/** Refuses cases that training has seen, or whose patients it has seen. @throws {SeenCasesError} If there is one. */
export function checkUnseen(
  cases: readonly Pick<Case, "id" | "patientId">[],
  seen: ReadonlySet<string>,
  path: string,
): void {
  const known = cases.filter((item) => [...fingerprints([item])].some((fingerprint) => seen.has(fingerprint))).length;
  if (known > 0) throw new SeenCasesError(path, known, cases.length);
}

/** What to say where a file does not tell which cases it was trained on. */
export function unknownCasesNote(path: string): string {
  return `note: "${path}" does not say which cases it was trained on, so that none of them is evaluated here cannot be checked`;
}

/**
 * Fingerprints as they stand in a file, with blanks between.
 *
 * @param text Undefined where the file does not say.
 * @throws {SyntaxError} If they are none; the message names the file.
 */
export function seenCases(text: string | undefined, path: string): Set<string> | undefined {
  if (text === undefined) return undefined;
  const seen = text.split(" ").filter(Boolean);
  const wrong = seen.find((fingerprint) => !/^[0-9a-f]{1,64}$/.test(fingerprint));
  if (wrong === undefined) return new Set(seen);
  throw new SyntaxError(
    `Cannot read "${path}" as its seen must be fingerprints in hex digits: found ${JSON.stringify(wrong.slice(0, 40))}`,
  );
}
