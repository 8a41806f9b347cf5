"""Maps exported behind their encoders: the folder's rows are those of the encoder, mapped."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

import ccalign_jax as cc
from ccalign_jax.aligners import canonical_name, make_aligner
from ccalign_jax.encoders import Choices, load_encoders, transformers_models
from ccalign_jax.encoders.images import open_image
from ccalign_jax.learned_map import LearnedMap

pytest.importorskip("torch", reason="sentence-transformers needs torch")
library = pytest.importorskip("sentence_transformers", reason='pip install -e ".[encode]" adds sentence-transformers')

image = pytest.importorskip("PIL.Image", reason="image processors need Pillow")

LANGUAGES = ["de", "en"]


def make_map(name, d_text=32, d_image=32):
    """A map in which each parameter is random."""
    sizes = {"hidden": 4, "rank": 2}
    aligner = make_aligner(name, d_text, d_image, languages=len(LANGUAGES), **sizes)
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: 0.3 * random.standard_normal(leaf.shape).astype(np.float32), shapes)
    about = {"trial": name, "aligner": canonical_name(name), "languages": LANGUAGES}
    return LearnedMap(aligner, params, about | sizes | {"d_text": d_text, "d_image": d_image})


@pytest.fixture(scope="module")
def models(sentences, dual, tmp_path_factory):
    """A folder with a SentenceTransformer, `model`, its transformers model, `base`, and a CLIP, `clip`."""
    folder = tmp_path_factory.mktemp("models")
    sentences(folder)
    dual(folder / "clip", "clip")
    return folder


@pytest.fixture
def export(models, tmp_path):
    """`export(learned, text, …)` is the model of the exported folder, and the folder."""

    def load(learned, text="model", **options):
        if "image_encoder" in options and options["image_encoder"] != "none":
            options["image_encoder"] = str(models / options["image_encoder"])
        out = tmp_path / f"out{len([*tmp_path.iterdir()])}"
        done = cc.export(learned, to="sentence-transformers", out=out, text_encoder=str(models / text), **options)
        return library.SentenceTransformer(str(done.path), device="cpu", local_files_only=True), done

    return load


def close(mine, wanted):
    np.testing.assert_allclose(mine, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["residual", "shift", "residual_mlp"])
def test_rows_are_those_of_the_map(name, export, models, captions):
    learned = make_map(name)
    model, done = export(learned)
    encoder = library.SentenceTransformer(str(models / "model"), device="cpu")
    close(model.encode(captions), learned(encoder.encode(captions)))
    close(model.encode(captions, prompt_name="query"), learned(encoder.encode(captions, prompt_name="query")))
    assert model.similarity_fn_name == "cosine" and "captions alone" in done.notes[0]
    names = [type(module).__name__ for module in model][3:]
    assert names == ["Normalize", *["Dense"] * (2 if name == "residual_mlp" else 1), "Normalize"]


def test_the_folder_has_what_all_releases_read(export, models):
    learned = make_map("residual")
    _, done = export(learned)
    types = [one["type"] for one in json.loads((done.path / "modules.json").read_text())]
    assert types[3:] == [f"sentence_transformers.models.{name}" for name in ("Normalize", "Dense", "Normalize")]
    config = json.loads((done.path / "4_Dense" / "config.json").read_text())
    identity = "torch.nn.modules.linear.Identity"
    assert config == {"in_features": 32, "out_features": 32, "bias": False, "activation_function": identity}
    stored = load_file(done.path / "4_Dense" / "model.safetensors")
    np.testing.assert_array_equal(stored["linear.weight"], learned.matrix().weight.T)


def test_a_map_of_each_language_is_a_task(export, models, captions):
    learned = make_map("per_language(residual)")
    model, done = export(learned)
    rows = library.SentenceTransformer(str(models / "model"), device="cpu").encode(captions)
    for language in LANGUAGES:
        close(model.encode(captions, task=language), learned(rows, language))
        alone, _ = export(learned, language=language)
        close(alone.encode(captions), learned(rows, language))
    for mistake in ({}, {"task": "fr"}):
        with pytest.raises(ValueError, match="route"):
            model.encode(captions, **mistake)
    assert 'task="de"' in (done.path / "README.md").read_text()


def test_a_shared_part_maps_what_has_no_task(export, models, captions):
    learned = make_map("film")
    model, _ = export(learned)
    encoder = library.SentenceTransformer(str(models / "model"), device="cpu")
    rows = encoder.encode(captions)
    close(model.encode(captions, task="en"), learned(rows, "en"))
    close(model.encode(captions), learned(rows))
    close(model.encode_document(captions), learned(rows))
    close(model.encode_query(captions), learned(encoder.encode_query(captions)))


@pytest.mark.parametrize("text", ["model", "clip"])
@pytest.mark.parametrize("name", ["dual(residual,shift)", "per_language(residual)"])
def test_captions_and_images_in_one_folder(text, name, export, models, captions, photographs, rows_of):
    learned = make_map(name)
    model, done = export(learned, text, image_encoder="clip")
    encoders = load_encoders(str(models / text), str(models / "clip"), Choices())
    texts, images = rows_of(encoders[0], captions), rows_of(encoders[1], photographs)
    task = {"task": "de"} if "per_language" in name else {}
    close(model.encode(captions, **task), learned(texts, "de"))
    close(model.encode([open_image(one) for one in photographs]), learned.images(images))
    assert "Image.open" in (done.path / "README.md").read_text()


def test_a_model_of_both_sides_is_loaded_once(export, monkeypatch):
    loaded = []

    def load(*args, of=transformers_models._load):
        loaded.append(args[2])
        return of(*args)

    monkeypatch.setattr(transformers_models, "_load", load)
    export(make_map("residual"), "clip", image_encoder="clip")
    assert len(loaded) == 1


def test_a_dual_encoder_with_a_processor_of_its_own_sizes(dual, tmp_path, captions, photographs, rows_of):
    dual(tmp_path / "siglip2", "siglip2")
    learned = make_map("residual", 32, 32)
    model = str(tmp_path / "siglip2")
    done = cc.export(learned, to="sentence-transformers", text_encoder=model, image_encoder=model, out=tmp_path / "out")
    exported = library.SentenceTransformer(str(done.path), device="cpu", local_files_only=True)
    text, image = load_encoders(model, model, Choices())
    close(exported.encode(captions), learned(rows_of(text, captions)))
    close(exported.encode([open_image(one) for one in photographs]), learned.images(rows_of(image, photographs)))


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max"])
def test_the_pooling_of_a_transformers_model(pooling, export, models, captions, rows_of, tmp_path):
    description(models, tmp_path, pooling=pooling, prompt="the ")
    learned = make_map("residual", 32)
    model, _ = export(learned, "base", data=tmp_path / "embeddings")
    text, _ = load_encoders(str(models / "base"), lambda images: images, Choices(pooling=pooling, prompt="the "))
    close(model.encode(captions), learned(rows_of(text, captions)))


def description(models, folder, **text):
    """The folder of an extraction, as far as its encoders go."""
    encoders = {"text": {"name": str(models / "base"), **text}, "image": {"name": "use"}}
    config = {"text_encoder": str(models / "base"), "image_encoder": "efficientnet-lite0"}
    (folder / "embeddings").mkdir()
    (folder / "embeddings" / "embeddings.json").write_text(json.dumps({"encoders": encoders, "config": config}))


def test_the_extraction_names_the_encoder(models, tmp_path, captions):
    description(models, tmp_path, pooling="mean", prompt="")
    learned = make_map("dual(residual,shift)", 32)
    done = cc.export(learned, to="sentence-transformers", out=tmp_path / "out", data=tmp_path / "embeddings")
    assert "no module for efficientnet-lite0" in done.notes[0] and "moves images, too" in done.notes[1]
    assert json.loads((tmp_path / "out" / "1_Pooling" / "config.json").read_text())["pooling_mode_mean_tokens"]


def test_other_weights_than_those_of_the_extraction_are_refused(models, tmp_path, one_line):
    text, _ = load_encoders(str(models / "base"), lambda images: images, Choices())
    learned, embeddings = make_map("residual", 32), tmp_path / "embeddings"
    asked = {"to": "sentence-transformers", "out": tmp_path / "out", "data": embeddings}
    description(models, tmp_path, weights_sha256="0" * 64, versions=text.about["versions"])
    one_line(lambda: cc.export(learned, **asked), "its weights are not those", "SHA-256 000000000000")
    shutil.rmtree(embeddings)
    description(models, tmp_path, weights_sha256="0" * 64, versions={"torch": "1.0"})
    assert "differ from the extraction's" in cc.export(learned, **asked).notes[1]
    shutil.rmtree(embeddings)
    description(models, tmp_path, weights_sha256=text.about["weights_sha256"])
    assert len(cc.export(learned, **asked, overwrite=True).notes) == 2


def test_what_the_guide_shows_runs(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, model in (("text", "model"), ("clip", "clip")):
        shutil.copytree(models / model, name)
    image.fromarray(np.full((40, 30, 3), 200, np.uint8)).save("house.png")
    guide = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text("utf-8")
    block = guide.split("\n## sentence-transformers\n")[1].split("```py\n")[1].split("```")[0]
    names = {"cc": cc, "learned": make_map("residual")}
    exec(block, names)
    assert names["scores"].shape == (2, 1)


def test_refusals_are_one_line_and_write_nothing(export, models, tmp_path, one_line, monkeypatch):
    learned = make_map("residual")
    one_line(lambda: export(make_map("gated_mlp")), "--to=sentence-transformers", "neither linear nor an MLP")
    one_line(lambda: export(make_map("residual", 8)), "d_text is 32", "trained for 8")
    one_line(lambda: export(learned, side="images"), "leave --side=images out")
    refused = {"to": "sentence-transformers", "out": tmp_path / "out"}
    one_line(lambda: cc.export(learned, **refused), "--text_encoder is missing", "--data=EMBEDDINGS")
    one_line(lambda: cc.export(learned, **refused, text_encoder="use-m3"), "no module for it", "--to=onnx")
    one_line(lambda: cc.export(learned, **refused, text_encoder="mine.py:encode"), "no module for it", "--to=onnx")
    image = {"text_encoder": str(models / "model"), "image_encoder": "open_clip:ViT-B-32/openai"}
    one_line(lambda: cc.export(learned, **refused, **image), "no module for it", "none leaves images out")
    one_line(lambda: cc.export(learned, **refused, data=tmp_path), "embeddings.json is missing")
    for number, (file, key, value, *parts) in enumerate(
        [
            ("modules.json", None, "modeling.Own", "modeling.Own is code of its own"),
            ("config_sentence_transformers.json", "truncate_dim", 4, "truncate_dim=4"),
        ]
    ):
        folder = tmp_path / f"model{number}"
        shutil.copytree(models / "model", folder)
        content = json.loads((folder / file).read_text())
        (content[0] if key is None else content)[key or "type"] = value
        (folder / file).write_text(json.dumps(content))
        one_line(lambda: cc.export(learned, **refused, text_encoder=str(folder)), *parts)  # noqa: B023
    with monkeypatch.context() as patch:
        patch.setattr(library, "__version__", "5.3.1")
        one_line(
            lambda: export(learned, image_encoder="clip"), "5.3.1 is installed", "5.4 or newer", "--image_encoder=none"
        )
    assert not (tmp_path / "out").exists()
