/** Few-shot methods that train on features: CLIP-Adapter and Tip-Adapter-F. @module */
import * as tf from "@tensorflow/tfjs";
import { featureAdapter, type FeatureAdapterParams } from "../../peft/clip_adapter/layer.ts";
import { CLIP_ADAPTER } from "../../peft/clip_adapter/method.ts";
import { kaimingUniform } from "../../tensor/init.ts";
import { gradientsOf } from "../../tensor/gradients.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { tidy } from "../../tensor/ops.ts";
import { ofRank } from "../../tensor/shape.ts";
import type { Scalar, Tensor, Tensor2D } from "../../tensor/types.ts";
import { adamw, type AdamwState, disposeAdamw, initAdamw } from "../../train/adamw.ts";
import { epochBatches } from "../../train/batches.ts";
import { warmupCosine } from "../../train/schedule.ts";
import { chooseTipAdapter } from "./choose.ts";
import { type LabelledFeatures, tipAdapter } from "./neighbours.ts";
import type { ProbeAnswer, ProbeTask } from "./task.ts";

/** How features are trained on. */
interface TrainingPlan {
  /** Passes over the shots. */
  epochs: number;
  /** Highest learning rate; it falls as a cosine. */
  learningRate: number;
  /** AdamW's epsilon. */
  epsilon: number;
  /** Seed of the orders. */
  seed: number;
}

const BATCH = 256;

/**
 * Trains named tensors on labelled features by cross-entropy and AdamW.
 *
 * @param start Start values; borrowed.
 * @param logits Logits `[B, C]` of a batch of features `[B, E]`.
 * @returns New tensors.
 */
function trainOnFeatures(
  start: ReadonlyMap<string, Tensor>,
  train: LabelledFeatures,
  logits: (tensors: ReadonlyMap<string, Tensor>, features: Tensor2D) => Tensor2D,
  plan: TrainingPlan,
): Map<string, Tensor> {
  const { epochs, learningRate, epsilon, seed } = plan;
  const n = train.targets.length;
  const orders = { batchSize: BATCH, shuffle: true, dropLast: false, seed };
  const totalSteps = epochs * epochBatches(n, 0, orders).length;
  let tensors = new Map([...start].map(([name, x]) => [name, tf.clone(x)]));
  let state: AdamwState = initAdamw(tensors);
  const all = labelledTensors(train);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const batch of epochBatches(n, epoch, orders)) {
      const names = [...tensors.keys()];
      const grads = tidy(() => {
        const rows = tf.tensor1d(batch, "int32");
        const [features, labels] = [tf.gather(all.features, rows), tf.gather(all.labels, rows)];
        const loss = (): Scalar =>
          tf.neg<Scalar>(tf.mean(tf.sum(tf.mul(labels, tf.logSoftmax(logits(tensors, features))), 1)));
        return gradientsOf(loss, [...tensors.values()]).grads; // the loss depends on all
      });
      const gradients = new Map(names.map((name, i) => [name, grads[i]!]));
      const rate = warmupCosine(state.step, { learningRate, warmupSteps: 0, totalSteps });
      const next = adamw(state, tensors, gradients, rate, { epsilon });
      tf.dispose([...tensors.values(), ...gradients.values()]);
      disposeAdamw(state);
      ({ tensors, state } = next);
    }
  }
  disposeAdamw(state);
  tf.dispose([all.features, all.labels]);
  return tensors;
}

function labelledTensors({ features, targets, classes }: LabelledFeatures): { features: Tensor2D; labels: Tensor2D } {
  const n = targets.length;
  const labels = new Float32Array(n * classes);
  for (let i = 0; i < n; i++) labels[i * classes + targets[i]!] = 1;
  return {
    features: tf.tensor2d(Float32Array.from(features), [n, features.length / n]),
    labels: tf.tensor2d(labels, [n, classes]),
  };
}

/**
 * CLIP-Adapter on image features: its bottleneck trained by cross-entropy of `s · f' Wᵀ`, ratio 0.2.
 *
 * Source: Gao et al. 2021. Differs: features are computed once, so images are not augmented; AdamW at 1e-3 with a falling cosine
 * for 200 epochs (theirs: SGD).
 */
export async function clipAdapterProbe(task: ProbeTask): Promise<ProbeAnswer> {
  const { train, queries, scale, seed } = task;
  const width = train.features.length / train.targets.length;
  const hidden = Math.max(1, Math.round(width / CLIP_ADAPTER.reduction));
  const own = deriveSeed(seed, "clip-adapter probe");
  const start = new Map<string, Tensor>([
    ["down", kaimingUniform([hidden, width], own, "down")],
    ["up", kaimingUniform([width, hidden], own, "up")],
  ]);
  const classes = tf.tensor2d(Float32Array.from(task.classFeatures), [train.classes, width]);
  const logits = (tensors: ReadonlyMap<string, Tensor>, features: Tensor2D): Tensor2D =>
    tf.mul(tf.matMul(featureAdapter(layerOf(tensors), features), classes, false, true), scale);
  const trained = trainOnFeatures(start, train, logits, { epochs: 200, learningRate: 1e-3, epsilon: 1e-8, seed: own });
  const asked = tf.tensor2d(Float32Array.from(queries), [queries.length / width, width]);
  const result = tf.tidy(() => logits(trained, asked));
  const scores = Float64Array.from(await result.data());
  tf.dispose([...start.values(), ...trained.values(), classes, asked, result]);
  return { scores };
}

function layerOf(tensors: ReadonlyMap<string, Tensor>): FeatureAdapterParams {
  const weight = (name: string): { weight: Tensor2D } => ({ weight: ofRank(tensors.get(name), 2, name) });
  return { down: weight("down"), up: weight("up"), ratio: CLIP_ADAPTER.ratio };
}

/** Where alpha and beta stand while Tip-Adapter-F trains. */
const TIP_START = { alpha: 1, beta: 5.5 };

/**
 * Tip-Adapter-F: the cached features trained, then alpha and beta chosen on the validation cases.
 *
 * Source: Zhang et al. 2022: AdamW at 1e-3, epsilon 1e-4, 20 epochs, batches of 256. Differs: features are computed once, so
 * images are not augmented.
 */
export async function tipAdapterFProbe(task: ProbeTask): Promise<ProbeAnswer> {
  const { train, queries, classFeatures, scale, seed } = task;
  const own = deriveSeed(seed, "tip-adapter-f probe");
  const { features: keys, labels } = labelledTensors(train);
  const classes = tf.tensor2d(Float32Array.from(classFeatures), [train.classes, keys.shape[1]]);
  const { alpha, beta } = TIP_START;
  const logits = (tensors: ReadonlyMap<string, Tensor>, features: Tensor2D): Tensor2D => {
    const cosines = tf.matMul(features, ofRank(tensors.get("keys"), 2, "keys"), false, true);
    const cache = tf.matMul(tf.exp(tf.mul(tf.sub(cosines, 1), beta)), labels);
    return tf.add(tf.mul(tf.matMul(features, classes, false, true), scale), tf.mul(cache, alpha));
  };
  const plan = { epochs: 20, learningRate: 1e-3, epsilon: 1e-4, seed: own };
  const trained = trainOnFeatures(new Map([["keys", keys]]), train, logits, plan);
  const known = { ...train, features: await trained.get("keys")!.data() };
  tf.dispose([...trained.values(), keys, labels, classes]);
  const chosen = chooseTipAdapter(known, task);
  return { scores: tipAdapter(known, queries, classFeatures, { ...chosen, scale }), chosen };
}
