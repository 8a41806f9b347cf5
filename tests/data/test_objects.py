"""Data sets from data frames, Arrow tables, datasets and arrays in memory, and back to data frames."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest

from ccalign_jax.data import EmbeddingSet, frames, load

KEYS, OWNERS = np.array(["a", "b", "c"]), np.array([0, 0, 2, 1])
IMAGE = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
TEXT = np.random.default_rng(1).standard_normal((4, 4)).astype(np.float32)
CAPTIONS = [[TEXT[0], TEXT[1]], [TEXT[3]], [TEXT[2]]]  # of each image
ARRAYS = {"image": IMAGE, "image_keys": KEYS, "text_de": TEXT, "text_de_keys": KEYS[OWNERS]}
WIDE = {"image_id": KEYS.tolist(), "image": list(IMAGE), "text_de": CAPTIONS}
LONG = {"image_id": KEYS[OWNERS].tolist(), "language": ["de"] * 4, "embedding": list(TEXT)}


@pytest.fixture(scope="module")
def wanted() -> str:
    text, keys = {"de": TEXT}, {"de": KEYS[OWNERS]}
    return EmbeddingSet.build("toy", IMAGE, text, image_keys=KEYS, text_keys=keys).sha256()


def arrow(columns) -> pa.Table:
    def plain(cell):
        return [plain(one) for one in cell] if isinstance(cell, list | np.ndarray) else cell

    rows = pa.list_(pa.float32())
    kinds = {"image": rows, "embedding": rows, "text_de": pa.list_(rows)}
    return pa.table({name: pa.array(map(plain, cells), kinds.get(name)) for name, cells in columns.items()})


def test_pandas(wanted):
    pandas = pytest.importorskip("pandas")
    wide, long = pandas.DataFrame(WIDE), pandas.DataFrame(LONG)
    several_rows = wide.assign(text_de=[np.stack(cell) for cell in CAPTIONS])
    below_each_other = pandas.concat([long, wide[["image_id", "image"]]])
    repeated = long.rename(columns={"embedding": "text_de"}).assign(image=[IMAGE[owner] for owner in OWNERS])
    tables = (
        wide,
        wide.set_index("image_id"),
        several_rows,
        below_each_other,
        repeated,
        [wide[["image_id", "image"]], long],
    )
    assert {load(table).sha256() for table in tables} == {wanted}
    assert load(wide).name == "data frame" and load(wide, languages=["de"]).languages == ("de",)
    assert load(repeated).notes[-1] == "left out 1 of 4 images: their keys repeat, the first row of each is kept"


def test_other_columns_are_left_out_and_named(wanted):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    note = ("left out 2 columns without embeddings: 3, photo",)
    data = load(pandas.DataFrame(WIDE).assign(photo=[object()] * 3).assign(**{"3": 1}).rename(columns={"3": 3}))
    assert (data.sha256(), data.notes) == (wanted, note)
    photos = polars.Series("photo", [object()] * 3, dtype=polars.Object)
    data = load(polars.from_arrow(arrow(WIDE)).with_columns(photos, polars.lit(1).alias("3")))
    assert (data.sha256(), data.notes) == (wanted, note)


def test_polars(wanted):
    polars = pytest.importorskip("polars")
    wide = polars.from_arrow(arrow(WIDE))
    in_chunks = polars.concat([wide[:1], wide[1:]], rechunk=False)
    fixed = wide.with_columns(polars.Series("image", IMAGE))
    assert fixed.schema["image"] == polars.Array(polars.Float32, 4)
    assert {load(table).sha256() for table in (wide, in_chunks, fixed)} == {wanted}


def test_arrow_tables_and_parts_of_them(wanted):
    table = arrow(WIDE)
    longer = pa.concat_tables([table.slice(2), table])
    assert {load(each).sha256() for each in (table, longer.slice(1), [table.slice(0, 1), table.slice(1)])} == {wanted}


def test_datasets_of_hugging_face(wanted):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset(arrow(WIDE))
    turned = datasets.Dataset(arrow(WIDE)).select([2, 0, 1])
    assert load(whole).sha256() == load(turned).sha256() == wanted
    parts = datasets.DatasetDict({"train": whole.select([0, 2]), "test": whole.select([1])})
    data = load(parts)
    assert data.split.tolist() == ["train", "test", "train"] and data.keys.tolist() == KEYS.tolist()


def test_arrays_of_any_library(wanted):
    assert load(ARRAYS).sha256() == wanted == load({**ARRAYS, "image": jnp.asarray(IMAGE)}).sha256()
    assert load({**ARRAYS, "text_de": TEXT.tolist(), "image": IMAGE.tolist()}).text["de"].dtype == np.float64
    half = load({"image": jnp.asarray(IMAGE, jnp.bfloat16), "text_de": IMAGE.astype(np.float16)})
    assert (half.image.dtype, half.text["de"].dtype, half.numbered) == (np.float32, np.float16, True)
    assert load({**ARRAYS, "other": [1]}).notes == ("left out 1 arrays of unknown names: other",)
    torch = pytest.importorskip("torch")
    image, text = torch.tensor(IMAGE, requires_grad=True), torch.tensor(TEXT)
    assert load({**ARRAYS, "image": image, "text_de": text}).sha256() == wanted
    short = load({**ARRAYS, "image": image.bfloat16(), "text_de": text.half()})
    assert np.allclose(short.image, IMAGE, rtol=0.01) and short.text["de"].dtype == np.float16


def test_a_set_is_returned_as_it_is():
    data = load({**ARRAYS, "text_en": TEXT, "text_en_keys": KEYS[OWNERS]})
    assert load(data) is data and load(data, languages=["en"]).languages == ("en",)
    assert load(data, name="mine").name == load(ARRAYS, name="mine").name == "mine" and data.name == "arrays"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"image": [IMAGE[0], IMAGE[1][:2], IMAGE[2]]}, "data frame: image row 1 has 2 numbers, row 0 has 4"),
        ({"image": [IMAGE[0], IMAGE[1] * np.nan, IMAGE[2]]}, "data frame: image row 1 (key b) is NaN or infinite"),
        ({"image": ["a", "b", "c"]}, "data frame: no rows of images; give a column image"),
        ({"text_en": [object()] * 3}, "data frame: the column text_en cannot be read"),
        ({"image_id": [0.5, 1.5, 2.5]}, "data frame: no image keys (image_id double"),
        ({"image_id": ["a", None, "c"]}, "data frame: row 1 has no image_id"),
    ],
)
def test_mistakes_in_a_frame_name_the_column_and_the_row(change, parts, one_line):
    pandas = pytest.importorskip("pandas")
    one_line(lambda: load(pandas.DataFrame(WIDE | change)), parts)


def test_mistakes_of_other_kinds(one_line):
    one_line(lambda: load({"de": TEXT}), "arrays: no array image (only de)")
    one_line(lambda: load({"image": IMAGE, "german": TEXT}), "no captions (left out 1 arrays of unknown names: german)")
    one_line(lambda: load({0: TEXT}), "arrays: the name 0 is not text")
    one_line(lambda: load({**ARRAYS, "text_de": "x"}), "arrays: text_de is <U1[]; it must be floats")
    one_line(lambda: load({"image": IMAGE, "text_de": TEXT}), "arrays: text_de has 4 rows for 3 images, but no keys")
    for wrong, kind in ((5, "int"), ([], "list"), (["a.npz"], "list"), (None, "NoneType")):
        one_line(lambda wrong=wrong: load(wrong), f"data is of type {kind}; give a path, an EmbeddingSet, a data frame")
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    one_line(lambda: load(pandas.DataFrame([[1, 2]], columns=["a", "a"])), "data frame: the column a is there twice")
    unnamed = pandas.DataFrame({"id": ["a", "b"], "image": [[1.0, 2.0]] * 2, "german": [[3.0, 4.0]] * 2})
    one_line(lambda: load(unnamed), "no captions beside images (other columns: german); name", "such as text_en")
    one_line(lambda: load(polars.from_arrow(arrow(WIDE)).lazy()), "data is a LazyFrame", "collect()")
    objects = polars.DataFrame({"image": [object()]}, schema={"image": polars.Object})
    one_line(lambda: load(objects), "data frame: the column image cannot be read (Python objects)")


def test_libraries_are_not_imported_to_look_at_types():
    code = "import sys; from ccalign_jax.data import load; load({'image': [[1.0]], 'text_en': [[1.0]]}).sha256()"
    code += "; assert not {'pandas', 'polars', 'pyarrow', 'datasets', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("backend", ["pandas", "polars"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_set_goes_to_a_frame_and_back(backend, kind):
    pytest.importorskip(backend)
    arrays = {**ARRAYS, "image": IMAGE.astype(kind), "text_de": TEXT.astype(kind)}
    data = load(
        {
            **arrays,
            "text_en": TEXT[:1],
            "text_en_keys": ["b"],
            "split": ["train", "train", "dev"],
            "image_groups": [7, 1, 7],
        }
    )
    frame = data.frame(backend)
    assert list(frame.columns) == ["image_id", "image", "text_de", "text_en", "split", "image_groups"]
    assert load(frame).sha256() == data.sha256()


def test_frames_of_libraries_that_are_missing(monkeypatch, one_line):
    monkeypatch.setitem(sys.modules, "polars", None)
    one_line(lambda: frames.make_frame({"x": [1]}, "polars"), 'needs polars: pip install "ccalign_jax[frames]"')
    one_line(lambda: frames.make_frame({"x": [1]}, "spark"), "backend='spark': it must be pandas or polars")


def test_a_set_says_its_size_in_a_few_lines():
    data = load({**ARRAYS, "split": ["test", "test", "train"], "other": [1]})
    assert repr(data).split("\n  ") == [
        "EmbeddingSet arrays",
        "3 images [4]",
        "captions [4]: de 4",
        "split: test 2, train 1",
        "left out 1 arrays of unknown names: other",
    ]
    shown = data._repr_html_()
    assert "<th>de</th>" in shown and "<td>4</td>" in shown and "<script" not in shown and "style" not in shown
