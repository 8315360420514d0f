/**
 * Writes PyTorch's zip archives: `torch.load(path, weights_only=True)` reads them back.
 *
 * Source: torch/serialization.py (`_save`) and caffe2/serialize/inline_container.cc: stored records, data aligned to 64 bytes by
 * padding in the local header's extra field.
 *
 * @module
 */
import { crc32 } from "../platform/zlib.ts";
import { writeAll, writeFileAtomicWith } from "./files.ts";
import { pickleTree } from "./_pickle_writer.ts";
import { DTYPE_BYTES, elementCount, type TensorData } from "./tensors.ts";
import type { OpenFile } from "../platform/system.ts";

/** What a PyTorch file is written from: dicts are records or Maps, tuples frozen arrays; whole numbers become int, others float. */
export type TorchTree =
  | null
  | boolean
  | number
  | bigint
  | string
  | TensorData
  | readonly TorchTree[]
  | ReadonlyMap<string | number | boolean, TorchTree>
  | { readonly [key: string]: TorchTree };

const ALIGNMENT = 64;
const MAX_BYTES = 0xffff_ffff;
const MAX_RECORDS = 0xffff;

interface ZipMember {
  name: Uint8Array;
  data: Uint8Array;
  crc: number;
  offset: number;
}

/** The fields that a local header and a directory entry share, from "version needed" to "extra length". */
function commonFields(view: DataView, offset: number, member: ZipMember, extraBytes: number): void {
  view.setUint16(offset, 20, true); // version 2.0
  view.setUint16(offset + 2, 0x0800, true); // names are UTF-8
  view.setUint16(offset + 8, (1 << 5) | 1, true); // 1980-01-01
  view.setUint32(offset + 10, member.crc, true);
  view.setUint32(offset + 14, member.data.length, true);
  view.setUint32(offset + 18, member.data.length, true);
  view.setUint16(offset + 22, member.name.length, true);
  view.setUint16(offset + 24, extraBytes, true);
}

/** A local header whose extra field, tagged "FB" as torch's, pads the data to the alignment. */
function localHeader(member: ZipMember): Uint8Array {
  const unpadded = member.offset + 30 + member.name.length + 4;
  const padding = (ALIGNMENT - unpadded % ALIGNMENT) % ALIGNMENT;
  const head = new Uint8Array(30 + member.name.length + 4 + padding).fill(0x5a, 30 + member.name.length + 4);
  const view = new DataView(head.buffer);
  view.setUint32(0, 0x04034b50, true);
  commonFields(view, 4, member, 4 + padding);
  head.set(member.name, 30);
  view.setUint16(30 + member.name.length, 0x4246, true);
  view.setUint16(32 + member.name.length, padding, true);
  return head;
}

function directoryEntry(member: ZipMember): Uint8Array {
  const entry = new Uint8Array(46 + member.name.length);
  const view = new DataView(entry.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, 20, true);
  commonFields(view, 6, member, 0);
  view.setUint32(42, member.offset, true);
  entry.set(member.name, 46);
  return entry;
}

function endRecord(count: number, size: number, offset: number): Uint8Array {
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, offset, true);
  return end;
}

async function writeZip(file: OpenFile, records: [string, Uint8Array][]): Promise<void> {
  const members: ZipMember[] = [];
  let position = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    await writeAll(file, bytes);
    position += bytes.length;
  };
  for (const [name, data] of records) {
    const member = { name: new TextEncoder().encode(name), data, crc: crc32(data), offset: position };
    members.push(member);
    await write(localHeader(member));
    await write(data);
  }
  const start = position;
  for (const member of members) await write(directoryEntry(member));
  await write(endRecord(members.length, position - start, start));
}

/**
 * Writes nested dicts and lists of tensors and plain values as `torch.save` would, whole or not at all.
 *
 * @param tree What to write; the same tensor twice shares its storage.
 * @throws {TypeError} If a value cannot be written, or a tensor's bytes do not fit its shape; the message names it.
 * @throws {RangeError} If it would take 4 GiB or 65,535 records.
 * @throws {Error} If the file cannot be written; the message names it.
 */
export async function writeTorch(path: string, tree: TorchTree): Promise<void> {
  const { pickle, storages } = pickleTree(tree);
  const text = new TextEncoder();
  const records: [string, Uint8Array][] = [
    ["archive/data.pkl", pickle],
    ["archive/byteorder", text.encode("little")],
    ...storages.map(({ data }, i): [string, Uint8Array] => [`archive/data/${i}`, data]),
    ["archive/version", text.encode("3\n")],
  ];
  for (const { dtype, shape, data } of storages) {
    const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
    if (data.length !== bytes) {
      throw new TypeError(
        `Cannot write a tensor as ${dtype} [${shape}] needs ${bytes} bytes: current value is ${data.length}`,
      );
    }
  }
  const size = records.reduce((sum, [name, data]) => sum + data.length + 2 * name.length + 160, 22);
  if (size > MAX_BYTES || records.length >= MAX_RECORDS) {
    throw new RangeError(
      `Cannot write "${path}" as a PyTorch file must stay below 4 GiB and ${MAX_RECORDS} records: ${size} bytes, ${records.length} records`,
    );
  }
  await writeFileAtomicWith(path, (file) => writeZip(file, records));
}
