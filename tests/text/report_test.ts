/** The cleaning of reports equals what GLoRIA's and MGCA's gives. */
import { assertEquals } from "@std/assert";
import { reportSentences } from "../../lib/text/report.ts";
import { edgeTexts, hashIds, latinTexts, randomTexts } from "./corpus.ts";
import FIXTURE from "./report_fixtures.json" with { type: "json" };

Deno.test("reportSentences() gives GLoRIA's and MGCA's sentences of each report", () => {
  for (const [text, expected] of FIXTURE.reports) {
    assertEquals(reportSentences(text!).join(" | "), expected, JSON.stringify(text));
  }
});

Deno.test("reportSentences() gives them of any text: odd ones, all writing systems, damaged Latin", async () => {
  const groups = { edge: edgeTexts, random: randomTexts, latin: latinTexts };
  for (const [name, texts] of Object.entries(groups)) {
    const hash = await hashIds(texts.map((text) => reportSentences(text)));
    assertEquals(hash, FIXTURE.hashes[name as keyof typeof groups], name);
  }
});
