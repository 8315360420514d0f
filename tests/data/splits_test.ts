import { assert, assertEquals, assertThrows } from "@std/assert";
import { splitByPatient } from "../../lib/data/splits.ts";
import { hashIds } from "../../lib/data/dataset.ts";
import type { Case } from "../../lib/data/types.ts";

const image = (): Promise<never> => Promise.reject(new Error("not read"));
const cases: Case[] = Array.from({ length: 60 }, (_, i) => ({ id: `c${i}`, patientId: `p${i % 20}`, image }));

Deno.test("splitByPatient() holds out whole patients, the same for the same seed and any order of cases", async () => {
  const { train, test } = splitByPatient(cases, { shares: { test: 0.25 }, seed: 3 });
  assertEquals([train.length, test.length], [45, 15]);
  const held = new Set(test.map((c) => c.patientId));
  assertEquals(train.filter((c) => held.has(c.patientId!)), []);
  const again = splitByPatient([...cases].reverse(), { shares: { test: 0.25 }, seed: 3 });
  assertEquals(await hashIds(again.test.map((c) => c.id).sort()), await hashIds(test.map((c) => c.id).sort()));
  const other = splitByPatient(cases, { shares: { test: 0.25 }, seed: 4 });
  assertEquals(other.test.map((c) => c.id).join() === test.map((c) => c.id).join(), false);
});

Deno.test("splitByPatient() never leaves a part empty, and refuses one patient or a fraction out of range", () => {
  assertEquals(splitByPatient(cases, { shares: { test: 0.001 } }).test.length, 3);
  assertEquals(splitByPatient(cases, { shares: { test: 0.999 } }).train.length, 3);
  assertThrows(() => splitByPatient(cases, { shares: { test: 1 } }), RangeError);
  assertThrows(
    () => splitByPatient(cases.filter((c) => c.patientId === "p1"), { shares: { test: 0.2 } }),
    RangeError,
    "there are 1",
  );
  const { train, validation, test } = splitByPatient(cases.slice(0, 3), { shares: { test: 0.9, validation: 0.01 } });
  assertEquals([train.length, validation.length, test.length], [1, 1, 1]);
});

Deno.test("splitByPatient() by cases keeps patients whole, loses nobody and fills each share", () => {
  const some = Array.from({ length: 100 }, (_, i): Case => ({
    id: String(i),
    ...(i < 80 ? { patientId: String(i >> 2) } : {}),
    image,
  }));
  const { train, validation, test } = splitByPatient(some, {
    shares: { test: 0.15, validation: 0.15 },
    of: "cases",
    seed: 2,
  });
  assertEquals(
    [...train, ...validation, ...test].map(({ id }) => Number(id)).sort((a, b) => a - b),
    some.map((_, i) => i),
  );
  const patients = [train, validation, test].map((part) =>
    new Set(part.map((item) => item.patientId ?? item.id + "x"))
  );
  for (const patient of patients[0]!) assert(!patients[1]!.has(patient) && !patients[2]!.has(patient));
  assert(test.length >= 15 && test.length <= 18 && validation.length >= 15 && validation.length <= 18);
});

Deno.test("splitByPatient() draws what version 0.1.0 drew, so that no trained file meets its cases in a test part", async () => {
  const hash = async (part: readonly Case[]) => (await hashIds(part.map(({ id }) => id))).slice(0, 16);
  const two = splitByPatient(cases, { shares: { test: 0.25 }, seed: 3 });
  const three = splitByPatient(cases, { shares: { test: 0.15, validation: 0.15 }, of: "cases", seed: 1 });
  assertEquals([await hash(two.train), await hash(two.test)], ["2f82a929ecf9fff8", "3174127d2efa0c33"]);
  assertEquals([await hash(three.train), await hash(three.validation), await hash(three.test)], [
    "6d3d3b0895f2d54d",
    "edf28b4fd2786ab5",
    "f438a3a453b82eeb",
  ]);
});
