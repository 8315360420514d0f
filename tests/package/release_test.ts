/** What `deno task release` checks without running other tests. */
import { assertEquals } from "@std/assert";
import { licenceProblems, lockedPackages, shippedProblems, versionProblems } from "../../.ci/release.ts";

Deno.test("versionProblems() asks for one version everywhere, and for no unreleased change", () => {
  const citation = "title: x\nversion: 1.2.0\n";
  assertEquals(versionProblems("1.2.0", citation, "# Changelog\n\n## Unreleased\n\n## 1.2.0\n\n- a\n"), []);
  assertEquals(versionProblems("1.3.0", citation, "# Changelog\n\n## Unreleased\n\n- b\n\n## 1.2.0\n"), [
    "CITATION.cff is not of version 1.3.0",
    'CHANGELOG.md has unreleased changes: they go under "## X.Y.Z" with deno.json\'s version raised',
    'CHANGELOG.md has no part "## 1.3.0"',
  ]);
  assertEquals(versionProblems("1.2.0", citation, "## 1.1.0\n")[0], 'CHANGELOG.md has no part "## Unreleased"');
});

Deno.test("lockedPackages() reads names with and without a scope, and drops what a peer adds to a version", () => {
  const npm = { "@a/b@1.0.0": {}, "c@2.1.0_d@3.0.0": {} };
  assertEquals(lockedPackages({ npm }), [["@a/b", "1.0.0"], ["c", "2.1.0"]]);
});

Deno.test("every package of the lock file has a licence that an MIT package may depend on, and what is shipped is whole", async () => {
  const problems = await licenceProblems();
  assertEquals(problems.filter((text) => !text.includes("not in the cache")), []);
  assertEquals(await shippedProblems(), []);
});
