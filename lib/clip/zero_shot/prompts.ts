/** The texts that classes are asked with. @module */

import { checkValue, TEXTS } from "../../platform/options.ts";

/** The paper's two prompt templates for chest radiographs; `{c}` is the class name. */
export const CHEST_TEMPLATES: readonly string[] = ["a chest X-ray image of {c}.", "Findings suggesting {c}."];

/** Templates for histopathology tiles; the paper publishes none, these are ours. */
export const HISTOPATHOLOGY_TEMPLATES: readonly string[] = [
  "a histopathology image of {c}.",
  "a microscopic image of {c} stained with hematoxylin and eosin.",
];

/**
 * All prompts, class by class.
 *
 * @param classes Class names.
 * @param templates Each holds `{c}` once.
 * @returns `classes.length * templates.length` texts; prompt `p` of class `c` is at `c * templates.length + p`.
 * @throws {SyntaxError} If a template has no `{c}`.
 * @throws {RangeError} If there is no class or no template.
 * @throws {TypeError} If they are no lists of texts.
 */
export function promptTexts(classes: readonly string[], templates: readonly string[] = CHEST_TEMPLATES): string[] {
  checkValue("make prompts", "classes", classes, TEXTS);
  checkValue("make prompts", "templates", templates, TEXTS);
  if (classes.length === 0 || templates.length === 0) {
    throw new RangeError(
      `Cannot make prompts as there must be a class and a template: current values are ${classes.length} and ${templates.length}`,
    );
  }
  for (const template of templates) {
    if (!template.includes("{c}")) {
      throw new SyntaxError(`Cannot use a prompt template as it must contain {c}: current value is "${template}"`);
    }
  }
  return classes.flatMap((name) => templates.map((template) => template.replaceAll("{c}", name)));
}
