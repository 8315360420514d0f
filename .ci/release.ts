/**
 * `deno task release`: all that must hold before a version is published. It changes nothing and publishes nothing.
 *
 * One line a check, and the first reason of each that fails; exit code 1 then. The tests themselves are `.ci/run`'s.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const DENO_TEST = ["test", "--quiet", "--allow-read", "--allow-write", "--allow-env", "--allow-run", "--deny-net"];
/** Licences that may stand in the module graph of an MIT package. */
const LICENCES = [
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "MPL-2.0",
  "BlueOak-1.0.0",
  "(MIT AND Zlib)",
  "Unlicense",
  "Python-2.0",
  "Apache-2.0 AND MIT",
];
/** Packages whose package.json names no SPDX licence, with what their own file says. */
const NAMED: Record<string, string> = { "dejavu-fonts-ttf": "Bitstream Vera and Arev: free to use and pass on" };

/** A check: the reasons why it fails, none where it holds. */
type Check = () => Promise<string[]>;

async function text(path: string): Promise<string> {
  return await Deno.readTextFile(join(ROOT, path));
}

/** Runs a command in the repository; its last lines where it fails. */
async function run(command: string, args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: ROOT, env: { NO_COLOR: "1" } })
    .output();
  if (code === 0) return [];
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return [`${command.split("/").at(-1)} ${args.join(" ")} failed:\n${said.trim().split("\n").slice(-15).join("\n")}`];
}

/** The version stands in deno.json, in CITATION.cff and as a part of the changelog, and Unreleased is empty or there. */
export function versionProblems(version: string, citation: string, changelog: string): string[] {
  const problems: string[] = [];
  if (!new RegExp(`^version: ${version.replaceAll(".", "\\.")}$`, "m").test(citation)) {
    problems.push(`CITATION.cff is not of version ${version}`);
  }
  if (!/^## Unreleased$/m.test(changelog)) problems.push('CHANGELOG.md has no part "## Unreleased"');
  const unreleased = changelog.split(/^## Unreleased$/m)[1]?.split(/^## /m)[0]?.trim() ?? "";
  if (unreleased !== "") {
    problems.push(`CHANGELOG.md has unreleased changes: they go under "## X.Y.Z" with deno.json's version raised`);
  }
  if (!changelog.includes(`\n## ${version}\n`)) problems.push(`CHANGELOG.md has no part "## ${version}"`);
  return problems;
}

/** Packages of the lock file by name and version. */
export function lockedPackages(lock: { npm?: Record<string, unknown> }): [string, string][] {
  return Object.keys(lock.npm ?? {}).map((key) => {
    const at = key.indexOf("@", 1);
    return [key.slice(0, at), key.slice(at + 1).split("_")[0]!];
  });
}

/** Packages of the lock file whose licence is none of those that may be there. */
export async function licenceProblems(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
  const problems: string[] = [];
  for (const [name, version] of lockedPackages(JSON.parse(await text("deno.lock")))) {
    const path = join(npmCache, "registry.npmjs.org", name, version, "package.json");
    const stored = await Deno.readTextFile(path).catch(() => null);
    if (stored === null) {
      problems.push(`${name}@${version}: not in the cache, run deno install`);
      continue;
    }
    const { license, licenses } = JSON.parse(stored);
    const licence = typeof license === "string" ? license : license?.type ?? licenses?.[0]?.type;
    if (!LICENCES.includes(licence) && !(name in NAMED)) problems.push(`${name}@${version}: licence ${licence}`);
  }
  return problems;
}

/** What is packed holds the files that a package must have. */
export async function shippedProblems(): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "ace-release-" });
  try {
    const failed = await run(Deno.execPath(), ["task", "--quiet", "pack", join(folder, "package")]);
    if (failed.length > 0) return failed;
    const there = await Promise.all(
      ["LICENSE", "README.md", "CHANGELOG.md", "mod.ts"].map((name) =>
        Deno.stat(join(folder, "package", name)).then(() => [], () => [`${name} would not be published`])
      ),
    );
    return there.flat();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CHECKS: Record<string, Check> = {
  "the working tree is clean": async () => {
    const { stdout } = await new Deno.Command("git", { args: ["status", "--porcelain"], cwd: ROOT }).output();
    const changed = new TextDecoder().decode(stdout).trim();
    return changed === "" ? [] : [`not committed:\n${changed.split("\n").slice(0, 5).join("\n")}`];
  },
  "version, citation and changelog agree": async () =>
    versionProblems(
      JSON.parse(await text("deno.json")).version,
      await text("CITATION.cff"),
      await text("CHANGELOG.md"),
    ),
  "format, lint, types, documentation, examples, JSR's dry run": () => run(Deno.execPath(), ["task", "--quiet", "ok"]),
  "licences of what is depended on": licenceProblems,
  "what is shipped": shippedProblems,
  "the documentation's examples, messages and links": () => run(Deno.execPath(), [...DENO_TEST, "tests/docs"]),
  "the notebooks": () => run(Deno.execPath(), [...DENO_TEST, "tests/notebooks"]),
  "the package without JSR": () => run(Deno.execPath(), [...DENO_TEST, "tests/package"]),
};

if (import.meta.main) {
  if (Deno.args.length > 0) {
    console.error("Usage: deno task release: checks that the tree may be tagged and published; it publishes nothing");
    Deno.exit(2);
  }
  let failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    const problems = await check().catch((error: Error) => [error.message]);
    console.log(`${problems.length === 0 ? "ok" : "FAILED"}: ${name}`);
    for (const problem of problems) console.error(`  ${problem}`);
    if (problems.length > 0) failed++;
  }
  console.log(
    failed === 0
      ? "ready: tag the version, then deno publish"
      : `${failed} of ${Object.keys(CHECKS).length} checks failed`,
  );
  Deno.exit(failed === 0 ? 0 : 1);
}
