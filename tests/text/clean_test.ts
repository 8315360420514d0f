import { assert, assertEquals } from "@std/assert";
import { cleanText, collapseWhitespace } from "../../lib/text/clean.ts";
import { unescapeHtml } from "../../lib/text/html.ts";
import { undoMisreading } from "../../lib/text/misread.ts";
import { damagedTexts, htmlNames } from "./corpus.ts";
import { cpuMilliseconds } from "../cpu_time.ts";

Deno.test("cleanText() decodes references twice, straightens quotes and collapses white space", () => {
  assertEquals(cleanText("  a\t\tb\n c\u00a0\u3000d "), "a b c d");
  assertEquals(cleanText("&amp;lt;b&amp;gt; AT&amp;T"), "<b> AT&T");
  assertEquals(cleanText("don\u2019t \u201csay\u201d"), 'don\'t "say"');
  assertEquals(cleanText(""), "");
});

Deno.test("collapseWhitespace() splits where Python's str.split() does", () => {
  assertEquals(collapseWhitespace("a\x1cb\x85c\u2028d"), "a b c d");
  assertEquals(collapseWhitespace("a\ufeffb\u200bc"), "a\ufeffb\u200bc");
});

Deno.test("unescapeHtml() knows all of HTML5's names, as Python lists them", () => {
  assertEquals(Object.keys(htmlNames).length, 2231);
  for (const [name, text] of Object.entries(htmlNames)) assertEquals(unescapeHtml(`&${name}`), text, name);
});

Deno.test("unescapeHtml() reads numeric references as Python does", () => {
  const cases: [string, string][] = [["&#65;", "A"], ["&#x41", "A"], ["&#0;", "\ufffd"], ["&#x80;", "\u20ac"], [
    "&#1;",
    "",
  ]];
  cases.push(["&#xD800;", "\ufffd"], ["&#x110000;", "\ufffd"], ["&#xFDD0;", ""], ["&#x81;", "\x81"], ["&#13;", "\r"], [
    "&#;",
    "&#;",
  ]);
  for (const [text, want] of cases) assertEquals(unescapeHtml(text), want, text);
  assertEquals(unescapeHtml("&notit; &notin; &ampx &unknown;"), "\u00acit; \u2209 &x &unknown;");
});

Deno.test("undoMisreading() undoes it as often as it was done, line by line or word by word", () => {
  assertEquals(undoMisreading("\u00e2\u20ac\u0153x"), "\u201cx");
  assertEquals(undoMisreading("\u00c3\u0192\u00c2\u00a9"), "\u00e9");
  assertEquals(undoMisreading("5\u00c2\u00b0 \u80ba na\u00c3\u00afve"), "5\u00b0 \u80ba na\u00efve");
  assertEquals(undoMisreading("\u201a\u00c4\u00ec"), "\u2013", "a Macintosh's dash");
});

Deno.test("undoMisreading() leaves text alone that was read rightly", () => {
  const texts = [
    "na\u00efve",
    "5 \u00b5g \u00b1 2",
    "caf\u00e9 \u2013 \u20ac3",
    "\u80ba",
    "2\u00d7\u00bd",
    "\u03a9\u00b7cm",
    "\u0394\u00b10.5",
  ];
  // Capitals, small letters and quotation marks that are bytes of UTF-8 in some code page.
  texts.push(
    "P\u00d3\u0141 KI\u0141O",
    "\u042f \u0440\u0430\u0434",
    "\u0422\u0410\u0422\u0410",
    "l\u2019\u00e9cole n\u2019\u00e9tait l\u2019\u00eele",
    "\u00abR\u00c9SUM\u00c9\u00bb",
    "Spa\u00df\u00bb",
  );
  for (const text of texts) assertEquals(undoMisreading(text), text);
});

Deno.test("cleanText() agrees with open_clip's cleaning (ftfy) on most damaged texts, and restores about as many", () => {
  const count = (is: (ours: string, ftfy: string, whole: string) => boolean): number =>
    damagedTexts.filter(([damaged, ftfy, whole]) => is(cleanText(damaged), ftfy, whole)).length;
  assertEquals(damagedTexts.length, 379);
  assertEquals(count((ours, ftfy) => ours === ftfy), 243);
  assertEquals(count((ours, _, whole) => ours === whole), 203);
  assertEquals(count((_, ftfy, whole) => ftfy === whole), 221);
});

Deno.test("cleanText() reads C1 controls as windows-1252, plain forms for ligatures and wide letters, and drops controls", () => {
  assertEquals(cleanText("a\x85 \x93b\x94"), 'a\u2026 "b"');
  assertEquals(cleanText("\ufb01brosis \uff21\uff11 \u01c4"), "fibrosis A1 D\u017d");
  assertEquals(cleanText("\x1b[1;31mred\x1b[0m\x07 \ufeffx\ud800"), "red x\ufffd");
});

Deno.test("cleanText() takes linear time on 200,000 characters of each awkward kind", () => {
  for (
    const piece of [
      "\u00c3 ",
      "&amp;",
      "\u00e2\u20ac",
      "\x1b[1;",
      "\u201c",
      "e\u0301",
      "\ufffd",
      "\u00ed\u00a0\u00bd",
      "&#",
      "\r\n",
    ]
  ) {
    const text = piece.repeat(Math.ceil(200_000 / piece.length));
    const start = cpuMilliseconds();
    cleanText(text);
    const seconds = (cpuMilliseconds() - start) / 1000;
    assert(seconds < 2, `${JSON.stringify(piece)}: ${seconds.toFixed(1)} s`);
  }
  for (
    const nested of [
      "&" + "amp;".repeat(100_000),
      "&" + "#38;#x26;AMP;".repeat(30_000),
      "\x1b[".repeat(50_000) + "1m".repeat(50_000),
    ]
  ) {
    const start = cpuMilliseconds();
    cleanText(nested);
    assert((cpuMilliseconds() - start) / 1000 < 2, nested.slice(0, 12));
  }
  assertEquals(cleanText("&amp;amp;eacute;"), "\u00e9");
});
