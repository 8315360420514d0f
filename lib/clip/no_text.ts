/** What a model without a text tower says to whoever asks it about texts. @module */

/** The error for texts given to an image tower alone. */
export class NoTextTowerError extends TypeError {
  /** Name shown in stack traces. */
  override name = "NoTextTowerError";

  /** An error about a model. */
  constructor() {
    super(
      "Cannot encode texts as the model must have a text tower: it is an image tower alone, for features, probes and dense tasks",
    );
  }
}
