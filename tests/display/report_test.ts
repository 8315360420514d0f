import { assert, assertEquals, assertRejects } from "@std/assert";
import { lossFigure } from "../../lib/display/curves.ts";
import { buildReport } from "../../lib/display/report.ts";

Deno.test("buildReport() escapes every text and keeps figure data from ending its script", async () => {
  const evil = '</script><img src=x onerror="alert(1)">';
  const html = await buildReport({
    title: evil,
    subtitle: evil,
    sections: [
      { kind: "prose", title: evil, text: [evil] },
      { kind: "facts", facts: { [evil]: evil } },
      { kind: "table", table: { caption: evil, columns: [{ title: evil }], rows: [[evil]] } },
      { kind: "figure", caption: evil, figure: lossFigure([{ name: evil, loss: [1] }], { x: evil, y: evil }) },
    ],
  });
  assert(!html.includes("<img"));
  assertEquals(html.match(/<\/script>/g)?.length, 3);
  assertEquals(html.match(/<script[ >]/g)?.length, 3);
});

Deno.test("buildReport() allows only its own scripts, by hash, and no request", async () => {
  const html = await buildReport({
    title: "t",
    sections: [{ kind: "figure", figure: lossFigure([{ name: "a", loss: [1] }]) }],
  });
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
  assert(policy.includes("default-src 'none'"));
  assert(!policy.includes("http") && !policy.includes("unsafe-eval") && !/script-src[^;]*unsafe/.test(policy));
  const hashes = [];
  for (const [, script] of html.matchAll(/<script>([\s\S]*?)<\/script>/g)) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
    hashes.push(`'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`);
  }
  assertEquals(/script-src ([^;]*)/.exec(policy)![1], hashes.join(" "));
  assertEquals(html.replace(/<script[\s\S]*?<\/script>/g, "").match(/(?:src|href)="(?!data:)[^"]*"|url\(/g), null);
});

Deno.test("buildReport() without a figure carries no script and no plotly", async () => {
  const html = await buildReport({ title: "t", sections: [{ kind: "prose", text: "words" }] });
  assert(html.includes("script-src 'none'") && !html.includes("<script"));
  assert(!/plotly/i.test(html));
});

Deno.test("buildReport() gives the same text for the same content", async () => {
  const report = {
    title: "t",
    sections: [{ kind: "figure", figure: lossFigure([{ name: "a", loss: [1] }]) }],
  } as const;
  assertEquals(await buildReport(report) === await buildReport(report), true);
});

Deno.test("buildReport() refuses a table that does not fit itself", async () => {
  const table = { columns: [{ title: "a" }], rows: [[1, 2]] };
  await assertRejects(() => buildReport({ title: "t", sections: [{ kind: "table", table }] }), TypeError, "1 cells");
});
