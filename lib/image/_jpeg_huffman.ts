/** Huffman codes and the bits of a JPEG scan, for the two processes libjpeg-turbo's 8-bit build leaves out. ITU-T T.81. @module */
import { type JpegMarker, jpegMarkers } from "./_jpeg_markers.ts";

/** Codes as the stream states them: how many of each length from 1 to 16, and their symbols in order of length. */
export interface HuffmanCodes {
  counts: Uint8Array;
  symbols: Uint8Array;
}

/** A decoding table: for every 16 bits ahead, the code's length and the symbol. */
export interface HuffmanTable {
  lookup: Uint16Array;
}

/**
 * The table of some codes. Annex C.
 *
 * @throws {Error} If there are more codes than fit.
 */
export function huffmanTable({ counts, symbols }: HuffmanCodes): HuffmanTable {
  // length << 8 | symbol; 0 where no code begins so.
  const lookup = new Uint16Array(65536);
  let code = 0;
  let symbol = 0;
  for (let length = 1; length <= 16; length++) {
    for (let k = 0; k < counts[length - 1]!; k++, code++, symbol++) {
      const from = code << (16 - length);
      const to = (code + 1) << (16 - length);
      if (to > 65536) throw new Error("a Huffman table has more codes than fit");
      lookup.fill(length << 8 | symbols[symbol]!, from, to);
    }
    code <<= 1;
  }
  return { lookup };
}

/** A component of the frame and the tables its scan names. */
export interface ScanComponent {
  id: number;
  horizontal: number;
  vertical: number;
  quantisation: number;
  dc: number;
  ac: number;
}

/** A stream of one scan, taken apart. */
export interface JpegScan {
  process: number;
  precision: number;
  width: number;
  height: number;
  components: ScanComponent[];
  /** By class and number: `dc0` is 0x00, `ac0` 0x10. */
  huffman: Map<number, HuffmanCodes>;
  quantisation: Map<number, Uint16Array>;
  restartInterval: number;
  /** The three parameters of SOS: Ss (the predictor, if lossless), Se, and Al (the point transform). */
  spectral: [number, number, number];
  /** The entropy-coded bytes. */
  data: Uint8Array;
}

function segment(bytes: Uint8Array, marker: JpegMarker): Uint8Array {
  let offset = marker.start;
  while (bytes[offset] === 0xff) offset++;
  return bytes.subarray(offset + 1, offset + 1 + (bytes[offset + 1]! << 8 | bytes[offset + 2]!));
}

/**
 * Takes a sequential or lossless stream apart.
 *
 * @param markers Where its markers are, if that is known.
 * @throws {Error} If it is cut short, has several scans, or a table is misshapen.
 */
export function readScan(bytes: Uint8Array, markers: readonly JpegMarker[] = jpegMarkers(bytes)): JpegScan {
  const scan: JpegScan = {
    process: 0,
    precision: 0,
    width: 0,
    height: 0,
    components: [],
    huffman: new Map(),
    quantisation: new Map(),
    restartInterval: 0,
    spectral: [0, 0, 0],
    data: new Uint8Array(0),
  };
  let scans = 0;
  for (const marker of markers) {
    const { code } = marker;
    if (code === 0xd8 || code === 0xd9) continue;
    const body = segment(bytes, marker);
    if (code === 0xc4) readHuffman(body, scan);
    else if (code === 0xdb) readQuantisation(body, scan);
    else if (code === 0xdd) scan.restartInterval = body[2]! << 8 | body[3]!;
    else if (code === 0xda) {
      if (++scans > 1) throw new Error("it has more than one scan");
      readScanHeader(body, scan);
      scan.data = bytes.subarray(body.byteOffset - bytes.byteOffset + body.length, marker.end);
    } else if (code >= 0xc0 && code <= 0xcf) readFrame(body, code, scan);
  }
  return scan;
}

function readFrame(body: Uint8Array, code: number, scan: JpegScan): void {
  scan.process = code;
  scan.precision = body[2]!;
  scan.height = body[3]! << 8 | body[4]!;
  scan.width = body[5]! << 8 | body[6]!;
  const count = body[7] ?? 0;
  for (let i = 0; i < count; i++) {
    const [id = 0, sampling = 0, quantisation = 0] = body.subarray(8 + 3 * i, 11 + 3 * i);
    scan.components.push({ id, horizontal: sampling >> 4, vertical: sampling & 15, quantisation, dc: 0, ac: 0 });
  }
}

function readHuffman(body: Uint8Array, scan: JpegScan): void {
  for (let offset = 2; offset < body.length;) {
    const counts = body.subarray(offset + 1, offset + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (counts.length < 16 || offset + 17 + total > body.length) throw new Error("a Huffman table is cut short");
    scan.huffman.set(body[offset]!, { counts, symbols: body.subarray(offset + 17, offset + 17 + total) });
    offset += 17 + total;
  }
}

function readQuantisation(body: Uint8Array, scan: JpegScan): void {
  for (let offset = 2; offset < body.length;) {
    const wide = body[offset]! >> 4 !== 0;
    const size = wide ? 128 : 64;
    const raw = body.subarray(offset + 1, offset + 1 + size);
    if (raw.length < size) throw new Error("a quantisation table is cut short");
    const table = Uint16Array.from({ length: 64 }, (_, i) => wide ? raw[2 * i]! << 8 | raw[2 * i + 1]! : raw[i]!);
    scan.quantisation.set(body[offset]! & 15, table);
    offset += 1 + size;
  }
}

function readScanHeader(body: Uint8Array, scan: JpegScan): void {
  const count = body[2] ?? 0;
  if (count !== scan.components.length || body.length !== 6 + 2 * count) {
    throw new Error(`its scan names ${count} components, its frame ${scan.components.length}`);
  }
  scan.components.forEach((component, i) => {
    if (body[3 + 2 * i] !== component.id) throw new Error("its scan names components in another order than its frame");
    component.dc = body[4 + 2 * i]! >> 4;
    component.ac = body[4 + 2 * i]! & 15;
  });
  scan.spectral = [body[3 + 2 * count]!, body[4 + 2 * count]!, body[5 + 2 * count]! & 15];
}

/** The bits of a scan; past the end they are an error, never zeros. */
export class BitReader {
  readonly #data: Uint8Array;
  #offset = 0;
  #bits = 0;
  #count = 0;
  #invented = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Bits available up to 16 are read ahead; beyond the data the code is padded with ones, as encoders do. */
  #fill(wanted: number): void {
    while (this.#count < wanted) {
      const byte = this.#data[this.#offset];
      if (byte === undefined || (byte === 0xff && this.#data[this.#offset + 1] !== 0)) {
        // At the end or a restart marker: supply ones, but remember how many were invented.
        this.#bits = (this.#bits << 8 | 0xff) & 0xffffff;
        this.#invented += 8;
      } else {
        this.#bits = (this.#bits << 8 | byte) & 0xffffff;
        this.#offset += byte === 0xff ? 2 : 1;
      }
      this.#count += 8;
    }
  }

  #take(count: number): void {
    this.#count -= count;
    if (this.#count < this.#invented) throw new Error("its data are cut short or damaged: a scan ends too early");
  }

  /** The next symbol of a table. */
  symbol(table: HuffmanTable): number {
    this.#fill(16);
    const entry = table.lookup[this.#bits >> (this.#count - 16) & 0xffff]!;
    if (entry === 0) throw new Error("its data are damaged: a bit pattern is no Huffman code");
    this.#take(entry >> 8);
    return entry & 255;
  }

  /** `count` bits (at most 16) as T.81's signed difference (F.2.2.1, EXTEND). */
  difference(count: number): number {
    if (count === 0) return 0;
    this.#fill(count);
    const value = this.#bits >> (this.#count - count) & (1 << count) - 1;
    this.#take(count);
    return value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /** Drops the rest of a byte and passes the restart marker that must follow. */
  restart(expected: number): void {
    // Whole bytes read ahead cannot be real ones: reading stops at a marker.
    if (this.#count - this.#invented >= 8) throw new Error("its data are damaged: a restart marker comes too late");
    this.#bits = this.#count = this.#invented = 0;
    while (this.#data[this.#offset] === 0xff && this.#data[this.#offset + 1] === 0xff) this.#offset++;
    if (this.#data[this.#offset] !== 0xff || this.#data[this.#offset + 1] !== 0xd0 + expected) {
      throw new Error(`its data are damaged: restart marker ${expected} is missing`);
    }
    this.#offset += 2;
  }

  /** Refuses entropy-coded bytes that nobody asked for. */
  finish(): void {
    while (this.#data[this.#offset] === 0xff && this.#data[this.#offset + 1] !== 0) this.#offset++;
    if (this.#count - this.#invented >= 8 || this.#offset < this.#data.length) {
      throw new Error("its data are damaged: a scan has more bytes than its image needs");
    }
  }
}
