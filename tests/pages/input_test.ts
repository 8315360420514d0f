/** The page by mouse, by fingers and by keyboard alone. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type App, appTest, withApp } from "./driver.ts";
import { drag, drop, press, tabTo, touch, wheel } from "./input.ts";

const FIXTURES = fromFileUrl(new URL("../image/", import.meta.url));

const picture = (app: App): Promise<string> => app.page.evaluate(`document.getElementById("film").toDataURL()`);

/** Waits until the film looks otherwise than before. */
async function untilOther(app: App, before: string): Promise<string> {
  await app.until(`document.getElementById("film").toDataURL() !== ${JSON.stringify(before)}`);
  return await picture(app);
}

/** Waits until the film is drawn: it is not all black. */
const untilDrawn = (app: App): Promise<void> =>
  app.until(`(() => {
    const film = document.getElementById("film");
    return film.clientWidth > 0 && film.getContext("2d").getImageData(0, 0, film.width, film.height).data.some(
      (value, i) => i % 4 < 3 && value > 0,
    );
  })()`);

appTest("the page takes films and a folder that are dropped on it", async () => {
  await withApp(async (app) => {
    const folder = join(app.folder, "films");
    await Deno.mkdir(join(folder, "deeper"), { recursive: true });
    await Deno.copyFile(join(FIXTURES, "fixtures/interlaced_rgb.png"), join(folder, "deeper/b.png"));
    await Deno.copyFile(join(FIXTURES, "fixtures/jpeg_420.jpg"), join(folder, "a.jpg"));
    await Deno.writeTextFile(join(folder, ".hidden"), "no film");
    await drop(app.page, "drop", [join(FIXTURES, "dicom_fixtures/j2k_16.dcm"), folder]);
    await app.untilText("films-status", "3 films chosen");
    const names: string[] = await app.page.evaluate(
      `[...document.querySelectorAll("#answers tbody th")].map((head) => head.textContent).sort()`,
    );
    assertEquals(names, ["films/a.jpg", "films/deeper/b.png", "j2k_16.dcm"]);
    // The film that is chosen last is the one that is shown, however long the one before takes to decode.
    await app.page.evaluate(`for (const name of ["j2k_16.dcm", "films/a.jpg"]) {
      [...document.querySelectorAll("#answers button")].find((button) => button.textContent === name).click();
    }`);
    await app.untilText("film-title", "films/a.jpg");
    await app.press("ask-now");
    await app.untilText("films-status", "3 films answered");
    assertEquals(await app.text("film-title"), "films/a.jpg");
    const csv = new TextDecoder().decode(await app.download("#films-csv")).trimEnd().split("\n");
    assertEquals(csv[0], "film,answer,pneumonia,no finding,refused");
    assertEquals(csv.slice(1).map((row) => row.split(",")[0]).sort(), names);
  });
});

appTest(
  "the film is zoomed by wheel and by two fingers, moved by dragging, and windowed by the right button",
  async () => {
    await withApp(async (app) => {
      await app.page.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 2 });
      await app.choose("film-files", [join(FIXTURES, "dicom_fixtures/j2k_16.dcm")]);
      await untilDrawn(app);
      const whole = await picture(app);
      await wheel(app.page, "film", -100);
      const near = await untilOther(app, whole);
      await drag(app.page, "film", [40, 20], "left");
      await untilOther(app, near);
      await app.press("zoom-all");
      await app.until(`document.getElementById("film").toDataURL() === ${JSON.stringify(whole)}`);
      await touch(app.page, "film", [[[-20, 0], [-80, 0]], [[20, 0], [80, 0]]]);
      const pinched = await untilOther(app, whole);
      await touch(app.page, "film", [[[0, 0], [50, 0]]]);
      await untilOther(app, pinched);
      await app.press("zoom-all");
      const values = (): Promise<number[]> =>
        app.page.evaluate(`["level", "width"].map((id) => Number(document.getElementById(id).value))`);
      const [level, width] = await values() as [number, number];
      await drag(app.page, "film", [-30, 10], "right");
      await untilOther(app, whole);
      const [lower, narrower] = await values() as [number, number];
      assert(lower > level && narrower < width, `${level}, ${width} to ${lower}, ${narrower}`);
      await app.press("window-reset");
      await app.until(`document.getElementById("film").toDataURL() === ${JSON.stringify(whole)}`);
    });
  },
);

appTest("the page is used by keyboard alone: films, answers, zoom, window, tabs, training", async () => {
  await withApp(async (app) => {
    const { page } = app;
    await page.send("Page.bringToFront");
    const at = (id: string): string => `active.id === "${id}"`;
    await tabTo(page, at("film-files"));
    await tabTo(page, at("film-folder"));
    await tabTo(page, at("film-drawn"));
    await press(page, "Enter");
    await app.untilText("films-status", "4 films chosen");
    await tabTo(page, at("ask-now"));
    await press(page, "Enter");
    await app.untilText("films-status", "4 films answered");
    // The button was disabled meanwhile, and whoever pressed it has the focus back.
    await app.until(`document.activeElement.id === "ask-now"`);
    await tabTo(page, `active.textContent === "drawn_2.png"`);
    await press(page, "Enter");
    await app.untilText("film-title", "drawn_2.png");
    await untilDrawn(app);
    const first = await picture(app);
    await tabTo(page, at("film"));
    await press(page, "+");
    const near = await untilOther(app, first);
    await tabTo(page, at("width"));
    await press(page, "Home");
    await untilOther(app, near);
    await tabTo(page, at("tab-films"));
    await press(page, "ArrowRight");
    await app.until(`document.activeElement.id === "tab-adapt" && !document.getElementById("adapt").hidden`);
    await tabTo(page, at("count"));
    await page.send("Input.insertText", { text: "16" }); // what Tab comes to is selected
    await tabTo(page, at("batch"));
    await page.send("Input.insertText", { text: "8" });
    await press(page, "Enter");
    await app.untilText("run-status", "Done after 2 steps");
    assertEquals(await page.evaluate("document.activeElement.id"), "batch");
    // What cannot be done is said, beside what was tried, and the focus stays.
    await tabTo(page, `active.name === "pairs"`);
    await press(page, "ArrowDown"); // a CSV and its images, of which none are chosen
    await tabTo(page, at("run-start"));
    await press(page, "Enter");
    await app.until(`!document.getElementById("problem").hidden && document.activeElement.id === "run-start"`);
    const seen = `["problem", "run-start"].map((id) => document.getElementById(id).getBoundingClientRect())
      .every(({ top, bottom }) => top >= 0 && bottom <= innerHeight)`;
    assert(await page.evaluate(seen), "the problem and what was pressed are seen together");
  });
});
