/** An adapter and a model that do not belong together. @module */

/** The error for an adapter that was made for a model of other sizes. */
export class AdapterSizeError extends TypeError {
  /** Name shown in stack traces. */
  override name = "AdapterSizeError";
  /** The adapter's file. */
  readonly adapter: string;

  /**
   * An error about an adapter and a model.
   *
   * @param message One line that names both sizes.
   * @param adapter The adapter's file.
   */
  constructor(message: string, adapter: string, options?: ErrorOptions) {
    super(message, options);
    this.adapter = adapter;
  }
}
