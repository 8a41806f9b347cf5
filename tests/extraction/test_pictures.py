"""Images of an embedded set are found again in the tars, the Parquet file or the folder that they were read from."""

import json

import numpy as np
import pytest
from tar_files import write_tar

from ccalign_jax.data import load
from ccalign_jax.data.originals import caption_text
from ccalign_jax.encoders.images import open_image
from ccalign_jax.extraction.pictures import Pictures


def write_source(form, place, photographs, records):
    images = [(photographs / "images" / record["image"]).read_bytes() for record in records]
    if form == "tar":
        members = []
        for record, image in zip(records, images, strict=True):
            text = json.dumps({"captions": record["captions"]}).encode()
            members += [(record["image"], image), (record["image"].replace("png", "json"), text)]
        write_tar(place / "0.tar", members)
        return
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    columns = {"key": [record["image"] for record in records], "image": images}
    columns["caption_en"] = [record["captions"]["en"] for record in records]
    place.mkdir()
    arrow.parquet.write_table(arrow.table(columns), place / "0.parquet", row_group_size=4)


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_images_and_texts_of_a_source_are_found_by_key(form, embed, photographs, records, tmp_path):
    write_source(form, tmp_path / "set", photographs, records)
    embed("out", images=None, captions="all", source=tmp_path / "set")
    data = load(tmp_path / "out")
    chosen = data.take(np.arange(len(data))[::-2].copy())  # in any order
    pictures = Pictures(chosen)
    for number in range(len(chosen)):
        name = str(chosen.keys[number]).removesuffix(".png") + ".png"
        wanted = np.asarray(open_image(photographs / "images" / name))
        np.testing.assert_array_equal(np.asarray(open_image(pictures.find(number))), wanted)
        (row, *_) = np.flatnonzero(chosen.image_of["en"] == number)
        assert caption_text(chosen, "en", row).startswith(f"the dog number {int(name[:2])} ")
    (tmp_path / "set").rename(tmp_path / "moved")
    assert Pictures(data).find(0) is None


def test_a_folder_comes_first_and_a_key_that_leads_out_of_it_is_unknown(embed, photographs, tmp_path):
    embed("out")
    data = load(tmp_path / "out")
    assert Pictures(data).find(1) == photographs / "images" / data.keys[1]
    data.keys[1] = "../captions.jsonl"
    assert Pictures(data).find(1) is None
