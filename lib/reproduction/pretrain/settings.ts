/** Settings of a pre-training run. @module */

/** Settings of a pre-training run. */
export interface PretrainSettings {
  /** Seed of weights, data, orders and dropout. */
  seed: number;
  /** Steps of the first stage, which trains the text tower. */
  textSteps: number;
  /** Steps of the second stage, which trains the image tower. */
  imageSteps: number;
  /** Pairs a batch; every pair is drawn anew. */
  batchSize: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Share of chest radiographs among images and texts. */
  chestShare: number;
  /** Share of radiographs that show one finding, each as often as the others; the rest follow the prevalences. */
  evenShare: number;
  /** One batch of texts in so many is in plain words. */
  plainEvery: number;
  /** Share of radiographs captioned in plain words; the others' captions are coarse. */
  plainShare: number;
  /** Share of coarse captions that name one finding, in vague words. */
  findingShare: number;
  /** Share of those that name a wrong one. */
  wrongShare: number;
  /** Share of coarse captions that only say normal or abnormal. */
  statusShare: number;
  /** Tokens a caption of an image; the longest has fewer. */
  captionLength: number;
}

/** The settings the shipped weights were made with. */
export const PRETRAIN: PretrainSettings = {
  seed: 20260317,
  textSteps: 700,
  imageSteps: 900,
  batchSize: 64,
  learningRate: 1e-3,
  chestShare: 0.8,
  evenShare: 0.7,
  plainEvery: 4,
  plainShare: 0.75,
  findingShare: 0.25,
  wrongShare: 0.2,
  statusShare: 0.15,
  captionLength: 24,
};

/** Settings of the recipe that trains image tower and text head together. */
export interface JointSettings {
  /** Seed of weights, data and dropout. */
  seed: number;
  /** Steps. */
  imageSteps: number;
  /** Images a batch; every chest is drawn twice, with other findings. */
  batchSize: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Share of radiographs. */
  chestShare: number;
  /** Share of radiographs that show one finding, each as often as the others; the rest follow the prevalences. */
  evenShare: number;
  /** Weight of what keeps the findings out of the CLS token. */
  twinWeight: number;
  /** Tokens a caption. */
  captionLength: number;
}

/** The settings of `data/mini_joint.safetensors`. */
export const JOINT: JointSettings = {
  seed: 20261129,
  imageSteps: 500,
  batchSize: 64,
  learningRate: 1e-3,
  chestShare: 0.75,
  evenShare: 0.7,
  twinWeight: 10,
  captionLength: 24,
};
