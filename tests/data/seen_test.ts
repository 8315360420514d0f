import { assertEquals, assertThrows } from "@std/assert";
import { checkUnseen, fingerprint, fingerprints, seenCases, SeenCasesError } from "../../lib/data/seen.ts";

Deno.test("fingerprint() is the start of the id's SHA-256, as heads of 0.1.0 have it", () => {
  assertEquals(fingerprint({ id: "abc" }), "ba7816bf8f01"); // FIPS 180-2's own example
});

Deno.test("checkUnseen() counts cases that training has seen, and other cases of its patients", () => {
  const seen = fingerprints([{ id: "a", patientId: "1" }, { id: "b" }]);
  assertEquals(seen.size, 3);
  checkUnseen([{ id: "c", patientId: "2" }, { id: "1" }], seen, "x"); // an id is no patient
  for (
    const [cases, known] of [[[{ id: "a" }, { id: "c" }], 1], [[{ id: "c", patientId: "1" }, { id: "b" }], 2]] as const
  ) {
    const error = assertThrows(() => checkUnseen(cases, seen, "x.safetensors"), SeenCasesError, `${known} of 2`);
    assertEquals(error.seen, known);
  }
});

Deno.test("seenCases() tells a file that does not say from one of no cases, and refuses what are no fingerprints", () => {
  assertEquals(seenCases(undefined, "x"), undefined);
  assertEquals(seenCases("", "x"), new Set());
  assertEquals(seenCases("0123456789ab", "x"), new Set(["0123456789ab"]));
  assertThrows(() => seenCases("0123456789AB", "x.safetensors"), SyntaxError, '"x.safetensors"');
});
