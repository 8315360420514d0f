/** Parts of tf.js (4.22.0) that its types call private. @module */

/**
 * The parts of an object of tf.js.
 *
 * @param names All of them: another version may not have them.
 * @throws {Error} If it has not.
 */
export function privateParts<Parts extends object>(of: object, names: readonly (string & keyof Parts)[]): Parts {
  if (hasParts<Parts>(of, names)) return of;
  const missing = names.find((name) => !(name in of));
  throw new Error(`Cannot use tf.js as it must be 4.22.0: this one's ${of.constructor.name} has no "${missing}"`);
}

function hasParts<Parts extends object>(of: object, names: readonly (string & keyof Parts)[]): of is Parts {
  return names.every((name) => name in of);
}
