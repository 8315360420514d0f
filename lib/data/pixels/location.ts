/** Where an image's bytes lie: in a file of its own, or within an archive. @module */
import { readImageBytes } from "../../image/read.ts";
import { hashPath } from "../../io/hash_path.ts";
import { newSha256 } from "../../platform/sha256.ts";
import { system } from "../../platform/system.ts";
import { errorMessage } from "../../platform/error_message.ts";
import { tarBytes } from "../_tar.ts";

/** A file within an archive that is not compressed. */
export interface ImagePart {
  /** Path of the archive. */
  archive: string;
  /** The file's name within it. */
  name: string;
  /** Where its bytes begin. */
  offset: number;
  /** How many they are. */
  size: number;
}

/** The path of an image's file, or its place in an archive. */
export type ImageLocation = string | ImagePart;

/** An image's bytes as they were when they were decoded: whether they have changed since is seen by these. */
export interface FileStamp {
  /** Name of the image, see {@linkcode locationName}. */
  path: string;
  /** Its size, bytes. */
  bytes: number;
  /** When its file or archive was last changed, milliseconds since 1970; null where the file system does not say. */
  changed: number | null;
}

/** The path, or `archive:name`. */
export function locationName(location: ImageLocation): string {
  return typeof location === "string" ? location : `${location.archive}:${location.name}`;
}

/** The stamp of an image. */
export async function stampOf(location: ImageLocation): Promise<FileStamp> {
  const isFile = typeof location === "string";
  const { size, mtime } = await system.stat(isFile ? location : location.archive);
  return {
    path: locationName(location),
    bytes: isFile ? size : location.size,
    changed: mtime?.getTime() ?? null,
  };
}

/**
 * An image's bytes.
 *
 * @throws {Error} If they cannot be read.
 * @throws {SyntaxError} If they are more than 1 GiB, or the archive is cut short.
 */
export async function readLocation(location: ImageLocation): Promise<Uint8Array> {
  if (typeof location === "string") return await readImageBytes(location);
  const { archive, offset, size } = location;
  const file = await system.open(archive).catch((error) => {
    throw new Error(`Cannot read image "${locationName(location)}": ${errorMessage(error).split("\n")[0]}`, {
      cause: error,
    });
  });
  try {
    return await tarBytes(file, offset, size);
  } finally {
    file.close();
  }
}

/** SHA-256 (hex) of an image's bytes. */
export async function hashLocation(location: ImageLocation): Promise<string> {
  if (typeof location === "string") return await hashPath(location);
  return newSha256().update(await readLocation(location)).digest("hex");
}
