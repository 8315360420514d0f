/** A DICOM file's two parts: the meta group, which names the transfer syntax, and the data set. PS3.10, section 7. @module */
import { type DataSet, type Encoding, readElements, type Span, text } from "./_dicom_elements.ts";
import { defined } from "../platform/defined.ts";
import { inflateRawSync } from "../platform/zlib.ts";
import { errorCode, errorMessage } from "../platform/error_message.ts";

const EXPLICIT_LITTLE: Encoding = { explicit: true, littleEndian: true };
const IMPLICIT_LITTLE: Encoding = { explicit: false, littleEndian: true };
const EXPLICIT_BIG: Encoding = { explicit: true, littleEndian: false };
const TRANSFER_SYNTAX = 0x00020010;

/** Most bytes a deflated data set may inflate to. */
const MAX_INFLATED = 128 * 2 ** 20;

const IMPLICIT = "1.2.840.10008.1.2";
const EXPLICIT = "1.2.840.10008.1.2.1";
const DEFLATED = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";

function ascii(bytes: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** How a data set without a meta group is written, told by its first element; undefined when it is no DICOM. */
function guessEncoding(bytes: Uint8Array, offset: number): Encoding | undefined {
  const [a, b, c, d] = bytes.subarray(offset, offset + 4);
  if (a === undefined || d === undefined || bytes.length < offset + 8) return undefined;
  const explicit = /^(UL|CS|UI|SH|DA|TM|LO|OB)$/.test(ascii(bytes, offset + 4, 2));
  // A data set begins in group 0008 (0004 for a directory is no image), at a low element.
  if (a === 0x08 && b === 0 && d === 0 && c! <= 0x18) {
    if (explicit) return EXPLICIT_LITTLE;
    const length = new DataView(bytes.buffer, bytes.byteOffset + offset + 4, 4).getUint32(0, true);
    return length <= 64 ? IMPLICIT_LITTLE : undefined;
  }
  if (a === 0 && b === 0x08 && c === 0 && d <= 0x18 && explicit) return EXPLICIT_BIG;
  return undefined;
}

/** Where the meta group or, without one, the data set begins. */
function startOf(bytes: Uint8Array): number {
  return bytes.length >= 132 && ascii(bytes, 128, 4) === "DICM" ? 132 : 0;
}

function hasMeta(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === 2 && bytes[offset + 1] === 0 && bytes[offset + 3] === 0 &&
    /^[A-Z]{2}$/.test(ascii(bytes, offset + 4, 2));
}

/** Whether the bytes are a DICOM file: with its preamble, or beginning with an element as bare data sets do. */
export function isDicom(bytes: Uint8Array): boolean {
  const offset = startOf(bytes);
  return offset === 132 || hasMeta(bytes, offset) || guessEncoding(bytes, offset) !== undefined;
}

/**
 * Reads a file's elements up to the pixel data.
 *
 * @param bytes The whole file, or its beginning as far as `untilGroup`.
 * @param untilGroup Group from which on elements are not looked at. @default {all are}
 * @throws {Error} If it is cut short or contradicts itself; without a transfer syntax it is taken as uncompressed.
 */
export function readDicomFile(
  bytes: Uint8Array,
  untilGroup?: number,
): { dataSet: DataSet; transferSyntax: string } {
  const elementsOf = (data: Uint8Array, span: Span, encoding: Encoding): DataSet =>
    readElements(data, { span, encoding, ...defined({ untilGroup }) }).dataSet;
  const offset = startOf(bytes);
  const rest = { start: offset, length: bytes.length - offset };
  if (!hasMeta(bytes, offset)) {
    const encoding = guessEncoding(bytes, offset);
    if (!encoding) throw new Error("its first element must be in group 0002 or 0008");
    const transferSyntax = encoding.explicit ? (encoding.littleEndian ? EXPLICIT : BIG_ENDIAN) : IMPLICIT;
    return { dataSet: elementsOf(bytes, rest, encoding), transferSyntax };
  }
  const meta = readElements(bytes, { span: rest, encoding: EXPLICIT_LITTLE, untilGroup: 3 });
  const transferSyntax = text(meta.dataSet, TRANSFER_SYNTAX);
  if (!transferSyntax) throw new Error("its meta group must name a transfer syntax (0002,0010)");
  if (transferSyntax === DEFLATED) {
    const inflated = inflate(bytes.subarray(meta.end));
    const span = { start: 0, length: inflated.length };
    return { dataSet: elementsOf(inflated, span, EXPLICIT_LITTLE), transferSyntax };
  }
  const encoding = transferSyntax === IMPLICIT
    ? IMPLICIT_LITTLE
    : transferSyntax === BIG_ENDIAN
    ? EXPLICIT_BIG
    : EXPLICIT_LITTLE;
  const span = { start: meta.end, length: bytes.length - meta.end };
  return { dataSet: elementsOf(bytes, span, encoding), transferSyntax };
}

function inflate(compressed: Uint8Array): Uint8Array {
  try {
    const { buffer, byteOffset, length } = inflateRawSync(compressed, { maxOutputLength: MAX_INFLATED });
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    throw new Error(
      errorCode(error) === "ERR_BUFFER_TOO_LARGE"
        ? `its deflated data set inflates to more than ${MAX_INFLATED} bytes`
        : `its deflated data set does not inflate (${errorMessage(error)})`,
    );
  }
}
