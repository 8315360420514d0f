"""Writes tests/data/parquet/*.parquet and what pyarrow reads in them, expected.json: the same made-up table by every codec.

Run: python tests/data/make_parquet_fixtures.py  (pyarrow 26.0.1)
"""

import datetime
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / "parquet"
FOLDER.mkdir(exist_ok=True)
ROWS = 40
table = pa.table({
    "path": [f"{i % 4}.png" for i in range(ROWS)],
    "text": [None if i == 7 else f'effusion, "small" – {i}\nno change' for i in range(ROWS)],
    "patient": pa.array([i // 3 for i in range(ROWS)], pa.int64()),
    "Edema": pa.array([[1.0, 0.0, -1.0, None][i % 4] for i in range(ROWS)], pa.float64()),
    "score": pa.array([float("nan") if i == 3 else i / 8 for i in range(ROWS)], pa.float32()),
    "big": pa.array([2**60 + i for i in range(ROWS)], pa.int64()),
    "frontal": [i % 2 == 0 for i in range(ROWS)],
    "date": pa.array([datetime.date(2020, 1, 1 + i % 28) for i in range(ROWS)]),
    "view": pa.array([["PA", "AP"][i % 2] for i in range(ROWS)]).dictionary_encode(),
    "image": [b"\x89PNG" * i for i in range(ROWS)],
    "boxes": [[1, 2, 3]] * ROWS,
    "meta": [{"a": 1, "b": "x"}] * ROWS,
})
flat = table.select(["path", "text", "patient", "Edema", "score", "big", "frontal", "date", "view"])


def cell(value):
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.date):
        return value.isoformat() + "T00:00:00.000Z"
    return str(value)


(FOLDER / "expected.json").write_text(json.dumps({
    "columns": flat.column_names,
    "rows": [[cell(row[name]) for name in flat.column_names] for row in flat.to_pylist()],
}, ensure_ascii=False) + "\n")
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    pq.write_table(table, FOLDER / f"{codec}.parquet", compression=codec, row_group_size=16)
pq.write_table(table, FOLDER / "v2.parquet", compression="zstd", data_page_version="2.0", use_dictionary=False, row_group_size=64)

# Films with the 14 CheXpert labels and no texts: positive, negative, uncertain and blank.
LABELS = [
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
]
FILMS = 16
values = {name: [[0.0, None, -1.0][(i + j) % 3] for i in range(FILMS)] for j, name in enumerate(LABELS)}
for i in range(FILMS):
    for name in [["No Finding"], ["Edema"], ["Edema", "Pleural Effusion"], ["Pneumonia"]][i % 4]:
        values[name][i] = 1.0
pq.write_table(
    pa.table({
        "path": [f"{i}.png" for i in range(FILMS)],
        "patient": pa.array([i % 8 for i in range(FILMS)], pa.int64()),
        **{name: pa.array(column, pa.float64()) for name, column in values.items()},
    }),
    FOLDER / "chexpert.parquet",
)
