import { assert, assertEquals } from "@std/assert";
import { cleanText, collapseWhitespace } from "../../lib/text/clean.ts";
import { fixText } from "../../lib/text/fix_text.ts";
import { unescapeHtml, unescapeWholeHtml } from "../../lib/text/html.ts";
import { fixEncoding } from "../../lib/text/mojibake.ts";
import mojibake from "./fixtures/mojibake.json" with { type: "json" };
import { htmlNames } from "./corpus.ts";
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

Deno.test("unescapeWholeHtml() asks for the semicolon and reads names in capitals", () => {
  assertEquals(
    unescapeWholeHtml("P&EACUTE;REZ &eacute &notit; &SZLIG; &nTILDE; &semi;"),
    "P\u00c9REZ &eacute &notit; SS &nTILDE; ;",
  );
});

Deno.test("fixText() leaves references alone once a line holds <", () => {
  assertEquals(fixText("&eacute;\n<p> &eacute;\n&eacute;"), "\u00e9\n<p> &eacute;\n&eacute;");
});

Deno.test("fixText() and cleanText() make of mojibake what ftfy and open_clip make of it", () => {
  assert(mojibake.length > 300);
  for (const [broken, fixed, clean] of mojibake) {
    assertEquals(fixText(broken!), fixed!, JSON.stringify(broken));
    assertEquals(cleanText(broken!), clean!, JSON.stringify(broken));
  }
});

Deno.test("fixEncoding() undoes mojibake done twice, and leaves what looks right", () => {
  assertEquals(fixEncoding("\u00e2\u20ac\u0153x"), "\u201cx");
  assertEquals(fixEncoding("\u00c3\u0192\u00c2\u00a9"), "\u00e9");
  for (const text of ["na\u00efve", "5 \u00b5g \u00b1 2", "caf\u00e9 \u2013 \u20ac3", "\u80ba"]) {
    assertEquals(fixEncoding(text), text);
  }
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
  assertEquals(cleanText("&" + "amp;".repeat(100_000) + "eacute;"), "\u00e9");
});
