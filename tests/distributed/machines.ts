/**
 * Machines within this one, as far as a cluster can be had without one: each has its own name, network, processes, shared memory and
 * boot (namespaces of Linux), joined by a bridge on the first. They share the files and the processors. Needs root and iproute2.
 */
import { join } from "@std/path";

/** What becomes a machine: it prints the number of its first process as the machine outside counts. */
const START = `
  read -r pid rest < /proc/self/stat
  mount -t proc proc /proc && mount -t tmpfs shm /dev/shm && mount --bind "$1/hosts" /etc/hosts &&
    cat /proc/sys/kernel/random/uuid > "$1/$2.boot" && mount --bind "$1/$2.boot" /proc/sys/kernel/random/boot_id &&
    hostname "$2" && ip link set lo up && echo "$pid" || exit 1
  while sleep 1d; do :; done`;
const NAMESPACES = ["--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child"];

/** Machines by their names. */
export interface Machines {
  /** A command on one of them. */
  command(name: string, line: readonly string[], options?: Deno.CommandOptions): Deno.Command;
  /** What stands before a command that is to run in a folder of one. */
  prefix(name: string, folder: string): string[];
  /** Ends one at once, with all that runs on it. */
  kill(name: string): Promise<void>;
  /** Ends all of them. */
  close(): Promise<void>;
}

/** Why there can be no machines here; undefined if there can. */
export async function machinesMissing(): Promise<string | undefined> {
  const { success, stderr } = await run([
    "unshare",
    ...NAMESPACES,
    "sh",
    "-c",
    "mount -t proc proc /proc && ip link add name a type bridge",
  ]);
  return success ? undefined : `no machines within this one: ${new TextDecoder().decode(stderr).trim()}`;
}

/** Starts machines; the folder keeps what they need. In a domain, too, if that is given. */
export async function startMachines(folder: string, names: readonly string[], domain?: string): Promise<Machines> {
  const address = (i: number): string => `10.217.0.${i + 1}`;
  await Deno.writeTextFile(
    join(folder, "hosts"),
    ["127.0.0.1 localhost", ...names.map((name, i) => `${address(i)} ${domain ? `${name}.${domain} ` : ""}${name}`), ""]
      .join("\n"),
  );
  const children: Deno.ChildProcess[] = [];
  const pids = new Map<string, string>();
  const kill = async (name: string): Promise<void> => void await run(["kill", "-KILL", pids.get(name)!]);
  const machines: Machines = {
    command: (name, [program, ...args], options = {}) =>
      new Deno.Command("nsenter", { ...options, args: ["-t", pids.get(name)!, "-a", "-w", "--", program!, ...args] }),
    prefix: (name, folder) => ["nsenter", "-t", pids.get(name)!, "-a", "-w", "--", "env", "-C", folder],
    kill,
    async close() {
      for (const name of pids.keys()) await kill(name);
      for (const child of children) await child.status;
    },
  };
  try {
    for (const [i, name] of names.entries()) {
      const args = [...NAMESPACES, "sh", "-c", START, "sh", folder, name];
      const child = new Deno.Command("unshare", { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
      children.push(child);
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      pids.set(name, new TextDecoder().decode(value).trim());
      await reader.cancel();
      const ip = (on: string, line: string) =>
        succeed(["nsenter", "-t", pids.get(on)!, "-n", "ip", ...line.split(" ")]);
      const [first, own] = [names[0]!, i === 0 ? "bridge0" : "eth0"];
      if (i === 0) await ip(name, "link add name bridge0 type bridge");
      else await ip(first, `link add name port${i} type veth peer name eth0 netns ${pids.get(name)}`);
      if (i > 0) await ip(first, `link set port${i} master bridge0 up`);
      await ip(name, `addr add ${address(i)}/24 dev ${own}`);
      await ip(name, `link set ${own} up`);
    }
    return machines;
  } catch (error) {
    await machines.close();
    throw error;
  }
}

function run([program, ...args]: readonly string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command(program!, { args, stdin: "null" }).output()
    .catch((error) => ({
      success: false,
      code: 1,
      signal: null,
      stdout: new Uint8Array(),
      stderr: new TextEncoder().encode(error.message),
    }));
}

async function succeed(line: readonly string[]): Promise<void> {
  const { success, stderr } = await run(line);
  if (!success) throw new Error(`${line.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
