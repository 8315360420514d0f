import { assertEquals } from "@std/assert";
import { mayHangInFinalize } from "../../lib/distributed/pmi.ts";

Deno.test("mayHangInFinalize() is true of MPICH on UCX before 4.2 alone", () => {
  const version = (number: string, device: string): string =>
    `MPICH Version:      ${number}\nMPICH Release date: unknown\nMPICH Device:       ${device}\n`;
  for (
    const [about, expected] of [
      [version("4.0.2", "ch4:ucx"), true],
      [version("3.4.3", "ch4:ucx"), true],
      [version("4.1", "ch4:ucx"), true],
      [version("4.1.2", "ch4:ucx"), true],
      [version("4.2.0", "ch4:ucx"), false],
      [version("5.0.2", "ch4:ucx ofi"), false],
      [version("4.0.2", "ch4:ofi"), false],
      ["Open MPI v4.1.4, package: Debian OpenMPI", false],
    ] as const
  ) assertEquals(mayHangInFinalize(about), expected, about);
});
