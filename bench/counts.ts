/** Operations and bytes, counted from the configurations. @module */
import { BIOMED_CLIP, MINI } from "../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../lib/clip/config.ts";
import { ACE_LORA_HGNN } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";

/** What a piece of work takes at least. */
export interface Count {
  /** What. */
  name: string;
  /** Operations in matrix products, a multiply-add as two. */
  flop: number;
  /** Of them, those of LoRA and ACE-HGNN. */
  added: number;
  /** Bytes of weights read. */
  weightBytes: number;
  /** Bytes of activations written and read. */
  activationBytes: number;
}

interface Tower {
  tokens: number;
  width: number;
  depth: number;
  mlpWidth: number;
  /** Before the blocks, per sample. */
  stemFlop: number;
  stemWeights: number;
  /** Projection head, per token. */
  headFlop: number;
  headWeights: number;
  /** Input bytes per sample. */
  inputBytes: number;
}

/** The image tower in numbers. */
export function imageTower({ vision: tower, embedding }: ClipConfig): Tower {
  const vision = tower as VitConfig;
  const patches = (vision.imageSize / vision.patchSize) ** 2;
  const patch = 3 * vision.patchSize ** 2;
  return {
    ...vision,
    tokens: patches + 1,
    stemFlop: 2 * patches * patch * vision.width,
    stemWeights: patch * vision.width,
    headFlop: 2 * vision.width * embedding,
    headWeights: vision.width * embedding,
    inputBytes: 4 * 3 * vision.imageSize ** 2,
  };
}

/** The text tower in numbers. */
export function textTower({ text, embedding }: ClipConfig): Tower {
  const { width, contextLength } = text;
  const isTwoLayers = text.kind === "bert" && text.head === "mlp";
  const head = isTwoLayers ? width * text.headWidth + text.headWidth * embedding : width * embedding;
  return {
    ...text,
    tokens: contextLength,
    stemFlop: 0,
    stemWeights: contextLength * width, // the rows of the tables that are read
    headFlop: 2 * head,
    headWeights: head,
    inputBytes: 4 * contextLength,
  };
}

/** Products with the block's six weight matrices, one sample. */
const denseFlop = (t: Tower): number => 2 * t.tokens * (4 * t.width ** 2 + 2 * t.width * t.mlpWidth);
/** Q K' and P V of one block, one sample. */
const attentionFlop = (t: Tower): number => 4 * t.tokens ** 2 * t.width;
/** The low-rank products of one block, one sample. */
const loraFlop = (t: Tower): number => ACE_LORA_LORA.targets.length * 4 * t.tokens * t.width * ACE_LORA_LORA.rank;

/**
 * Floats an encoder writes and reads per token and block: two norms, q, k, v, context, two residual sums (8 widths written,
 * and read again; q, k, v take a second reading in no fused kernel), the hidden layer before and after GELU.
 */
const blockFloats = (t: Tower): number => 2 * (8 * t.width + 2 * t.mlpWidth);

/** One encoding of `batch` samples, evaluation mode, merged weights. */
export function encoding(name: string, t: Tower, batch: number): Count {
  const weights = t.depth * (4 * t.width ** 2 + 2 * t.width * t.mlpWidth) + t.stemWeights + t.headWeights;
  return {
    name,
    flop: batch * (t.stemFlop + t.depth * (denseFlop(t) + attentionFlop(t)) + t.tokens * t.headFlop),
    added: 0,
    weightBytes: 4 * weights,
    activationBytes: batch * (t.inputBytes + 4 * t.tokens * t.depth * blockFloats(t)),
  };
}

/** ACE-HGNN's forward pass over `batch` samples of `nodes` local tokens. */
export function hypergraph(
  name: string,
  sizes: { nodes: number; embedding: number; batch: number; form: "sparse" | "dense" },
): Count {
  const { nodes, embedding, batch, form } = sizes;
  const { topK, hidden } = ACE_LORA_HGNN;
  const phi = 4 * embedding * hidden;
  // Sparse: k rows of similarities, k weighted sums of k members, k + 1 rows through one bottleneck, one through the other.
  const sparse = 2 * topK * nodes * embedding + 2 * topK * topK * embedding + (topK + 2) * phi;
  const dense = 2 * nodes ** 2 * embedding + 4 * (nodes + 1) ** 2 * embedding + 2 * (nodes + 1) * phi;
  const flop = batch * (form === "sparse" ? sparse : dense);
  const tokens = (nodes + 1) * embedding;
  // Dense: tokens, hyperedges and nodes, and the incidence, written and read.
  const floats = form === "sparse" ? 2 * tokens : 2 * (3 * tokens + (nodes + 1) ** 2);
  return {
    name,
    flop,
    added: flop,
    weightBytes: 4 * 4 * embedding * hidden,
    activationBytes: 4 * batch * floats,
  };
}

/** A training step: loss, gradients, AdamW. */
export function trainingStep(name: string, config: ClipConfig, batch: number): Count {
  const parts = [imageTower(config), textTower(config)].map((t): Omit<Count, "name"> => {
    const forward = encoding("", t, batch);
    const dense = denseFlop(t);
    // Backward: dX of every product, but not of the first block's q, k, v, nor of the stem.
    const denseBackward = t.depth * dense - 2 * t.tokens * 3 * t.width ** 2;
    const attention = t.depth * attentionFlop(t);
    const lora = 3 * t.depth * loraFlop(t); // forward, dX, dA and dB
    const graph = hypergraph("", {
      nodes: t.tokens - 1,
      embedding: config.embedding,
      batch,
      form: "sparse",
    });
    return {
      flop: forward.flop + batch * (denseBackward + 2.5 * attention + t.tokens * t.headFlop + lora) + 3 * graph.flop,
      added: batch * lora + 3 * graph.flop,
      weightBytes: 2 * (forward.weightBytes + graph.weightBytes),
      // Forward writes and reads; backward reads what was saved and writes and reads as many gradients.
      activationBytes: 2.5 * forward.activationBytes + 3 * graph.activationBytes,
    };
  });
  const sum = (key: "flop" | "added" | "weightBytes" | "activationBytes"): number =>
    parts.reduce((total, part) => total + part[key], 0);
  return {
    name,
    flop: sum("flop"),
    added: sum("added"),
    weightBytes: sum("weightBytes"),
    activationBytes: sum("activationBytes"),
  };
}

/** Everything FLOORS.md lists. */
export function countAll(): Count[] {
  const sizes = [["full size", BIOMED_CLIP], ["MINI", MINI]] as const;
  return sizes.flatMap(([size, config]) => {
    const [image, text] = [imageTower(config), textTower(config)];
    const graph = (t: Tower, what: string, form: "sparse" | "dense"): Count =>
      hypergraph(`${size}: ACE-HGNN ${form}, ${what} (N = ${t.tokens - 1}), batch 64`, {
        nodes: t.tokens - 1,
        embedding: config.embedding,
        batch: 64,
        form,
      });
    return [
      encoding(`${size}: one image`, image, 1),
      encoding(`${size}: one text`, text, 1),
      graph(image, "image", "sparse"),
      graph(image, "image", "dense"),
      graph(text, "text", "sparse"),
      graph(text, "text", "dense"),
      trainingStep(`${size}: training step, batch 64`, config, 64),
    ];
  });
}
