import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { float32Tensor, type TensorData } from "../../lib/io/tensors.ts";
import { loadTorch } from "../../lib/io/torch_archive.ts";
import { type TorchTree, writeTorch } from "../../lib/io/torch_writer.ts";
import { hasPython, runPython, skipName } from "./_python.ts";
import { inFolder } from "../folder.ts";

const shared = float32Tensor([2, 3], [1, 2, 3, 4, 5, 6]);
const TREE: TorchTree = {
  shared,
  list: [
    shared,
    1,
    -1,
    255,
    256,
    -129,
    32768,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 40),
    2 ** 70 * 1.5,
    2n ** 70n,
    -(2n ** 71n),
    1.5,
    -0,
  ],
  plain: { name: "é", none: null, yes: true, no: false, empty: [], pair: Object.freeze([1, "b"]) },
  scalar: float32Tensor([], [3]),
  nothing: float32Tensor([0, 3], []),
  half: { dtype: "F16", shape: [2], data: Uint8Array.of(0, 0x3c, 0, 0xc0) } satisfies TensorData,
  long: { dtype: "I64", shape: [1], data: new Uint8Array(BigInt64Array.of(-9n).buffer) } satisfies TensorData,
};

/** Dicts as Maps all the way down, as the reader gives them. */
function asMaps(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(asMaps);
  if (typeof tree !== "object" || tree === null) return tree;
  if ("data" in tree) return { ...tree, data: [...(tree as TensorData).data] };
  const entries = tree instanceof Map ? [...tree] : Object.entries(tree);
  return new Map(entries.map(([key, value]) => [key, asMaps(value)]));
}

Deno.test("writeTorch() and loadTorch() agree on tensors, nesting and plain values", () =>
  inFolder(async (dir) => {
    await writeTorch(join(dir, "x.pt"), TREE);
    assertEquals(asMaps(await loadTorch(join(dir, "x.pt"))), asMaps(TREE));
    assertEquals([...Deno.readDirSync(dir)].length, 1);
  }));

Deno.test("writeTorch() writes a shared tensor once and aligns data to 64 bytes", () =>
  inFolder(async (dir) => {
    const big = float32Tensor([1000], new Float32Array(1000).fill(7));
    await writeTorch(join(dir, "x.pt"), { a: big, b: big });
    const bytes = await Deno.readFile(join(dir, "x.pt"));
    assertEquals(bytes.length < 5600, true, `${bytes.length}`);
    const at = bytes.findIndex((_, i) => i % 4 === 0 && bytes[i + 2] === 0xe0 && bytes[i + 3] === 0x40); // 7.0
    assertEquals(at % 64, 0);
  }));

Deno.test("writeTorch() refuses functions, bytes that do not fit and endless nesting", () =>
  inFolder(async (dir) => {
    const path = join(dir, "x.pt");
    await assertRejects(() => writeTorch(path, { f: (() => 1) as never }), TypeError, '"(file).f"');
    await assertRejects(
      () => writeTorch(path, { a: { dtype: "F32", shape: [2], data: new Uint8Array(4) } }),
      TypeError,
      "8 bytes",
    );
    const loop: TorchTree[] = [];
    loop.push(loop);
    await assertRejects(() => writeTorch(path, loop), TypeError, "nested");
    assertEquals([...Deno.readDirSync(dir)].length, 0);
  }));

const READ_BACK = `
import sys, json, torch
tree = torch.load(sys.argv[1], weights_only=True)
torch.load(sys.argv[1], weights_only=True, mmap=True)
def plain(x):
    if torch.is_tensor(x): return [str(x.dtype), list(x.shape), x.float().reshape(-1).tolist()]
    if isinstance(x, dict): return {k: plain(v) for k, v in x.items()}
    if isinstance(x, tuple): return ["tuple", *map(plain, x)]
    if isinstance(x, list): return [plain(v) for v in x]
    return f"{type(x).__name__} {x}"
assert tree["shared"].data_ptr() == tree["list"][0].data_ptr()
print(json.dumps(plain(tree)))
`;

const hasTorch = await hasPython("torch");
Deno.test({
  name: skipName("writeTorch() writes what torch.load(weights_only=True) reads", hasTorch, "torch"),
  ignore: !hasTorch,
  fn: () =>
    inFolder(async (dir) => {
      await writeTorch(join(dir, "x.pt"), TREE);
      const six = ["torch.float32", [2, 3], [1, 2, 3, 4, 5, 6]];
      assertEquals(JSON.parse(await runPython(READ_BACK, [join(dir, "x.pt")])), {
        shared: six,
        list: [
          six,
          ..."int 1|int -1|int 255|int 256|int -129|int 32768|int 2147483648|int -2147483648|int -1099511627776".split(
            "|",
          ),
          "float 1.770887431076117e+21",
          "int 1180591620717411303424",
          "int -2361183241434822606848",
          "float 1.5",
          "float -0.0",
        ],
        plain: {
          name: "str é",
          none: "NoneType None",
          yes: "bool True",
          no: "bool False",
          empty: [],
          pair: ["tuple", "int 1", "str b"],
        },
        scalar: ["torch.float32", [], [3]],
        nothing: ["torch.float32", [0, 3], []],
        half: ["torch.float16", [2], [1, -2]],
        long: ["torch.int64", [1], [-9]],
      });
    }),
});

Deno.test({
  name: skipName("writeTorch() writes strided and shared tensors back as torch holds them", hasTorch, "torch"),
  ignore: !hasTorch,
  fn: () =>
    inFolder(async (dir) => {
      const source = fromFileUrl(new URL("./fixtures/strided.pt", import.meta.url));
      await writeTorch(join(dir, "x.pt"), await loadTorch(source) as TorchTree);
      const same = `
import sys, torch
a, b = (torch.load(p, weights_only=True) for p in sys.argv[1:])
print(list(a) == list(b) and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a))`;
      assertEquals((await runPython(same, [source, join(dir, "x.pt")])).trim(), "True");
    }),
});
