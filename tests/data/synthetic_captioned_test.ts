/** Images with two captions: twins of one chest, and the other modalities. */
import { assert, assertEquals } from "@std/assert";
import { otherImage, twinFilm } from "../../lib/data/synthetic/captioned_pairs.ts";
import { FILMS, plainCaption } from "../../lib/data/synthetic/captions.ts";
import { drawFilm } from "../../lib/data/synthetic/chest.ts";
import { caseSeed } from "../../lib/data/synthetic/seeds.ts";

Deno.test("twinFilm() draws both films on one chest, each with findings of its own", () => {
  let differ = 0;
  for (let seed = 0; seed < 40; seed++) {
    const [a, b] = [0, 1].map((twin) => twinFilm(seed, { twin: twin as 0 | 1, evenShare: 0.7 }));
    const chest = caseSeed(seed, { set: "pretraining", index: 2 });
    assertEquals(a!.image(32), drawFilm(chest, { findings: a!.findings, size: 32 }).image);
    assertEquals(b!.image(32), drawFilm(chest, { findings: b!.findings, size: 32 }).image);
    if (a!.plain() !== b!.plain()) differ++;
  }
  assert(differ > 25, `${differ} of 40 pairs of twins show different findings`);
});

Deno.test("twinFilm() has a coarse caption that says film and projection alone, and a plain one of what is drawn", () => {
  const words = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const film = twinFilm(seed, { twin: 0, evenShare: 0.7 });
    const coarse = film.coarse();
    assertEquals(film.coarse(), coarse, "the same each time");
    assert(FILMS.some((name) => [name, `${name}, AP view`, `${name}, PA view`].includes(coarse)), coarse);
    assertEquals(film.plain(), plainCaption(film.findings));
    words.add(coarse);
  }
  assert(words.size > FILMS.length, "projections are named at times");
});

Deno.test("otherImage() shows each other modality, its caption coarse and plain at once", () => {
  const modalities = new Set<string>();
  for (let seed = 0; seed < 30; seed++) {
    const plan = otherImage(seed);
    modalities.add(plan.modality);
    assertEquals([plan.findings.length, plan.coarse()], [0, plan.plain()]);
  }
  assertEquals([...modalities].sort(), ["fundus", "histopathology", "mri"]);
});
