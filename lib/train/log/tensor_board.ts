/** Curves as TensorBoard reads them: an event file of scalars. @module */
import { join } from "@std/path";
import { writeAll } from "../../io/files.ts";
import {
  doubleField,
  type Field,
  floatField,
  integerField,
  joinPieces,
  messageField,
  textField,
} from "../../io/protobuf.ts";
import { CALL, checkOptions, checkValue, type Rules, TEXT, WHOLE } from "../../platform/options.ts";

/** An event file under way. */
export interface EventFile {
  /** Its path. */
  path: string;
  /** Appends figures of a step, by name ("loss", "validation/auroc"); those that are not finite are written as they are. */
  write(step: number, figures: Readonly<Record<string, number>>): Promise<void>;
  /** Closes it. */
  close(): void;
}

/** Options of {@linkcode openEventFile}. */
export interface EventFileOptions {
  /** Milliseconds since 1970. @default {Date.now} */
  now?: () => number;
  /** A run goes on: TensorBoard drops what other files of the folder have from this step on. @default {nothing is dropped} */
  purgeFrom?: number;
}

/** What they must be. */
const EVENT_FILE_RULES: Rules<EventFileOptions> = {
  now: CALL,
  purgeFrom: WHOLE,
};

/**
 * Starts an event file in a folder, which is made when missing. A run that goes on starts another one beside it: TensorBoard
 * joins the files of a folder.
 *
 * Source: TensorFlow's `event.proto` and `record_writer.h` (length and data, each with its masked CRC-32C).
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function openEventFile(folder: string, options: EventFileOptions = {}): Promise<EventFile> {
  checkOptions("write events", options, EVENT_FILE_RULES);
  checkValue("write events", "their folder", folder, TEXT);
  const { now = Date.now, purgeFrom } = options;
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, await nextName(folder, Math.floor(now() / 1000)));
  const file = await Deno.open(path, { createNew: true, append: true, mode: 0o600 });
  const append = (...fields: Field[]): Promise<void> => writeAll(file, record(joinPieces(fields.flat())));
  await append(doubleField(1, now() / 1000), textField(3, "brain.Event:2"));
  if (purgeFrom !== undefined) {
    await append(
      doubleField(1, now() / 1000),
      integerField(2, purgeFrom),
      messageField(7, integerField(1, SESSION_START)),
    );
  }
  return {
    path,
    async write(step, figures) {
      const values = Object.entries(figures).flatMap(([name, value]) =>
        messageField(1, [...textField(1, name), ...floatField(2, value)])
      );
      await append(doubleField(1, now() / 1000), integerField(2, step), messageField(5, values));
    },
    close: () => file.close(),
  };
}

/**
 * TensorBoard reads a folder's files in the order of their names, and a purge is only heard after what it purges: the name
 * follows every one that is there, also when both were made in one second or the clock was set back.
 */
async function nextName(folder: string, seconds: number): Promise<string> {
  let files = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const made = /^events\.out\.tfevents\.(\d+)\./.exec(name);
    if (made === null) continue;
    files++;
    seconds = Math.max(seconds, Number(made[1]));
  }
  return `events.out.tfevents.${seconds}.${String(files).padStart(4, "0")}.ace-lora`;
}

/** `SessionLog.START` of event.proto. */
const SESSION_START = 1;

function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return out;
}

/** CRC-32C (Castagnoli), reflected, of each byte. */
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** The checksum, turned by 15 bits and shifted, so that it is not that of data which holds checksums. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255]! ^ crc >>> 8;
  crc = ~crc >>> 0;
  return ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;
}
