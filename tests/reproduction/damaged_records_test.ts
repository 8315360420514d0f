/** Every field of every record that a report reads, put to wrong values. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { FieldError } from "../../lib/io/fields.ts";
import { gatherResults } from "../../lib/reproduction/files.ts";
import { reproductionMarkdown, reproductionReport } from "../../lib/reproduction/report.ts";
import { inFolder } from "../folder.ts";
import { sampleRecord, sampleTable4 } from "./sample.ts";

const WRONG: readonly unknown[] = [undefined, null, "x", 0, -1, 1.5, true, [], {}, ["x"], [null], { x: 1 }];
const estimate = { value: 0.5, cases: [0.4, 0.6], patients: null };
const atThreshold = ["sensitivity", "specificity", "ppv", "npv", "f1", "balanced_accuracy"];

const RECORDS: Readonly<Record<string, unknown>> = {
  reproduction: sampleRecord(),
  table4: sampleTable4(),
  evaluation: {
    ...{ schema: 2, command: "evaluate", seed: 1, backend: "wasm", adapter: null, seconds: 1, synthetic: false },
    versions: {},
    configuration: { model: { weights: "w", notice: "only drawings" }, data: { source: "d" }, classes: ["a", "b"] },
    sets: {
      set: {
        "zero-shot": {
          ...{ accuracy: 0.5, accuracy_ci: [0.4, 0.6], auroc: 0.5, auroc_ci: [0.4, 0.6], n: 4, trainable: 0 },
          evaluation: {
            cases: 4,
            ...{ accuracy: estimate, auroc: estimate, auprc: estimate, subgroups: [] },
            classes: {
              b: {
                ...{ auroc: estimate, auprc: estimate },
                ...Object.fromEntries(atThreshold.map((name) => [name, estimate])),
              },
            },
          },
        },
      },
    },
  },
  dense: {
    ...{ command: "detect evaluate", head: "h", figures: { mapStrict: 0.5 }, baselines: { box: { mapStrict: 0 } } },
    data: { name: "d", synthetic: false },
    model: { notice: "only drawings" },
  },
  training: { command: "train", history: [{ loss: 1 }], data: { name: "d" }, seconds: 2, trainable: 3, model: {} },
};

type Path = readonly (string | number)[];

function* paths(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const key of Array.isArray(value) ? [...value.keys()].slice(0, 1) : Object.keys(value)) {
    yield* paths((value as Record<string, unknown>)[key], [...path, key]);
  }
}

function withValue(value: unknown, [key, ...rest]: Path, other: unknown): unknown {
  if (key === undefined) return other;
  const copy = (Array.isArray(value) ? [...value] : { ...value as object }) as Record<string, unknown>;
  copy[key] = withValue(copy[key], rest, other);
  return copy;
}

for (const [kind, record] of Object.entries(RECORDS)) {
  Deno.test(`a report reads a damaged record of ${kind} or refuses it by file and field`, async () => {
    await inFolder(async (folder) => {
      const file = join(folder, "record.json"), wrong: string[] = [];
      const report = async (): Promise<string> => {
        const results = await gatherResults(folder);
        return await reproductionReport(results, { folder }) + await reproductionMarkdown(results, { folder });
      };
      await Deno.writeTextFile(file, JSON.stringify(record));
      await report();
      for (const path of paths(record)) {
        for (const other of WRONG) {
          await Deno.writeTextFile(file, JSON.stringify(withValue(record, path, other)));
          await report().catch((error) => {
            if (error instanceof FieldError && error.path === file) return;
            wrong.push(`${path.join(".")} = ${JSON.stringify(other)}: ${error}`);
          });
        }
      }
      assertEquals(wrong, []);
    });
  });
}
