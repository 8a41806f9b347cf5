"""The seed study's maps read and used as torch uses them, and each bad file named in one line."""

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_aligner, save_tree
from ccalign_jax.errors import InputError
from ccalign_jax.seed_maps import load_seed_map

pytestmark = pytest.mark.optimised

torch = pytest.importorskip("torch")
D_TEXT, D_IMAGE, HIDDEN = 5, 4, 7


class SeedHead(torch.nn.Module):
    """x E + W₂ GELU(W₁ x + b₁) + b₂ as torch writes it; E comes along as a buffer."""

    def __init__(self, d_text, d_image):
        super().__init__()
        self.register_buffer("eye_rect", torch.eye(d_text, d_image))
        self.fc1 = torch.nn.Linear(d_text, HIDDEN)
        self.fc2 = torch.nn.Linear(HIDDEN, d_image)

    def forward(self, x):
        return x @ self.eye_rect + self.fc2(torch.nn.functional.gelu(self.fc1(x)))


@pytest.fixture
def rows():
    return torch.randn(6, D_TEXT, generator=torch.Generator().manual_seed(0))


def linear_file(path, **changes):
    weight = torch.randn(D_TEXT, D_IMAGE, generator=torch.Generator().manual_seed(1))
    torch.save({"kind": "linear", "W": weight, "langs": ["de", "ar"], "train_split": "full", **changes}, path)
    return weight


def mlp_file(path, d_text=D_TEXT, d_image=D_IMAGE, state=None, **changes):
    torch.manual_seed(2)
    head = SeedHead(d_text, d_image)
    content = {
        "kind": "mlp",
        "head": "mlp_residual",
        "d_text": d_text,
        "d_img": d_image,
        "hidden": HIDDEN,
        "dropout": 0.1,
        "state_dict": {**head.state_dict(), **(state or {})},
        "langs": ["ar", "de"],
    }
    torch.save({**content, **changes}, path)
    return head


def mapped(checkpoint, rows):
    return np.asarray(checkpoint.aligner.text(checkpoint.params, rows.numpy(), checkpoint.language_number("de")))


def test_a_linear_map_acts_as_torchs(tmp_path, rows):
    weight = linear_file(tmp_path / "W.pt")
    checkpoint = load_seed_map(tmp_path / "W.pt")
    np.testing.assert_allclose(mapped(checkpoint, rows), (rows @ weight).numpy(), atol=1e-5)
    assert checkpoint.about["languages"] == ["ar", "de"]
    assert (checkpoint.about["aligner"], checkpoint.about["trial"]) == ("linear", "W")


@pytest.mark.parametrize("d_image", [D_TEXT, D_IMAGE, 6])
def test_an_mlp_acts_as_torchs(tmp_path, rows, d_image):
    head = mlp_file(tmp_path / "W.pt", d_image=d_image)
    checkpoint = load_seed_map(str(tmp_path / "W.pt"))
    with torch.no_grad():
        np.testing.assert_allclose(mapped(checkpoint, rows), head(rows).numpy(), atol=1e-5)
    assert checkpoint.about["hidden"] == HIDDEN and checkpoint.about["d_image"] == d_image


@pytest.mark.parametrize("write", [linear_file, mlp_file])
def test_a_seed_map_becomes_a_checkpoint_of_ours(tmp_path, rows, write):
    write(tmp_path / "W.pt")
    found = load_seed_map(tmp_path / "W.pt")
    save_tree(tmp_path / "kept", found.params, found.about)
    kept = load_aligner(tmp_path / "kept")
    np.testing.assert_array_equal(mapped(kept, rows), mapped(found, rows))
    assert kept.language_number("xx") == -1  # one map for all: it looks at no number


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"PK\x03\x04 not torch"), "damaged"),
        (lambda path: torch.save({"W": object}, path), "damaged, or more than tensors"),
        (lambda path: torch.save(torch.eye(3), path), "holds a Tensor"),
        (lambda path: linear_file(path, kind="ridge"), "kind is 'ridge'"),
        (lambda path: linear_file(path, W=None), "no tensor W"),
        (lambda path: linear_file(path, W=torch.zeros(3)), r"W is \[3\], not a matrix"),
        (lambda path: linear_file(path, W=torch.full((2, 2), float("nan"))), "W has a number that is NaN"),
        (lambda path: linear_file(path, langs="ar"), "langs must list"),
        (lambda path: mlp_file(path, head="mlp"), "head is 'mlp'"),
        (lambda path: mlp_file(path, state_dict=None), "no state_dict"),
        (lambda path: mlp_file(path, state={"fc3.bias": torch.zeros(2)}), "fc3.bias"),
        (lambda path: mlp_file(path, state={"fc2.bias": torch.zeros(9)}), r"do not fit .* fc2.bias \[9\]"),
        (lambda path: mlp_file(path, state={"fc1.bias": None}), "no tensor fc1.bias"),
        (lambda path: mlp_file(path, state={"eye_rect": torch.zeros(D_TEXT, D_IMAGE)}), "eye_rect is not"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, write, said):
    path = tmp_path / "W.pt"
    write(path)
    with pytest.raises(InputError, match=said) as error:
        load_seed_map(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and ";" in str(error.value)


def test_the_seed_programs_own_maps(seed_study):
    """Its real files against torch."""
    folder = seed_study.folder
    rows = torch.nn.functional.normalize(torch.randn(32, 256), dim=1)
    content = torch.load(folder / "W_full_ar-de-en-fr-zh_fold0_mlp.pt", weights_only=True)["state_dict"]
    inner = torch.nn.functional.linear(rows, content["fc1.weight"], content["fc1.bias"])
    outer = torch.nn.functional.linear(torch.nn.functional.gelu(inner), content["fc2.weight"], content["fc2.bias"])
    found = load_seed_map(folder / "W_full_ar-de-en-fr-zh_fold0_mlp.pt")
    np.testing.assert_allclose(mapped(found, rows), (rows + outer).numpy(), atol=2e-6)
    assert found.about["languages"] == ["ar", "de", "en", "fr", "zh"]
