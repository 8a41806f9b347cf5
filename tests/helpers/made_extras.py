"""The content of `examples.json`, made by hand."""


def near(image, caption=None, *, right=False):
    return {"image": image, "caption": caption, "right": right}


def example(language, image, before, after, caption=None, texts=(None, None, None)):
    items = [near(name, text, right=name == image) for name, text in zip(("a", "b", "c"), texts, strict=True)]
    return {
        **{"fold": 0, "language": language, "image": image, "caption": caption, "before": before, "after": after},
        **{"nearest_before": items, "nearest_after": items[::-1]},
    }


def make_extras(languages=("de", "en"), *, count=1):
    """`count` examples of each kind but the last; a map that changes some numbers and leaves others."""
    texts = ("قطة", "a <dog>", "一只鸟")
    blocks = {
        task: {
            **{"queries": 40, "counts": {"gained": 7, "lost": 3}},
            "gained": [example("en", "a", 4.0, 1.0, "a <cat>" if task == "t2i" else None, texts)] * count,
            "lost": [example("ar", "b", 1.0, 2.5, "قطة" if task == "t2i" else None, texts)] * count,
            "worst": [],
        }
        for task in ("t2i", "i2t")
    }
    place = {"before": [0.0, 0.0], "after": [0.1, -0.2]}
    images = [
        {
            **{"image": "a", "kind": kind, "change": change, "explained": 0.5, **place},
            "rivals": [{"image": "b", **place}],
            "captions": {**dict.fromkeys(languages, place), languages[-1]: {"before": [0.3, 0.3], "after": [0.1, 0.1]}},
        }
        for kind, change in (("improved", 0.5), ("worsened", -0.25))
    ]

    def state(skew):
        sets = {name: [[1.0, 0.2], [0.2, 1.0]] for name in ("image", *languages)}
        spectra = {name: [2.0, 1.0] for name in sets}
        hubs = {task: {name: {"skew": skew, "gini": skew / 10} for name in languages} for task in ("t2i", "i2t")}
        return {"grams": sets, "spectra": spectra, "hubs": hubs}

    return {
        "compared": {"schema": 1, "map": "selected", "per_fold": ["x"]},
        "examples": {"rule": "drawn at random", "thumbnails": {"a": "QUJD"}, **blocks},
        "neighbourhoods": {
            **{"rule": "", "fold": 0, "method": "PCA", "counts": {"images": 9, "improved": 5, "worsened": 2}},
            "images": images,
        },
        "geometry": {"fold": 0, "states": {"before": state(1.5), "after": state(1.25)}},
    }
