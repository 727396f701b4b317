"""Augmentation as a whole: the same bits in any batch, the right distributions, and text that says what it is."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from layerwise.data.images.augmentation import KINDS, Augmentation, Part, mixup, preview
from layerwise.data.images.augmentation_policy import OPERATIONS
from layerwise.errors import DataError, NotFoundError, UsageError

EVERY_PART = [
    "shift:2",
    "crop:4",
    "flip",
    "vflip",
    "rotate:180",
    "shear:0.2",
    "scale:0.3",
    "translate:0.1",
    "colour:0.4",
    "cutout:5",
    "cifar10",
]
TOGETHER = [*EVERY_PART, "shift:2,rotate:10,flip,scale:0.1", "crop:3,flip,cifar10,cutout:6,colour:0.1"]


def some_pictures(count: int, channels: int = 3, height: int = 12, width: int = 15) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, channels, height, width), generator=generator) / 255


def vary(text: str, pictures: torch.Tensor, seed: int = 1, epoch: int = 2) -> torch.Tensor:
    return Augmentation.parse(text)(pictures, seed, epoch, torch.arange(len(pictures)))


# The promise: a function of (seed, epoch, sample)


@pytest.mark.parametrize("text", TOGETHER)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_gets_the_same_bits_in_any_batch(text, channels):
    pictures = some_pictures(70, channels)
    augmentation = Augmentation.parse(text)
    everything = vary(text, pictures)
    order = torch.randperm(70, generator=torch.Generator().manual_seed(4))
    for some in (order, order[:1], order[1:4], order[4:21], torch.tensor([9, 9])):
        assert torch.equal(augmentation(pictures[some], 1, 2, some), everything[some])


@pytest.mark.parametrize("text", TOGETHER)
def test_a_large_picture_gets_the_same_bits_alone_and_with_any_number_of_threads(text):
    pictures = some_pictures(3, 3, 150, 110)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = torch.cat([Augmentation.parse(text)(pictures[i : i + 1], 1, 2, torch.tensor([i])) for i in range(3)])
        torch.set_num_threads(2)
        together = vary(text, pictures)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone, together)


@pytest.mark.parametrize("text", TOGETHER)
def test_other_epochs_seeds_and_samples_give_other_pictures_and_the_input_stays(text):
    pictures = some_pictures(1).repeat(40, 1, 1, 1)
    before = pictures.clone()
    varied = vary(text, pictures)
    assert torch.equal(pictures, before)
    assert varied.shape == pictures.shape
    assert varied.dtype == torch.float32
    assert varied.min() >= 0
    assert varied.max() <= 1 + 1e-6
    for other in (vary(text, pictures, seed=2), vary(text, pictures, epoch=3), varied.roll(1, dims=0)):
        assert not torch.equal(varied, other)


@pytest.mark.parametrize("text", TOGETHER)
def test_the_memory_format_of_the_pictures_changes_no_bit(text):
    pictures = some_pictures(30)
    assert torch.equal(vary(text, pictures.contiguous(memory_format=torch.channels_last)), vary(text, pictures))


def test_no_parts_and_no_pictures_change_nothing():
    pictures = some_pictures(3)
    assert vary("none", pictures) is pictures
    assert not Augmentation.parse("none")
    assert vary("rotate:5,cifar10", pictures[:0]).shape == (0, 3, 12, 15)


# Each part


def test_shift_copies_whole_pixels_and_draws_every_place_equally_often():
    picture = some_pictures(1, 1, 5, 7) + 1 / 255
    varied = vary("shift:2", picture.repeat(10_000, 1, 1, 1)).numpy()
    padded = np.pad(picture.numpy()[0, 0], 2)
    places = [padded[y : y + 5, x : x + 7] for y in range(5) for x in range(5)]
    counts = [(varied[:, 0] == place).all(axis=(1, 2)).sum() for place in places]
    assert sum(counts) == 10_000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_crop_cuts_from_the_mirrored_frame_and_draws_every_place_equally_often():
    picture = some_pictures(1, 2, 6, 5)
    varied = vary("crop:1", picture.repeat(5000, 1, 1, 1)).numpy()
    padded = np.pad(picture.numpy()[0], ((0, 0), (1, 1), (1, 1)), mode="reflect")
    places = [padded[:, y : y + 6, x : x + 5] for y in range(3) for x in range(3)]
    counts = [(varied == place).all(axis=(1, 2, 3)).sum() for place in places]
    assert sum(counts) == 5000
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(("text", "dimension"), [("flip", -1), ("vflip", -2)])
def test_flips_mirror_half_of_the_pictures(text, dimension):
    picture = some_pictures(1)
    varied = vary(text, picture.repeat(4000, 1, 1, 1))
    mirrored = (varied == picture.flip(dimension)).flatten(1).all(1)
    kept = (varied == picture).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert stats.binomtest(int(mirrored.sum()), 4000).pvalue > 1e-4


@pytest.mark.parametrize("text", ["shift:3", "flip", "vflip", "shift:3,flip,vflip", "vflip,shift:2,flip,shift:1"])
def test_copying_and_the_affine_map_agree(text):
    pictures = some_pictures(50)
    shown = vary(text, pictures)
    mapped = vary(text + ",rotate:0.000001", pictures)
    if text != "vflip,shift:2,flip,shift:1":
        torch.testing.assert_close(shown, mapped, atol=2e-4, rtol=0)
    else:  # the map brings back what a later shift undoes, copying cannot: compare the middle
        middle = (..., slice(3, -3), slice(3, -3))
        torch.testing.assert_close(shown[middle], mapped[middle], atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("rotate:30", -30, 30), ("scale:0.5", 0.5, 1.5), ("shear:0.4", -0.4, 0.4), ("translate:0.25", -8, 8)],
)
def test_amounts_fill_their_range_evenly(text, low, high):
    """Each amount is measured on the picture: the centre of mass of one dot to the right of the middle."""
    pictures = torch.zeros(2000, 1, 33, 33)
    place = 16 if text.startswith("translate") else 20
    pictures[:, 0, 16, place] = 1.0
    varied = vary(text, pictures)[:, 0].double()
    ys, xs = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    mass = varied.sum((1, 2))
    x, y = (varied * xs).sum((1, 2)) / mass, (varied * ys).sum((1, 2)) / mass
    amounts = {
        "rotate": torch.rad2deg(torch.atan2(-y, x)),
        "scale": x / 4,
        "shear": y / 4,
        "translate": x,
    }[text.split(":")[0]]
    tolerance = 0.05 * (high - low)
    assert low - tolerance < amounts.min() < low + tolerance
    assert high - tolerance < amounts.max() < high + tolerance
    assert abs(amounts.mean() - (low + high) / 2) < tolerance


def test_cutout_covers_one_square_and_leaves_the_rest():
    varied = vary("cutout:4", torch.ones(3000, 3, 10, 9))
    covered = varied[:, 0] == 0
    assert torch.equal(varied == 0, covered[:, None].expand_as(varied))
    heights, widths = covered.any(2).sum(1), covered.any(1).sum(1)
    assert torch.equal(covered.sum((1, 2)), heights * widths)
    assert heights.max() == widths.max() == 4
    assert covered.float().mean(0).min() > 0


def test_colour_changes_the_whole_picture_within_its_range():
    grey = torch.full((2000, 3, 4, 4), 0.4)
    varied = vary("colour:0.5", grey)
    assert torch.equal(varied, varied[:, :1, :1, :1].expand_as(varied))
    assert 0.195 < varied.min() < 0.22
    assert 0.58 < varied.max() < 0.605


# Text

amounts = st.floats(1e-6, 0.9, allow_nan=False)
parts = st.one_of(
    st.sampled_from([name for name, kind in KINDS.items() if kind.default is None]).map(Part),
    st.builds(
        Part,
        st.sampled_from([name for name, kind in KINDS.items() if kind.unit == "pixels"]),
        st.integers(1, 1024).map(float),
    ),
    st.builds(Part, st.sampled_from(["rotate", "shear", "scale", "translate", "colour"]), amounts),
)
operations = st.tuples(st.sampled_from(OPERATIONS), st.floats(0, 1), st.floats(0, 10))
policies = st.lists(st.lists(operations, min_size=1, max_size=3), min_size=1, max_size=4)


@given(st.lists(parts, max_size=4), st.lists(policies, max_size=2))
def test_the_text_of_an_augmentation_reads_as_the_same_augmentation(some, policies):
    augmentation = sum((Augmentation.policy(policy) for policy in policies), Augmentation(tuple(some)))
    assert Augmentation.parse(augmentation.to_text()) == augmentation


def test_texts_can_be_written_in_several_ways():
    parse = Augmentation.parse
    assert parse(" Crop:4 , hflip + policy cifar10 + cutout") == parse("crop:4,flip,cifar10,cutout:8")
    assert parse("policy:cifar10") == parse("cifar10")
    assert parse("color") == parse("colour:0.2")
    assert parse("") == parse("none") == Augmentation()
    written = parse("flip,policy:[(rotate, 0.7,2),(translate-x,0.3,9)];[(Color,1,5)],cutout:3")
    policy = Augmentation.policy([[("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)], [("saturation", 1, 5)]])
    assert written == parse("flip") + policy + parse("cutout:3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rotat:10", ["'rotat:10'", "Did you mean 'rotate'?", "cifar10"]),
        ("cifar", ["Did you mean 'cifar10'?"]),
        ("flip,,crop:4", ["`augment` '' is not known"]),
        ("flip,none", ["'none' is not known"]),
        ("rotate:ten", ["'rotate:ten'", "up to 180 (degrees)", "'rotate:10'"]),
        ("rotate:-3", ["'rotate:-3'", "above 0"]),
        ("rotate:nan", ["'rotate:nan'"]),
        ("shift:1.5", ["'shift:1.5'", "a whole number", "pixels"]),
        ("scale:1", ["'scale:1'", "up to 0.9"]),
        ("flip:3", ["'flip:3' takes no amount"]),
        ("policy:", ["policy '' is not known"]),
        ("policy:cifar11", ["Did you mean 'cifar10'?"]),
        ("policy:[]", ["sub-policy '[]'", "[(rotate,0.7,2),(translate-x,0.3,9)]"]),
        ("policy:[(rotate,0.7)]", ["sub-policy '[(rotate,0.7)]'"]),
        ("policy:[(rotate,0.7,2)", ["'[(rotate'"]),
        ("policy:[(rotte,0.7,2)]", ["'rotte'", "Did you mean 'rotate'?"]),
        ("policy:[(rotate,1.7,2)]", ["probability", "'rotate'", "'1.7'", "from 0 to 1"]),
        ("policy:[(rotate,0.7,11)]", ["magnitude", "'rotate'", "'11'", "from 0 to 10"]),
    ],
)
def test_bad_text_is_refused_with_what_was_expected(text, expected):
    with pytest.raises(UsageError) as caught:
        Augmentation.parse(text)
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "policy",
    [[], [[]], [[("rotate", 0.5)]], [["rotate"]], [[("rotate", None, 1)]], [[(3, 0.5, 1)]], [[("rotate", 0.5, [])]]],
)
def test_a_bad_policy_in_python_is_refused(policy):
    with pytest.raises(UsageError):
        Augmentation.policy(policy)


def test_a_policy_is_read_from_json_and_its_text_needs_the_file_no_more(tmp_path):
    subpolicies = [[["rotate", 0.7, 2], ["translate-x", 0.3, 9]], [["invert", 0.1, None]]]
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(subpolicies))
    augmentation = Augmentation.parse(f"flip,policy:{path}")
    assert augmentation == Augmentation.parse("flip") + Augmentation.policy(subpolicies)
    assert augmentation == Augmentation.parse("flip") + Augmentation.read_policy(path)
    path.unlink()
    assert Augmentation.parse(augmentation.to_text()) == augmentation
    with pytest.raises(NotFoundError, match=r"policy\.json"):
        Augmentation.read_policy(path)


@pytest.mark.parametrize("content", ["{", "3", '{"a": 1}', "[3]"])
def test_a_file_that_holds_no_policy_is_named(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"broken\.json"):
        Augmentation.read_policy(path)


def test_pictures_that_are_too_small_and_data_that_is_no_picture_are_refused():
    with pytest.raises(UsageError, match=r"crop:8.*8x20"):
        Augmentation.parse("flip,crop:8").check((1, 8, 20))
    with pytest.raises(UsageError, match="for pictures"):
        Augmentation.parse("flip").check((30,))
    with pytest.raises(UsageError, match="shift:8"):
        vary("shift:8", some_pictures(2, 1, 8, 8))
    Augmentation.parse("none").check((30,))
    Augmentation.parse("shift:7,rotate:90,cifar10").check((1, 8, 8))


def test_every_part_is_described_by_one_sentence():
    sentences = Augmentation.parse(",".join([*EVERY_PART, "policy:[(invert,1,0)]"])).describe()
    assert len(sentences) == len(set(sentences)) == len(EVERY_PART) + 1
    assert all(sentence.endswith(".") and "{" not in sentence for sentence in sentences)
    assert "180 degrees" in sentences[4]


def test_preview_shows_the_pictures_as_the_epochs_do():
    pictures, augmentation = some_pictures(4), Augmentation.parse("shift:2,cifar10")
    shown = preview(pictures, augmentation, seed=9, count=3)
    assert shown.shape == (3, *pictures.shape)
    assert torch.equal(shown[2], augmentation(pictures, 9, 2, torch.arange(4)))


# Mixing


def shares(alpha: float, count: int = 20_000) -> torch.Tensor:
    inputs = torch.zeros(2 * count, 1)
    inputs[::2] = 1.0  # every other sample is one, its partner zero
    mixed, _ = mixup(inputs, torch.zeros(2 * count, dtype=torch.int64), 2, alpha, 0, 0, torch.arange(2 * count))
    return mixed[::2, 0]


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 1.0, 3.0])
def test_mixup_draws_its_shares_from_the_beta_distribution(alpha):
    edges = np.concatenate([[0, 1e-4, 1e-3], np.linspace(0.02, 0.98, 25), [1 - 1e-3, 1 - 1e-4, 1]])
    counts = np.histogram(shares(alpha).double().numpy(), edges)[0]
    expected = np.diff(stats.beta(alpha, alpha).cdf(edges))
    assert stats.chisquare(counts, expected * counts.sum()).pvalue > 1e-4


def test_mixup_blends_inputs_and_targets_alike():
    inputs, targets = torch.eye(6)[:, None], torch.tensor([0, 2, 1, 5, 4, 3])
    mixed, soft = mixup(inputs, targets, 7, 0.4, 3, 1, torch.arange(6))
    assert soft.shape == (6, 7)
    torch.testing.assert_close(soft.sum(1), torch.ones(6))
    expected = mixed[:, 0] @ torch.eye(7)[targets]
    torch.testing.assert_close(soft, expected)


def test_mixup_of_values_blends_the_values():
    inputs = torch.tensor([[1.0], [5.0], [2.0]])
    mixed, values = mixup(inputs, 10 * inputs, 0, 1.0, 3, 1, torch.arange(3))
    torch.testing.assert_close(values, 10 * mixed)


def test_the_share_of_a_sample_does_not_depend_on_its_batch():
    inputs, targets = torch.eye(8), torch.zeros(8, dtype=torch.int64)
    whole, _ = mixup(inputs, targets, 1, 0.3, 3, 1, torch.arange(8))
    some = torch.tensor([6, 1, 3])
    mixed, _ = mixup(inputs[some], targets[some], 1, 0.3, 3, 1, some)
    assert torch.equal(mixed[range(3), some], whole.diagonal()[some])
    alone, _ = mixup(inputs[:1], targets[:1], 1, 0.3, 3, 1, torch.arange(1))
    torch.testing.assert_close(alone, inputs[:1])


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_a_mixup_strength_that_is_not_positive_is_refused(alpha):
    with pytest.raises(UsageError, match="positive"):
        mixup(torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64), 2, alpha, 0, 0, torch.arange(2))
