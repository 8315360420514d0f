/** Text made safe for the place it is put in. @module */

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** `text` as HTML or SVG text or attribute value. Control characters other than tab and newline are dropped. */
export function escapeHtml(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "").replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}

/** `text` as plotly text, whose `<b>`-like tags and entities it would otherwise read. */
export function plotText(text: string): string {
  return text.replace(/[&<>]/g, (c) => ENTITIES[c]!);
}

/** A value as JSON inside a `<script>` element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c").replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
}
