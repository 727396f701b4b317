"""Trainings from raw data to a finished run, and whatever stops them on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score
from small_data import QUICK, blobs, draw_fruits, outcome, write_flats
from torch import Tensor, nn

from layerwise.errors import BusyError, DataError, DivergedError, StoppedError, UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.training import resume, train
from layerwise.training.events import Event, Finished, Stepped

# Everything that draws random numbers or carries state from step to step.
LIVELY: dict[str, Any] = {
    "model": "lenet5", "image_size": 28, "augment": "shift:3,rotate:15,colour:0.2", "optimizer": "adamw",
    "schedule": "one-cycle", "ema_decay": 0.9, "batch_size": 12, "epochs": 3,
}  # fmt: skip
STEPS = 12  # of LIVELY on the fruits


def at_step(step: int, act: Callable[[], object]) -> Callable[[Event], None]:
    """Return a watcher that acts once, after `step` steps."""

    def watch(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == step:
            act()

    return watch


def signal_at(step: int, number: int = signal.SIGINT) -> Callable[[Event], None]:
    return at_step(step, lambda: os.kill(os.getpid(), number))


def saved_step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


@pytest.fixture(scope="module")
def whole(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outcome of LIVELY that nothing disturbed."""
    return outcome(train(data=fruits, runs=tmp_path_factory.mktemp("whole"), **LIVELY, **QUICK))


def test_a_finished_run_holds_weights_that_reach_the_figure_it_states(fruit_run: Run, fruits: Path) -> None:
    """The accuracy is computed anew from the files alone: weights, saved data facts, scikit-learn."""
    dataset = fruit_run.dataset()
    weights = load_file(fruit_run.path / "model.safetensors")
    layers = [tensor for name, tensor in weights.items() if name.endswith("weight")]
    biases = [tensor for name, tensor in weights.items() if name.endswith("bias")]
    mean, std = (torch.tensor(getattr(dataset.preprocessing, name))[:, None, None] for name in ("mean", "std"))
    hidden = ((dataset.test.inputs[:] / 255 - mean) / std).flatten(1)
    by_width = {weight.shape[1]: (weight, bias) for weight in layers for bias in biases if len(bias) == len(weight)}
    hidden = (hidden @ by_width[300][0].T + by_width[300][1]).relu()
    answers = (hidden @ by_width[16][0].T + by_width[16][1]).argmax(1)
    stated = json.loads((fruit_run.path / "result.json").read_text())["test"]
    assert stated["accuracy"] == accuracy_score(dataset.test.targets, answers)
    assert stated["accuracy"] > 0.8
    assert stated["count"] == 12
    assert fruit_run.status == "finished"


def test_the_same_training_twice_gives_the_same_bits(whole: dict[str, Any], fruits: Path, tmp_path: Path) -> None:
    assert outcome(train(data=fruits, runs=tmp_path, **LIVELY, **QUICK)) == whole


@pytest.mark.parametrize(("step", "number"), [(1, signal.SIGINT), (4, signal.SIGTERM), (7, signal.SIGINT)])
def test_a_stopped_training_resumes_with_the_same_bits(
    step: int, number: int, whole: dict[str, Any], fruits: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError, match="layerwise resume") as stop:
        train(data=fruits, runs=tmp_path, watchers=[signal_at(step, number)], **LIVELY, **QUICK)
    assert stop.value.exit_code == 128 + number
    run = Run.open(runs=tmp_path)
    assert run.status == "paused"
    assert [saved_step(path) for path in (run.path / "checkpoints").iterdir()] == [step]
    assert outcome(resume(runs=tmp_path, quiet=True)) == whole


def test_a_training_stopped_time_after_time_ends_with_the_same_bits(
    whole: dict[str, Any], fruits: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        train(data=fruits, runs=tmp_path, watchers=[signal_at(2)], **LIVELY, **QUICK)
    for step in (3, 8, STEPS - 1):
        with pytest.raises(StoppedError):
            resume(runs=tmp_path, quiet=True, watchers=[signal_at(step)])
    assert outcome(resume(runs=tmp_path, quiet=True)) == whole


def test_a_damaged_checkpoint_is_set_aside_by_name_and_the_one_before_gives_the_same_bits(
    whole: dict[str, Any], fruits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StoppedError):
        train(data=fruits, runs=tmp_path, checkpoint_every_s=0.0, watchers=[signal_at(7)], **LIVELY, **QUICK)
    run = Run.open(runs=tmp_path)
    newest = max((run.path / "checkpoints").iterdir(), key=saved_step) / "model.safetensors"
    assert saved_step(newest.parent) == 7
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    finished = resume(runs=tmp_path)
    assert outcome(finished) == whole
    said = capsys.readouterr().err
    assert "step-00000007 is damaged (model.safetensors" in said
    assert "going on after step 6" in said


def test_a_finished_run_is_left_as_it_is(flat_run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in flat_run.path.rglob("*")}
    assert resume(flat_run.path, quiet=True).status == "finished"
    assert {path: path.stat().st_mtime_ns for path in flat_run.path.rglob("*")} == before


def test_data_that_changed_since_the_start_is_refused(tmp_path: Path) -> None:
    data = draw_fruits(tmp_path / "fruits", each=12)
    with pytest.raises(StoppedError):
        train("mlp", data, epochs=3, batch_size=8, runs=tmp_path, watchers=[signal_at(2)], **QUICK)
    (data / "蕉" / "bild 03.png").unlink()
    with pytest.raises(DataError, match="is not what run mlp-fruits was started with"):
        resume(runs=tmp_path, quiet=True)


class Blind:
    """Samples that must not be read: the inputs of a test split before the end."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.is_open = False

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, indices: Tensor) -> Tensor:
        assert self.is_open, "the test split was read before the training had ended"
        return self.values[indices]


def test_the_test_split_is_read_by_nothing_but_the_final_evaluation(tmp_path: Path) -> None:
    dataset = blobs()
    blind = Blind(dataset.test.inputs[:])

    def open_at_the_end(event: Event) -> None:
        blind.is_open = blind.is_open or isinstance(event, Finished)

    hidden = replace(dataset, test=replace(dataset.test, inputs=blind))
    finished = train("mlp", hidden, epochs=4, runs=tmp_path, watchers=[open_at_the_end], **QUICK)
    assert blind.is_open
    assert finished.result["test"]["count"] == 30


def test_other_test_rows_change_neither_the_preprocessing_nor_a_bit_of_the_weights(tmp_path: Path) -> None:
    frame = pl.read_csv(write_flats(tmp_path / "flats.csv"))
    frame = frame.with_columns(pl.Series("day", range(1, len(frame) + 1)))
    is_test = pl.col("day") > 0.8 * len(frame)
    other = frame.with_columns(
        size=pl.when(is_test).then(pl.lit(7777.0)).otherwise("size"),
        town=pl.when(is_test).then(pl.lit("Graz")).otherwise("town"),
        rent=pl.when(is_test).then(pl.lit(-5.0)).otherwise("rent"),
    )
    runs = []
    for name, table in (("one", frame), ("two", other)):
        table.write_csv(tmp_path / f"{name}.csv")
        settings = {
            "target": "rent",
            "split_by": "time",
            "split_column": "day",
            "hidden": (8,),
            "dropout": 0.2,
        }
        runs.append(train("mlp", tmp_path / f"{name}.csv", runs=tmp_path / "runs", epochs=4, **settings, **QUICK))
    one, two = (
        [(run.path / name).read_bytes() for name in ("preprocessing.json", "model.safetensors")] for run in runs
    )
    assert one == two
    assert runs[0].result["test"]["rmse"] != runs[1].result["test"]["rmse"]


class Slope(nn.Module):
    """A network of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.layer = nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(self.norm(inputs))


def seeded_slope() -> Slope:
    torch.manual_seed(5)
    return Slope()


def test_a_module_and_a_dataset_of_the_users_own_train_stop_and_resume_with_the_same_bits(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 5, "batch_size": 10, "learning_rate": 0.05}
    expected = train(seeded_slope(), blobs(), runs=tmp_path / "whole", **settings, **QUICK)
    assert expected.result["test"]["accuracy"] > 0.9
    assert expected.name == "slope-blobs"
    with pytest.raises(StoppedError):
        train(seeded_slope(), blobs(), runs=tmp_path / "cut", watchers=[signal_at(8)], **settings, **QUICK)
    finished = resume(runs=tmp_path / "cut", model=Slope(), data=blobs(), quiet=True)
    assert outcome(finished) == outcome(expected)


def poisoned(row: int) -> Any:
    """Return the blobs with one training row that is not a number."""
    dataset = blobs()
    inputs = dataset.train.inputs[:].clone()
    inputs[row] = float("nan")
    return replace(dataset, train=replace(dataset.train, inputs=inputs))


def test_a_row_that_is_no_number_ends_the_training_and_keeps_the_weights_from_before_it(tmp_path: Path) -> None:
    model, seen = seeded_slope(), list[dict[str, Tensor]]()

    def remember(event: Event) -> None:
        if isinstance(event, Stepped):
            seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})

    with pytest.raises(DivergedError, match=r"batch of point \d+") as error:
        train(model, poisoned(44), epochs=1, batch_size=6, runs=tmp_path, watchers=[remember], **QUICK)
    assert error.value.exit_code == 3
    run = Run.open(runs=tmp_path, model=Slope())
    assert run.status == "diverged"
    assert "the weights from before this step are kept" in run.folder.status()["reason"]
    assert len(seen) == 5
    kept = run.folder.load_weights()
    for name, tensor in seen[-1].items():
        assert torch.equal(kept[name], tensor), name
    assert torch.isfinite(run.model(torch.zeros(1, 2))).all()


def test_too_large_a_rate_is_said_to_diverge_with_a_remedy(tmp_path: Path, flats: Path) -> None:
    with pytest.raises(DivergedError, match=r"`learning_rate` \(now 1e\+30\)"):
        train("mlp", flats, target="rent", optimizer="sgd", learning_rate=1e30, schedule="constant", epochs=3,
              runs=tmp_path, **QUICK)  # fmt: skip
    run = Run.open(runs=tmp_path)
    assert run.status == "diverged"


DISK_FULL = textwrap.dedent(
    """
    import resource, signal, sys
    from layerwise.errors import StorageError
    from layerwise.experiments.training import train
    from layerwise.training.events import Stepped

    def fill(event):
        if isinstance(event, Stepped) and event.step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        train(data=sys.argv[1], runs=sys.argv[2], watchers=[fill], checkpoint_every_s=0.0, quiet=True,
              threads=1, precision="float32", compile="no", **eval(sys.argv[3]))
    except StorageError as error:
        print(error)
        sys.exit(error.exit_code)
    """
)


@pytest.mark.slow
def test_a_full_disk_in_the_midst_pauses_the_run_which_goes_on_with_the_same_bits(
    whole: dict[str, Any], fruits: Path, tmp_path: Path
) -> None:
    """No file may grow beyond 100 kB from step 6 on; a checkpoint needs more."""
    command = [sys.executable, "-c", DISK_FULL, str(fruits), str(tmp_path), repr(LIVELY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 74, done.stderr
    assert re.search("could not be written: .* [Tt]hen go on with `layerwise resume", done.stdout)
    run = Run.open(runs=tmp_path)
    assert run.status == "paused"
    assert sorted(map(saved_step, (run.path / "checkpoints").iterdir())) == [4, 5]
    assert outcome(resume(runs=tmp_path, quiet=True)) == whole


@pytest.mark.slow
def test_a_second_process_on_a_run_is_refused_while_the_first_goes_on(fruits: Path, tmp_path: Path) -> None:
    answers = []

    def knock() -> None:
        command = [sys.executable, "-m", "layerwise.cli.main", "resume", "latest", "--runs", str(tmp_path)]
        answers.append(subprocess.run(command, capture_output=True, text=True, timeout=120))

    finished = train("mlp", fruits, epochs=2, batch_size=12, runs=tmp_path, watchers=[at_step(3, knock)], **QUICK)
    assert finished.status == "finished"
    assert answers[0].returncode == BusyError.exit_code, answers[0].stderr
    assert "mlp-fruits" in answers[0].stderr
    assert str(os.getpid()) in answers[0].stderr
    assert "Traceback" not in answers[0].stderr


def test_trainings_that_start_at_once_get_names_of_their_own(tmp_path: Path) -> None:
    """The second one starts when the first has not ended, and wants the same name."""
    inner: list[Run] = []

    def start_another() -> None:
        inner.append(train("logistic", "iris", epochs=1, name="same", runs=tmp_path, **QUICK))

    outer = train("logistic", "iris", epochs=2, name="same", runs=tmp_path, watchers=[at_step(1, start_another)],
                  **QUICK)  # fmt: skip
    assert (outer.name, inner[0].name) == ("same", "same-2")
    assert outer.status == inner[0].status == "finished"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "mlpp"}, "Did you mean 'mlp'"),
        ({"model": "mlp", "hiden": 3}, "Did you mean `hidden`"),
        ({"model": "mlp", "batch_size": 10_000}, r"`batch_size` 10000 is larger than the \d+ training samples"),
        ({"model": "mlp", "augment": "shift:2"}, "`augment`"),
        ({"model": "mlp", "mixup": 0.2}, "`mixup` is for classification"),
        ({"model": "mlp", "test": 0.0}, "no test samples"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    options: dict[str, Any], sentence: str, flats: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=sentence):
        train(data=flats, target="rent", runs=tmp_path / "runs", **options, **QUICK)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("size", "asked", "expected"),
    [
        (60_000, {}, 128),
        (2_000, {}, 32),
        (4_200, {}, 128),
        (3_000, {}, 64),
        (20, {}, 20),
        (2_000, {"batch_size": 100}, 100),
    ],
)
def test_small_data_gets_smaller_batches_unless_a_size_was_asked_for(
    size: int, asked: dict[str, int], expected: int
) -> None:
    from layerwise.experiments.experiment import Experiment
    from layerwise.experiments.setup import check_batch_size

    assert check_batch_size(Experiment.of("lenet5", asked), size) == expected
