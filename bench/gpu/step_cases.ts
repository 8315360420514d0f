/** A whole training step of ACE-LoRA and both encodings, at BiomedCLIP's size and MINI's. Nothing to check in float64. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import type { EncoderResult } from "../../lib/clip/towers/encoder.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { encoding, imageTower, textTower, trainingStep } from "../counts.ts";
import { randomIds, randomPixels, startTraining } from "../work.ts";
import { NARROW } from "./dispatches.ts";
import type { Case, Prepared } from "./row.ts";

/** A model to time. */
interface Subject {
  /** Its name in the rows; torch_peer.py uses the same. */
  name: string;
  /** Sizes. */
  encoders: ClipConfig;
  /** Pairs a step. */
  batch: number;
  /** Pairs encoded at a time, each of the ways to time. */
  micro: readonly number[];
}

const FULL: readonly Subject[] = [
  { name: "BiomedCLIP", encoders: BIOMED_CLIP, batch: 64, micro: [16] },
  { name: "MINI", encoders: MINI, batch: 64, micro: [64, 16] },
];

const shallow: ClipConfig = {
  ...NARROW,
  vision: { ...NARROW.vision, depth: 1 },
  text: { ...NARROW.text, depth: 1 },
};
const TINY: readonly Subject[] = [{ name: "tiny", encoders: shallow, batch: 2, micro: [1] }];

/** Training steps: loss, gradients and AdamW, dropout on; each call changes the model a little. */
function stepCase(subject: Subject, micro: number): Case {
  const { name, encoders, batch } = subject;
  const count = trainingStep(name, encoders, batch);
  return {
    op: "training step",
    shape: `${name}, ${batch} pairs, ${micro} at a time`,
    bytes: count.weightBytes + count.activationBytes,
    flops: count.flop,
    tolerance: 0,
    deviceTime: false,
    prepare: async (): Promise<Prepared> => {
      const config: AceLoraConfig = { encoders, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN };
      const base = initClip(encoders, 1);
      const [pixels, ids] = [randomPixels(encoders, batch), randomIds(encoders, batch)];
      const params = await initAceLora(base, config);
      const training = startTraining(aceLoraModel(config), params, batchOf({ pixels, ids }));
      const free = () => {
        training.dispose();
        tf.dispose([pixels, ids]);
      };
      return { run: async () => [await training.step({ microBatch: micro })], want: () => [], free };
    },
  };
}

/** Encodings in evaluation mode, without LoRA (which is merged then), every projected token and the affinity. */
function encodeCases({ name, encoders, batch, micro }: Subject): Case[] {
  const size = Math.min(batch, micro[0]!);
  const make = (
    op: string,
    tower: ReturnType<typeof imageTower>,
    prepare: (base: ReturnType<typeof initClip>) => { input: Tensor; encode: () => EncoderResult },
  ): Case => {
    const count = encoding(name, tower, size);
    return {
      op,
      shape: `${name}, ${size} at a time`,
      bytes: count.weightBytes + count.activationBytes,
      flops: count.flop,
      tolerance: 0,
      deviceTime: false,
      prepare: () => {
        const base = initClip(encoders, 1);
        const { input, encode } = prepare(base);
        const run = () => {
          const { tokens, affinity } = encode();
          return affinity ? [tokens, affinity] : [tokens];
        };
        const free = () => {
          disposeParams(base);
          input.dispose();
        };
        return { run, want: () => [], free };
      },
    };
  };
  return [
    make("image encoding", imageTower(encoders), (base) => {
      const input = randomPixels(encoders, size);
      return { input, encode: () => encodeImage(base, input, encoders, { affinity: "logits" }) };
    }),
    make("text encoding", textTower(encoders), (base) => {
      const input = randomIds(encoders, size);
      return { input, encode: () => encodeText(base, input, encoders, { affinity: "probabilities" }) };
    }),
  ];
}

/** All of them; `tiny` for a software adapter. */
export function stepCases(tiny: boolean): Case[] {
  return (tiny ? TINY : FULL).flatMap((subject) => [
    ...encodeCases(subject),
    ...subject.micro.map((micro) => stepCase(subject, micro)),
  ]);
}
