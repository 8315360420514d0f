/**
 * DICOM's data elements, read strictly: every length is checked against the bytes there are, nothing is allocated for a
 * length, and the walk ends with the pixel data. PS3.5, sections 7 and A. Own code because dicom-parser lets a length run
 * past the end (implicit VR) and takes encapsulated pixels without their delimiter.
 *
 * @module
 */

/** How the elements after the meta group are written. */
export interface Encoding {
  explicit: boolean;
  littleEndian: boolean;
}

/** A stretch of bytes. */
export interface Span {
  start: number;
  length: number;
}

/** One element; `fragments` (the offset table first) when its pixels are encapsulated. */
export interface Element extends Span {
  tag: number;
  vr: string;
  fragments?: Span[];
}

/** Elements by tag (`group << 16 | element`, unsigned), and where they are. */
export interface DataSet {
  bytes: Uint8Array;
  encoding: Encoding;
  elements: Map<number, Element>;
}

/** (7FE0,0010). */
export const PIXEL_DATA = 0x7fe00010;

const ITEM = 0xfffee000, ITEM_END = 0xfffee00d, SEQUENCE_END = 0xfffee0dd;
const UNDEFINED = 0xffffffff;
const MAX_DEPTH = 32;
const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const SHORT = new Set(
  "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(" "),
);

/** A tag as the standard prints it. */
function tagName(tag: number): string {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, "0");
  return `(${hex(tag >>> 16)},${hex(tag & 0xffff)})`;
}

/** A cursor that cannot leave its bytes. */
class Reader {
  readonly view: DataView;
  offset: number;
  readonly end: number;
  readonly encoding: Encoding;

  constructor(bytes: Uint8Array, span: Span, encoding: Encoding) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = span.start;
    this.end = span.start + span.length;
    this.encoding = encoding;
  }

  need(count: number, what: string): void {
    if (this.offset + count > this.end) {
      throw new Error(`${what} at byte ${this.offset} needs ${count} bytes, ${this.end - this.offset} are left`);
    }
  }

  u16(): number {
    this.need(2, "a number");
    this.offset += 2;
    return this.view.getUint16(this.offset - 2, this.encoding.littleEndian);
  }

  u32(): number {
    this.need(4, "a number");
    this.offset += 4;
    return this.view.getUint32(this.offset - 4, this.encoding.littleEndian);
  }

  tag(): number {
    const group = this.u16();
    return (group << 16 | this.u16()) >>> 0;
  }
}

/** Reads a tag, its VR and its length; the cursor then stands at the value. */
function readHead(reader: Reader): Element {
  const offset = reader.offset;
  reader.need(8, "an element");
  const tag = reader.tag();
  if (!reader.encoding.explicit || tag >>> 16 === 0xfffe) {
    const length = reader.u32();
    return { tag, vr: "", start: reader.offset, length };
  }
  const vr = String.fromCharCode(reader.view.getUint8(reader.offset), reader.view.getUint8(reader.offset + 1));
  reader.offset += 2;
  if (SHORT.has(vr)) {
    const length = reader.u16();
    return { tag, vr, start: reader.offset, length };
  }
  if (!LONG.has(vr)) {
    throw new Error(`element ${tagName(tag)} at byte ${offset} has no value representation DICOM knows`);
  }
  reader.offset += 2;
  const length = reader.u32();
  return { tag, vr, start: reader.offset, length };
}

function checkLength(reader: Reader, element: Element): void {
  if (element.start + element.length > reader.end) {
    throw new Error(
      `element ${tagName(element.tag)} says ${element.length} bytes, ${reader.end - element.start} are left`,
    );
  }
}

/** Walks a sequence of undefined length; returns its items' values. */
function readItems(reader: Reader, depth: number, explicitItems: boolean): Span[] {
  if (depth > MAX_DEPTH) throw new Error(`sequences are nested more than ${MAX_DEPTH} deep`);
  const items: Span[] = [];
  for (;;) {
    const head = readHead(reader);
    if (head.tag === SEQUENCE_END && head.length === 0) return items;
    if (head.tag !== ITEM) throw new Error(`a sequence holds ${tagName(head.tag)} where an item or its end must be`);
    if (head.length !== UNDEFINED) {
      checkLength(reader, head);
      reader.offset = head.start + head.length;
    } else {
      const inner = new Reader(viewBytes(reader), { start: reader.offset, length: reader.end - reader.offset }, {
        ...reader.encoding,
        explicit: explicitItems,
      });
      for (;;) {
        const element = readHead(inner);
        if (element.tag === ITEM_END && element.length === 0) break;
        skipValue(inner, element, depth);
      }
      reader.offset = inner.offset;
    }
    items.push({ start: head.start, length: reader.offset - head.start });
  }
}

function viewBytes(reader: Reader): Uint8Array {
  const { buffer, byteOffset, byteLength } = reader.view;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Moves past a value; an encapsulated one gets its fragments. */
function skipValue(reader: Reader, element: Element, depth: number): void {
  if (element.length !== UNDEFINED) {
    checkLength(reader, element);
    reader.offset = element.start + element.length;
    return;
  }
  // PS3.5 6.2.2: a UN of undefined length holds implicit little-endian items.
  const explicitItems = reader.encoding.explicit && element.vr !== "UN";
  const items = readItems(reader, depth + 1, explicitItems);
  element.length = reader.offset - element.start;
  if (element.tag === PIXEL_DATA) element.fragments = items;
}

/**
 * The elements of a stretch, up to and including the pixel data.
 *
 * @param bytes What holds them.
 * @param options The stretch, how it is written, and from which group on to stop.
 * @throws {Error} If a length runs past the end, a VR is unknown or a tag comes twice.
 */
export function readElements(
  bytes: Uint8Array,
  options: { span: Span; encoding: Encoding; untilGroup?: number },
): { dataSet: DataSet; end: number } {
  const reader = new Reader(bytes, options.span, options.encoding);
  const elements = new Map<number, Element>();
  while (reader.offset < reader.end) {
    // The group is looked at first: what follows the meta group may be written in another encoding.
    const group = reader.u16();
    reader.offset -= 2;
    if (options.untilGroup !== undefined && group >= options.untilGroup) break;
    const element = readHead(reader);
    if (elements.has(element.tag)) throw new Error(`element ${tagName(element.tag)} comes twice`);
    skipValue(reader, element, 0);
    elements.set(element.tag, element);
    if (element.tag === PIXEL_DATA) break;
  }
  return { dataSet: { bytes, encoding: options.encoding, elements }, end: reader.offset };
}

/** The bytes of an element's value, or undefined when it is absent or empty. */
export function valueBytes({ bytes, elements }: DataSet, tag: number): Uint8Array | undefined {
  const element = elements.get(tag);
  return element && element.length > 0 ? bytes.subarray(element.start, element.start + element.length) : undefined;
}

/** A text value without its padding, or undefined. */
export function text(dataSet: DataSet, tag: number): string | undefined {
  const value = valueBytes(dataSet, tag)?.subarray(0, 1024);
  if (!value) return undefined;
  let out = "";
  for (const byte of value) out += byte === 0 ? " " : String.fromCharCode(byte);
  return out.trim();
}

/** The first number of a decimal or integer string, or undefined. */
export function decimal(dataSet: DataSet, tag: number): number | undefined {
  const value = text(dataSet, tag)?.split("\\")[0]?.trim();
  if (!value) return undefined;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) {
    throw new Error(`element ${tagName(tag)} must be a number: current value is "${value.slice(0, 32)}"`);
  }
  return Number(value);
}

/** The 16-bit unsigned numbers of a value, or undefined. */
export function words(dataSet: DataSet, tag: number): number[] | undefined {
  const value = valueBytes(dataSet, tag);
  if (!value) return undefined;
  if (value.length % 2 !== 0) {
    throw new Error(`element ${tagName(tag)} must have an even length: it has ${value.length}`);
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: value.length >> 1 }, (_, i) => view.getUint16(2 * i, dataSet.encoding.littleEndian));
}

/** The first item of a sequence as a data set, or undefined. */
export function firstItem(dataSet: DataSet, tag: number): DataSet | undefined {
  const element = dataSet.elements.get(tag);
  if (!element || element.length < 8) return undefined;
  const reader = new Reader(dataSet.bytes, element, dataSet.encoding);
  const head = readHead(reader);
  if (head.tag !== ITEM) return undefined;
  const undefinedLength = head.length === UNDEFINED;
  if (!undefinedLength) checkLength(reader, head);
  const length = undefinedLength ? element.start + element.length - head.start : head.length;
  return readElements(dataSet.bytes, {
    span: { start: head.start, length },
    encoding: dataSet.encoding,
    untilGroup: 0xfffe,
  }).dataSet;
}
