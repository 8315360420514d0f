/** Probes against scikit-learn (probe.json of make_probe_fixtures.py), hand-checked numbers and laws. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { minimise } from "../../../lib/eval/probe/lbfgs.ts";
import { fitLogistic, predictLogistic } from "../../../lib/eval/probe/logistic.ts";
import { nearestNeighbours, tipAdapter } from "../../../lib/eval/probe/neighbours.ts";

interface Fixture {
  logistic: {
    name: string;
    width: number;
    c: number;
    objective: number;
    features: number[];
    targets: number[];
    weight: number[];
    bias: number[];
    queries: number[];
    probabilities: number[];
  }[];
  neighbours: {
    features: number[];
    targets: number[];
    queries: number[];
    k: number;
    alike: number[];
    weighted: number[];
  };
}
const fixture: Fixture = JSON.parse(await Deno.readTextFile(new URL("./probe.json", import.meta.url)));

function assertClose(got: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assertEquals(got.length, expected.length);
  expected.forEach((value, i) => assertAlmostEquals(got[i]!, value, tolerance, `at ${i}`));
}

for (const { name, c, features, targets, queries, ...expected } of fixture.logistic) {
  Deno.test(`fitLogistic() equals scikit-learn's LogisticRegression: ${name}`, () => {
    const model = fitLogistic(features, targets, { c });
    assertClose(model.weight, expected.weight, 1e-6);
    assertClose(model.bias, expected.bias, 1e-6);
    assertClose(predictLogistic(model, queries), expected.probabilities, 1e-6);
    const own = predictLogistic(model, features);
    const logLoss = targets.reduce((sum, target, i) => sum - Math.log(own[i * model.classes + target]!), 0);
    const squares = model.weight.reduce((sum, w) => sum + w * w, 0);
    assertAlmostEquals((c * logLoss + squares / 2) / (c * targets.length), expected.objective, 1e-12);
  });
}

Deno.test("nearestNeighbours() equals scikit-learn's, all voting alike and by distance", () => {
  const { features, targets, queries, k, alike, weighted } = fixture.neighbours;
  const known = { features, targets, classes: 3 };
  assertClose(nearestNeighbours(known, queries, { k, temperature: Infinity }), alike, 1e-12);
  assertClose(nearestNeighbours(known, queries, { k }), weighted, 1e-12);
  assertThrows(() => nearestNeighbours(known, queries, { k: 0 }), RangeError, "positive integer");
});

Deno.test("tipAdapter() is zero-shot with alpha 0, and adds exp(0) for a shot that is the query", () => {
  const known = { features: [1, 0, 0, 1], targets: [1, 0], classes: 2 };
  const classes = [0.6, 0.8, 1, 0];
  assertEquals([...tipAdapter(known, [1, 0], classes, { alpha: 0 })], [60, 100]);
  const adapted = tipAdapter(known, [1, 0], classes, { alpha: 2, beta: 3 });
  assertClose(adapted, [60 + 2 * Math.exp(-3), 102], 1e-12);
});

Deno.test("minimise() finds the minimum of an ill-conditioned quadratic and of Rosenbrock's valley", () => {
  const quadratic = minimise((x, g) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      g[i] = 10 ** i * (x[i]! - i);
      sum += 10 ** i * (x[i]! - i) ** 2 / 2;
    }
    return sum;
  }, new Float64Array(6));
  assertClose(quadratic.point, [0, 1, 2, 3, 4, 5], 1e-8);
  const valley = minimise((x, g) => {
    const [a, b] = [x[0]!, x[1]!];
    g[0] = -2 * (1 - a) - 400 * a * (b - a * a);
    g[1] = 200 * (b - a * a);
    return (1 - a) ** 2 + 100 * (b - a * a) ** 2;
  }, new Float64Array([-1.2, 1]));
  assertClose(valley.point, [1, 1], 1e-8);
  assert(valley.iterations < 100);
});

Deno.test("fitLogistic() refuses one class, other lengths, infinite features and a penalty of nothing", () => {
  assertThrows(() => fitLogistic([1, 2, 3], [0, 1]), TypeError, "[n, D]");
  assertThrows(() => fitLogistic([1, 2], [1, 1]), RangeError, "two classes");
  assertThrows(() => fitLogistic([1, Infinity], [0, 1]), RangeError, "row 1");
  assertThrows(() => fitLogistic([1, 2], [0, 1], { c: 0 }), RangeError, "c must be a number above 0");
});
