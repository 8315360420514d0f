/** Tip-Adapter, Tip-Adapter-F and CLIP-Adapter against PyTorch (trained.json of make_trained_fixtures.py), start to end. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { PROBE_METHODS } from "../../../lib/eval/probe/methods.ts";
import type { ProbeTask } from "../../../lib/eval/probe/task.ts";
import { testOnBackends } from "../../backends.ts";
import fixture from "./trained.json" with { type: "json" };

/** Largest difference of a logit: nothing trained is computed in double precision; training, in float32 over 20 and 200 steps. */
const TOLERANCES = { "tip-adapter": 1e-5, "tip-adapter-f": 1e-3, "clip-adapter": 1e-3 } as const;

testOnBackends("Tip-Adapter, Tip-Adapter-F and CLIP-Adapter equal PyTorch's from the same start values", async () => {
  for (const given of fixture.cases) {
    const task: ProbeTask = {
      train: { features: given.train, targets: given.train_targets, classes: given.classes },
      validation: { features: given.validation, targets: given.validation_targets, classes: given.classes },
      queries: given.queries,
      classFeatures: given.class_features,
      scale: given.scale,
      seed: given.seed,
    };
    for (const [name, tolerance] of Object.entries(TOLERANCES)) {
      const expected = given[name as keyof typeof TOLERANCES];
      const { scores, chosen } = await PROBE_METHODS[name as keyof typeof TOLERANCES].answer(task);
      assertEquals(scores.length, expected.scores.length);
      expected.scores.forEach((score, i) => assertAlmostEquals(scores[i]!, score, tolerance, `${given.name}, ${name}`));
      if ("alpha" in expected) {
        assertAlmostEquals(chosen!["alpha"]!, expected.alpha, 1e-12, given.name);
        assertAlmostEquals(chosen!["beta"]!, expected.beta, 1e-12, given.name);
      }
    }
  }
});
