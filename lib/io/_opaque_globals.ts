/** Classes that training frameworks leave in a checkpoint beside its tensors; objects of them are read past. @module */

/** Packages whose classes describe a run: configurations, paths, versions, metrics, optimisers. */
const PACKAGES: readonly string[] = [
  "accelerate",
  "addict",
  "antlr4",
  "argparse",
  "box",
  "datetime",
  "easydict",
  "enum",
  "fvcore",
  "hydra",
  "lightning",
  "lightning_fabric",
  "lightning_utilities",
  "ml_collections",
  "mmcv",
  "mmengine",
  "munch",
  "numpy",
  "omegaconf",
  "pathlib",
  "pathlib2",
  "pytorch_lightning",
  "ruamel",
  "torch.optim",
  "torch.torch_version",
  "torchmetrics",
  "transformers",
  "typing",
  "uuid",
  "wandb",
  "yacs",
  "yaml",
];

/** Single classes and functions, where the package has others that a checkpoint must not ask for. */
const NAMES: ReadonlySet<string> = new Set([
  ...["bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set"]
    .flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
  ...["slice", "str", "tuple", "type"].flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
  "__builtin__.long",
  "__builtin__.unicode",
  "collections.deque",
  "copy_reg._reconstructor",
  "copyreg._reconstructor",
  "torch.device",
  "types.SimpleNamespace",
]);

/** Whether objects of a dotted name may be read past. */
export function isOpaqueGlobal(dotted: string): boolean {
  return NAMES.has(dotted) || PACKAGES.some((name) => dotted.startsWith(`${name}.`));
}
