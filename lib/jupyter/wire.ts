/**
 * A client of Jupyter kernels, as much as it takes to run a cell: ZMTP 3.0 over TCP without security, and messages signed by
 * HMAC.
 *
 * Source: https://rfc.zeromq.org/spec/23 (ZMTP 3.0); https://jupyter-client.readthedocs.io/en/stable/messaging.html, version 5.3.
 *
 * @module
 */
import { createHmac } from "node:crypto";

/** What Jupyter writes for a kernel: where to listen, and the key messages are signed with. */
export interface Connection {
  /** Address. */
  ip: string;
  /** Port of requests. */
  shell_port: number;
  /** Key of the signatures; empty for none. */
  key: string;
}

/** A message, without its signature. */
interface Message {
  /** Type, identity, session. */
  header: { msg_type: string; msg_id: string };
  /** Header of the request it answers. */
  parent: { msg_id?: string };
  /** Body. */
  content: Record<string, unknown>;
}

const COMMAND = 4, LONG = 2, MORE = 1;
const DELIMITER = "<IDS|MSG>";
const encoder = new TextEncoder(), decoder = new TextDecoder();

/** A ZeroMQ socket at one peer. */
class Socket {
  readonly #tcp: Deno.TcpConn;
  #rest: Uint8Array = new Uint8Array();

  constructor(tcp: Deno.TcpConn) {
    this.#tcp = tcp;
  }

  /** Connects as a dealer. */
  static async open(hostname: string, port: number): Promise<Socket> {
    const socket = new Socket(await Deno.connect({ hostname, port }));
    const greeting = new Uint8Array(64);
    greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, ...encoder.encode("NULL")]);
    await socket.#write(greeting);
    await socket.#read(64);
    const property = (name: string, value: string): number[] => [
      ...[name.length, ...encoder.encode(name)],
      ...[0, 0, 0, value.length, ...encoder.encode(value)],
    ];
    await socket.#writeFrame(
      Uint8Array.from([
        5,
        ...encoder.encode("READY"),
        ...property("Socket-Type", "DEALER"),
        ...property("Identity", ""),
      ]),
      COMMAND,
    );
    await socket.#readFrame();
    return socket;
  }

  async send(frames: readonly Uint8Array[]): Promise<void> {
    for (const [i, frame] of frames.entries()) await this.#writeFrame(frame, i < frames.length - 1 ? MORE : 0);
  }

  /** Frames of the next message; commands of the protocol are passed over. */
  async receive(): Promise<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    for (;;) {
      const { flags, body } = await this.#readFrame();
      if (flags & COMMAND) continue;
      frames.push(body);
      if (!(flags & MORE)) return frames;
    }
  }

  close(): void {
    this.#tcp.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#tcp.write(bytes.subarray(sent));
  }

  async #writeFrame(body: Uint8Array, flags: number): Promise<void> {
    const isLong = body.length > 255;
    const frame = new Uint8Array((isLong ? 9 : 2) + body.length);
    frame[0] = flags | (isLong ? LONG : 0);
    if (isLong) new DataView(frame.buffer).setBigUint64(1, BigInt(body.length));
    else frame[1] = body.length;
    frame.set(body, isLong ? 9 : 2);
    await this.#write(frame);
  }

  async #readFrame(): Promise<{ flags: number; body: Uint8Array }> {
    const flags = (await this.#read(1))[0]!;
    const size = flags & LONG
      ? Number(new DataView((await this.#read(8)).slice().buffer).getBigUint64(0))
      : (await this.#read(1))[0]!;
    return { flags, body: await this.#read(size) };
  }

  async #read(count: number): Promise<Uint8Array> {
    const chunk = new Uint8Array(65536);
    while (this.#rest.length < count) {
      const size = await this.#tcp.read(chunk);
      if (size === null) throw new Deno.errors.UnexpectedEof("The kernel closed the connection");
      const joined = new Uint8Array(this.#rest.length + size);
      joined.set(this.#rest);
      joined.set(chunk.subarray(0, size), this.#rest.length);
      this.#rest = joined;
    }
    const bytes = this.#rest.slice(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }
}

/** The parts of a message as they are sent. */
function signed(parts: readonly unknown[], key: string): Uint8Array[] {
  const texts = parts.map((part) => JSON.stringify(part));
  const signature = key === "" ? "" : createHmac("sha256", key).update(texts.join("")).digest("hex");
  return [DELIMITER, signature, ...texts].map((text) => encoder.encode(text));
}

function parsed(frames: readonly Uint8Array[]): Message {
  const texts = frames.map((frame) => decoder.decode(frame));
  const start = texts.indexOf(DELIMITER) + 2;
  const [header, parent, , content] = texts.slice(start, start + 4).map((text) => JSON.parse(text));
  return { header, parent, content };
}

/** A connection to a running kernel. */
export interface KernelClient {
  /** Runs a cell to its end, shown and counted nowhere. Returns the error that ended it. */
  run(code: string): Promise<string | undefined>;
  /** Closes the socket; the kernel goes on. */
  close(): void;
}

/** Connects to a kernel that listens. Rejects with `ConnectionRefused` while it does not yet. */
async function connectKernel({ ip, shell_port, key }: Connection): Promise<KernelClient> {
  const shell = await Socket.open(ip, shell_port);
  const session = crypto.randomUUID();
  const request = async (type: string, content: unknown): Promise<string> => {
    const id = crypto.randomUUID();
    const header = {
      msg_id: id,
      msg_type: type,
      session,
      username: "",
      date: new Date().toISOString(),
      version: "5.3",
    };
    await shell.send(signed([header, {}, {}, content], key));
    return id;
  };
  const answerTo = async (id: string): Promise<Message> => {
    for (;;) {
      const message = parsed(await shell.receive());
      if (message.parent.msg_id === id) return message;
    }
  };
  return {
    async run(code): Promise<string | undefined> {
      const id = await request("execute_request", { code, silent: true, store_history: false, allow_stdin: false });
      const { content } = await answerTo(id);
      return content["status"] === "ok" ? undefined : `${content["ename"]}: ${content["evalue"]}`;
    },
    close: () => shell.close(),
  };
}

/** Waits for a kernel to listen. Gives up when `hasEnded` says so, or after `seconds`. */
export async function waitForKernel(
  connection: Connection,
  options: { hasEnded?: () => boolean; seconds?: number } = {},
): Promise<KernelClient> {
  const { hasEnded = () => false, seconds = 60 } = options;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end && !hasEnded();) {
    try {
      return await connectKernel(connection);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  throw new Error(
    `Cannot reach the kernel as it must listen: ${hasEnded() ? "it has ended" : `${seconds} s have gone`}`,
  );
}

/** Ports of this machine that are free now. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}
