/**
 * The page in Firefox over WebDriver BiDi: `deno run ... firefox.ts FIREFOX ADDRESS [--private]` prints what it answers about
 * drawn films, how it trained two steps, and what it logged as errors. A process of its own, as a test may not use the network, not even this machine's.
 */
import { startDriver } from "./bidi.ts";

const [firefox, address, flag] = Deno.args as [string, string, string?];
const driver = await startDriver(firefox, { isPrivate: flag === "--private" });
try {
  await driver.open(address);
  const answer = await driver.evaluate(`(async () => {
    const element = (id) => document.getElementById(id);
    const until = async (isDone) => { while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 50)); };
    await until(() => /WebAssembly/.test(element("model-line").textContent) || !element("problem").hidden);
    element("film-drawn").click();
    await until(() => document.querySelectorAll("#answers tbody tr").length === 4 || !element("problem").hidden);
    element("ask-now").click();
    await until(() => document.querySelector("#overlay .hyperedges") || !element("problem").hidden);
    const scores = [...document.querySelectorAll("#answers meter")].map((meter) => Number(meter.getAttribute("value")));
    element("count").value = "16";
    element("batch").value = "8";
    element("run-start").click();
    await until(() => /^Done/.test(element("run-status").textContent) || !element("problem").hidden);
    return JSON.stringify({
      trained: element("run-status").textContent,
      warnings: element("run-warnings").textContent,
      scores,
      model: element("model-line").textContent,
      problem: element("problem").textContent,
      isolated: crossOriginIsolated,
    });
  })()`);
  console.log(JSON.stringify({ ...JSON.parse(answer), errors: driver.errors }));
} finally {
  await driver.close();
}
