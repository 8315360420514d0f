/** Machines within this one that start programs on each other by ssh. */
import { assert } from "@std/assert";
import { dirname, join } from "@std/path";
import { exists } from "../../lib/io/files.ts";
import { type Machines, machinesMissing } from "./machines.ts";

/** Why there can be none here; undefined if there can. */
export async function sshMissing(): Promise<string | undefined> {
  return await exists("/usr/sbin/sshd") ? await machinesMissing() : "no sshd";
}

/**
 * Starts sshd on machines, with one key for all in the folder.
 *
 * @returns The path of ssh's settings.
 */
export async function startSshd(machines: Machines, folder: string, names: readonly string[]): Promise<string> {
  const key = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", `${folder}/key`];
  const made = await machines.command(names[0]!, key).output();
  assert(made.success, new TextDecoder().decode(made.stderr));
  const path = `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;
  await Deno.writeTextFile(
    join(folder, "sshd_config"),
    [
      `HostKey ${folder}/key`,
      `AuthorizedKeysFile ${folder}/key.pub`,
      ...["StrictModes no", "UsePAM no", "PidFile none"],
      `SetEnv PATH=${path} ACE_BACKEND=wasm ACE_BLAS=off NO_COLOR=1`, // what the image has, and what launched() says
      "",
    ].join("\n"),
  );
  const settings = join(folder, "ssh_config");
  await Deno.writeTextFile(
    settings,
    [
      "Host *",
      `IdentityFile ${folder}/key`,
      "StrictHostKeyChecking no",
      "UserKnownHostsFile /dev/null",
      "LogLevel ERROR",
      "",
    ]
      .join("\n"),
  );
  for (const name of names) {
    const sshd = `mount -t tmpfs run /run && mkdir /run/sshd && /usr/sbin/sshd -f ${folder}/sshd_config`;
    const { success, stderr } = await machines.command(name, ["sh", "-c", sshd]).output();
    assert(success, new TextDecoder().decode(stderr));
  }
  return settings;
}
