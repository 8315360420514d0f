/**
 * An unpickler that can build plain values and nothing else: each opcode and each global must be on a list. Objects of the
 * classes a caller calls opaque are read past: their place is kept, nothing of theirs is run.
 *
 * Source: CPython's Lib/pickletools.py (protocols 2 to 5) and torch/_weights_only_unpickler.py for which opcodes a state dict
 * needs; this list adds protocol 4's strings and memo.
 *
 * @module
 */
import { unreadable } from "./_errors.ts";
import { Cursor } from "./_pickle_cursor.ts";
import { Machine, type UnpickleOptions } from "./_pickle_machine.ts";
import { OPCODE_NAMES } from "./_pickle_opcodes.ts";
import { errorMessage } from "../platform/error_message.ts";

const tuple = (items: unknown[]): readonly unknown[] => Object.freeze(items);

type Step = (m: Machine, c: Cursor) => void;

const STEPS: Readonly<Record<string, Step>> = {
  MARK: (m) => m.mark(),
  EMPTY_TUPLE: (m) => m.make(tuple([])),
  TUPLE: (m) => m.make(tuple(m.popToMark())),
  TUPLE1: (m) => m.make(tuple([m.pop()])),
  TUPLE2: (m) => m.make(tuple([m.pop(), m.pop()].reverse())),
  TUPLE3: (m) => m.make(tuple([m.pop(), m.pop(), m.pop()].reverse())),
  EMPTY_LIST: (m) => m.make([]),
  APPEND: (m) => m.append([m.pop()]),
  APPENDS: (m) => m.append(m.popToMark()),
  EMPTY_DICT: (m) => m.make(new Map()),
  SETITEM: (m) => m.setItems([m.pop(), m.pop()].reverse()),
  SETITEMS: (m) => m.setItems(m.popToMark()),
  EMPTY_SET: (m) => m.set(),
  ADDITEMS: (m) => m.append(m.popToMark()),
  FROZENSET: (m) => {
    m.popToMark();
    m.set();
  },
  NONE: (m) => m.push(null),
  NEWTRUE: (m) => m.push(true),
  NEWFALSE: (m) => m.push(false),
  BININT: (m, c) => m.push(c.i32()),
  BININT1: (m, c) => m.push(c.u8()),
  BININT2: (m, c) => m.push(c.u16()),
  LONG1: (m, c) => m.push(c.integer(c.u8())),
  LONG4: (m, c) => m.push(c.integer(c.u32())),
  BINFLOAT: (m, c) => m.push(c.f64()),
  BINUNICODE: (m, c) => m.push(c.string(c.u32())),
  SHORT_BINUNICODE: (m, c) => m.push(c.string(c.u8())),
  BINUNICODE8: (m, c) => m.push(c.string(c.u64())),
  BINBYTES: (m, c) => m.push(c.take(c.u32())),
  SHORT_BINBYTES: (m, c) => m.push(c.take(c.u8())),
  BINBYTES8: (m, c) => m.push(c.take(c.u64())),
  BINGET: (m, c) => m.memoGet(c.u8()),
  LONG_BINGET: (m, c) => m.memoGet(c.u32()),
  BINPUT: (m, c) => m.memoPut(c.u8()),
  LONG_BINPUT: (m, c) => m.memoPut(c.u32()),
  MEMOIZE: (m) => m.memoPut(),
  FRAME: (_, c) => void c.u64(),
  GLOBAL: (m, c) => m.global(c.line(), c.line()),
  STACK_GLOBAL: (m) => {
    const name = m.pop();
    m.global(m.pop(), name);
  },
  REDUCE: (m) => m.reduce(),
  NEWOBJ: (m) => m.newObject(),
  NEWOBJ_EX: (m) => {
    m.pop(); // keyword arguments
    m.newObject();
  },
  BUILD: (m) => m.build(),
  BINPERSID: (m) => m.persistent(),
};

function run(bytes: Uint8Array, options: UnpickleOptions): unknown {
  const cursor = new Cursor(bytes);
  const machine = new Machine(options);
  if (cursor.u8() !== 0x80) throw new Error("a pickle must begin with its protocol");
  const protocol = cursor.u8();
  if (protocol < 2 || protocol > 5) throw new Error(`the pickle's protocol must be 2 to 5: found ${protocol}`);
  for (;;) {
    const code = cursor.u8();
    const opcode = OPCODE_NAMES[code];
    if (opcode === "STOP") break;
    const step = opcode === undefined ? undefined : STEPS[opcode];
    if (!step) {
      const shown = opcode ?? `0x${code.toString(16).padStart(2, "0")}`;
      throw new Error(`the pickle has the opcode ${shown} at ${cursor.position - 1}, which is not allowed`);
    }
    step(machine, cursor);
  }
  const value = machine.pop();
  if (machine.stack.length) throw new Error("the pickle leaves more than one value");
  return value;
}

/**
 * Reads a pickle: dicts become Maps, lists arrays, tuples frozen arrays, bytes Uint8Arrays, integers beyond 2^53 bigints. An
 * entry of a dict whose key is no string, number or boolean is left out.
 *
 * @param bytes The pickle; its first value is read.
 * @throws {SyntaxError} If it is damaged, or asks for an opcode or a global that is not allowed; the message names it.
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): unknown {
  try {
    return run(bytes, options);
  } catch (error) {
    throw unreadable(options.name, "a PyTorch file", errorMessage(error));
  }
}
