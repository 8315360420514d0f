/**
 * Every row of the cases' table by the command of its user, and its right value: skipped where the cases are not there. The made copy
 * of each stands in the test of what it exercises.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { CASES, needsCase } from "../cases.ts";
import { inFolder } from "../folder.ts";
import { MINI_FILES, run, snapshot } from "./run.ts";

const VOCABULARY = fromFileUrl(new URL("../../data/mini_vocab.txt", import.meta.url));
const MINI12 = ["--weights", "pissa/mini12.safetensors", "--tokenizer", VOCABULARY];
const SHIPPED = 0.2543;

interface Row {
  /** Folder of the case. */
  of: string;
  /** Arguments; a path below the folder of cases is written from there, OUT is an empty folder. */
  args: string[];
  /** Probability of pneumonia, by `classify`, of each image. */
  pneumonia?: number[];
  /** What is said, on either stream. */
  says?: RegExp[];
  /** What the command refuses in one line. */
  refuses?: RegExp;
  /** A file of the cases that stands in OUT under this name. */
  state?: readonly [file: string, name: string];
}

const classified = (images: string[], ...more: string[]): string[] => [
  ...["classify", ...images, "--labels", "pneumonia,no finding", "--json", ...more],
];
const train = (table: string, ...more: string[]): string[] => [
  ...["train", "--pairs", table, "--epochs", "1", "--rank", "2", "--loss", "info-nce", "--out", "OUT", ...more],
];
const kept = (read: number, kept: number, reason: string): RegExp =>
  new RegExp(`${read} read, ${kept} kept, dropped ${read - kept} \\(image ${reason}\\)`);

const ONE = ["pissa/one.jpg"];
const ROWS: Row[] = [
  { of: "pissa", args: classified(ONE, ...MINI12), pneumonia: [0.5595] },
  { of: "pissa", args: classified(ONE, ...MINI12, "--adapter", "pissa/real_True"), pneumonia: [0.5595] },
  {
    of: "pissa",
    args: classified(ONE, ...MINI12, "--adapter", "pissa/real_pissa"),
    refuses: /real_pissa" .*init_lora_weights.*"pissa"/,
  },
  {
    of: "one_class",
    args: ["evaluate", "--images", "one_class/oneclass.csv", "--out", "OUT"],
    refuses: /two classes or more: it has one, "normal"; --classes normal,OTHER/,
  },
  {
    of: "missing_csv",
    args: ["evaluate", "--images", "missing_csv/missing.csv", "--missing", "drop", "--list"],
    says: [kept(3, 2, "missing")],
  },
  {
    of: "missing_csv",
    args: ["encode", "--images", "missing_csv/missing.csv", "--missing", "drop", "--out", "OUT/f.safetensors"],
    says: [kept(3, 2, "missing"), /^2 encoded/m],
  },
  {
    of: "missing_csv",
    args: train("missing_csv/missing.csv", "--missing", "drop"),
    says: [kept(3, 2, "missing"), /last loss/],
  },
  {
    of: "voi_lut",
    args: classified(["window", "lut12", "lut16"].map((name) => `voi_lut/film_${name}.dcm`)),
    pneumonia: [0.504, 0.504, 0.504],
    says: [/film_lut16.dcm": its VOI LUT .*declares 16 bits and holds 12/],
  },
  {
    of: "dicom_refused",
    args: classified(["dicom_refused/film_excess512.dcm", "dicom_refused/film_frames0.dcm"]),
    pneumonia: [0.504, 0.504],
    says: [/512 bytes more/, /number of frames \(0028,0008\) is 0/],
  },
  {
    of: "dicom_silent",
    args: classified(["dicom_silent/film_slope0.dcm"]),
    says: [/film_slope0.dcm": its picture is one grey: its rescale slope \(0028,1053\) is 0/],
  },
  {
    of: "logit_scale",
    args: classified(ONE, "--weights", "logit_scale/scale1.bin", "--tokenizer", VOCABULARY),
    pneumonia: [SHIPPED],
  },
  {
    of: "peft_layers",
    args: classified(ONE, ...MINI12, "--adapter", "peft_layers/real_last8"),
    pneumonia: [0.5595],
  },
  {
    of: "peft_layers",
    args: classified(ONE, ...MINI12, "--adapter", "peft_layers/real_rankpattern"),
    pneumonia: [0.5595],
  },
  { of: "peft_layers", args: classified(ONE, "--adapter", "peft_layers/both4"), pneumonia: [0.4856] },
  {
    of: "tsv",
    args: train("tsv/oc.tsv", "--image-column", "filepath", "--text-column", "title"),
    says: [/3 read, 3 kept, dropped none/, /last loss/],
  },
  ...[
    train("corrupt_image/corrupt.csv"),
    ["evaluate", "--images", "corrupt_image/corrupt.csv", "--out", "OUT"],
    ["encode", "--images", "corrupt_image/corrupt.csv", "--out", "OUT/f.safetensors"],
  ].map((args): Row => ({
    of: "corrupt_image",
    args,
    refuses: /1 of 3 cannot be read; .*corrupt\.jpg.*--unreadable drop/,
  })),
  {
    of: "corrupt_image",
    args: train("corrupt_image/corrupt.csv", "--unreadable", "drop"),
    says: [kept(3, 2, "unreadable"), /unreadable: .*corrupt\.jpg/, /last loss/],
  },
  {
    of: "messages",
    args: classified(ONE, "--weights", "messages/numpy_scalar.pt", "--tokenizer", VOCABULARY),
    pneumonia: [SHIPPED],
  },
  ...["model.safetensors.index.json", "model-00001-of-00002.safetensors"].map((name): Row => ({
    of: "messages",
    args: classified(ONE, "--weights", `messages/sharded/${name}`, "--tokenizer", VOCABULARY),
    pneumonia: [SHIPPED],
  })),
  {
    of: "messages",
    args: classified(ONE, "--model", "messages/sharded", "--tokenizer", VOCABULARY),
    pneumonia: [SHIPPED],
  },
  {
    of: "training_silent",
    args: train("training_silent/same.csv", "--image-root", "one_class", "--missing", "drop"),
    refuses: /the texts must differ/,
  },
  {
    of: "training_silent",
    args: train("training_silent/long.csv", "--image-root", "one_class", "--missing", "drop", "--batch-size", "1"),
    refuses: /a batch must hold at least two pairs/,
  },
  {
    of: "training_silent",
    args: train("training_silent/long.csv", "--image-root", "one_class", "--missing", "drop"),
    says: [/^warning: every text fills the model's context of 48 tokens/m],
  },
  {
    of: "exif",
    args: classified(["exif/exif6.jpg", "exif/plain.png"]),
    pneumonia: [0.003, 0.5133],
    says: [/exif6\.jpg": its EXIF orientation 6 is not applied/],
  },
  { of: "exif", args: classified(["exif/exif6.jpg"], "--exif", "apply"), pneumonia: [0.5096] },
  {
    of: "rsna_positives", // by scikit-learn 1.9.1's train_test_split, as the authors call it
    args: [
      ...["evaluate", "--dataset", "rsna", "--root", "rsna_positives", "--split", "positives-val", "--list"],
      ...["--missing", "ignore"],
    ],
    says: [/^a2592b9d-6e4f-cdc0-ce55-ea0ac12f694d\n20918fa7-f589-9657-7bd5-9317d5157e9d\nef89597b-\S+\n83e9db77-/m],
  },
  {
    of: "mimic_rows",
    args: ["evaluate", "--dataset", "mimic-cxr", "--root", "mimic_rows", "--list", "--missing", "ignore"],
    says: [/repeated id/, /merged 1 \(label rows of a study\)/],
  },
  {
    of: "resume_state",
    args: train("one_class/oneclass.csv", "--resume"),
    state: ["resume_state/state_no_settings.safetensors", "state.safetensors"],
    refuses: /OUT.state\.safetensors" as its settings must be there/,
  },
  {
    of: "resume_state",
    args: train("one_class/oneclass.csv", "--resume"),
    state: ["resume_state/state_step_x.safetensors", "state.safetensors"],
    refuses: /OUT.state\.safetensors" as "step" must be a whole number of at least 0: current value is "x"/,
  },
  {
    of: "merge",
    args: [
      ...["encode", "--merge", "merge/shard_no_ids.safetensors", "merge/f.shard-1-of-2.safetensors"],
      ...["--out", "OUT/f.safetensors"],
    ],
    refuses: /merge\/shard_no_ids\.safetensors" as its image_ids must be there/,
  },
  {
    of: "merge",
    args: [
      ...["encode", "--merge", "merge/f.shard-0-of-2.safetensors", "merge/f.shard-1-of-2.safetensors"],
      ...["--out", "OUT/f.safetensors"],
    ],
    says: [/^392 items$/m],
  },
  {
    of: "head",
    args: ["detect", "predict", "--head", "head/head_no_config.safetensors", "--images", "pissa", "--out", "OUT"],
    refuses: /head\/head_no_config\.safetensors" as its config must be there/,
  },
  {
    of: "escapes",
    args: classified(["escapes/photometric_esc.dcm"]),
    refuses: /photometric interpretation "M\\u001b\[31mRED\\u0007" is not read/,
  },
  {
    of: "adapter_overflow",
    args: [
      ...["encode", "--images", "one_class/oneclass.csv", "--adapter", "adapter_overflow/a_1e38.safetensors"],
      ...["--out", "OUT/f.safetensors"],
    ],
    refuses: /the feature of "im\/000\.jpg" as its numbers must be finite and not all 0/,
  },
];

for (const { of, args, pneumonia, says = [], refuses, state } of ROWS) {
  const ends = refuses ? "is refused" : pneumonia ? `answers ${pneumonia.join(", ")}` : "says so";
  const words = args.filter((word) => word !== VOCABULARY && word !== "--json").join(" ");
  Deno.test({
    ...needsCase(of, `the case ${of} ${ends}: ${words}`),
    fn: () =>
      inFolder(async (folder) => {
        if (state) await Deno.writeFile(join(folder, state[1]), await Deno.readFile(join(CASES, state[0])));
        const { code, stdout, stderr } = await run(args.map((word) => word.replace(/^OUT/, folder)), {
          cwd: CASES,
          read: [".", folder, ...MINI_FILES],
          write: [folder],
        });
        const told = `${args.join(" ")}\nstdout: ${stdout}\nstderr: ${stderr}`;
        assertEquals(code, refuses ? 1 : 0, told);
        // deno-lint-ignore no-control-regex
        assert(!/\x1b|\x07/.test(stdout + stderr), told);
        for (const pattern of says) assertMatch(`${stderr}\n${stdout}`, pattern);
        if (refuses) {
          const errors = stderr.split("\n").filter((line) => line.startsWith("error: "));
          assertEquals(errors.length, 1, told);
          assertMatch(errors[0]!.replaceAll(folder, "OUT"), refuses);
          assertEquals(Object.keys(await snapshot(folder)), state ? [state[1]] : [], told);
        }
        if (pneumonia) {
          const images = JSON.parse(stdout).images as { scores: { pneumonia: number } }[];
          assertEquals(images.map(({ scores }) => scores.pneumonia.toFixed(4)), pneumonia.map((x) => x.toFixed(4)));
        }
      }),
  });
}
