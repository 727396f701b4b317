"""Translators from a table of pairs to translations: figures, pictures, commands, and a sentence for what cannot be."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch
from PIL import Image
from small_data import QUICK, outcome
from small_pairs import write_pairs

from layerwise.cli.main import main
from layerwise.data.raw import RawPairs
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import DataError, StoppedError, UsageError
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.explain import explain
from layerwise.experiments.run import Run
from layerwise.experiments.training import resume, train
from layerwise.reports.alignments import align
from layerwise.reports.results import result_from_json
from layerwise.reports.results.translation import TranslationResult
from layerwise.training.events import Event, Stepped

SMALL: dict[str, Any] = {"dropout": 0.0, "batch_size": 32, "learning_rate": 0.01, "warmup": 1.0, "ema_decay": 0.0}
SIZES: dict[str, dict[str, Any]] = {
    "transformer": {"embed_dim": 32, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "epochs": 20},
    "seq2seq": {"embedding": 32, "hidden": 32, "epochs": 14, "batch_size": 16},
}
SAID = "the red car near the calm house"
MEANT = "la voiture rouge près de la maison calme"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data") / "world.pairs.tsv", 600)


def trained(name: str, pairs: Path, runs: Path, **changes: Any) -> Run:
    return train(name, pairs, runs=runs, **{**SMALL, **SIZES[name], **QUICK, **changes})


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained("transformer", pairs, tmp_path_factory.mktemp("runs"))


def typed(run: Run, *words: str) -> int:
    """Type a command on the run."""
    return main([words[0], str(run.path), *words[1:]])


def test_a_transformer_learns_the_world_and_turns_adjectives_round(run: Run) -> None:
    assert run.result["test"]["bleu"] > 90
    assert run.result["test"]["word_bleu"] < 20
    assert run.translate(SAID, beam=1) == run.translate(SAID, beam=3) == [MEANT]


def test_a_recurrent_translator_learns_it_as_well(pairs: Path, tmp_path: Path) -> None:
    run = trained("seq2seq", pairs, tmp_path)
    assert run.result["test"]["bleu"] > 90
    assert run.translate(SAID) == [MEANT]


def test_the_figures_are_those_of_the_translations_against_their_references(run: Run) -> None:
    test = run.dataset().test
    references = [run.preprocessing.decode(row) for row in test.targets.tolist()]  # type: ignore[attr-defined]
    given = run.translate(*test.ids)
    result = run.evaluation
    assert isinstance(result, TranslationResult)
    assert result.bleu == pytest.approx(sacrebleu.corpus_bleu(given, [references]).score)
    assert result.exact == sum(a == b for a, b in zip(given, references, strict=True)) / len(given)
    assert result.copied_bleu == pytest.approx(sacrebleu.corpus_bleu(list(test.ids), [references]).score)
    assert (result.count, result.beam, result.languages) == (120, 1, ("english", "french"))
    assert result_from_json(json.loads(json.dumps(result.to_json()))) == result
    assert "from English to French with a BLEU score of" in result.sentence("120 sentences")
    assert [one.score for one in result.worst] == sorted(one.score for one in result.worst)


def test_a_held_out_text_may_be_longer_than_any_that_was_learned_from(run: Run) -> None:
    preprocessing = run.preprocessing
    assert isinstance(preprocessing, PairPreprocessing)
    split = preprocessing.encode_pairs(["red " * 20], [MEANT])
    assert split.inputs[:].shape == (1, 20)  # type: ignore[index]
    assert preprocessing.length < 20
    result = run.evaluate_split(split)
    assert isinstance(result, TranslationResult)
    given = result.examples_shown[0].given or "rouge"
    assert align(run.model, preprocessing, "red " * 20, given).weights.shape[1] == 20
    assert all(name.startswith("attention") for name, _ in result.drawings(run.evaluation_input(split)))


def test_a_run_that_was_opened_and_asked_first_can_still_be_differentiated(run: Run) -> None:
    opened = Run.open(run.path)
    with torch.inference_mode():
        assert not any(weight.is_inference() for weight in opened.model.parameters())
    assert opened.translate(SAID) == [MEANT]
    found, _ = explain(opened, SAID, parts=("gradients",), out=run.path / "why")
    assert found.gradients is not None


def test_a_line_that_cannot_be_translated_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.txt").write_text(f"{SAID}\n\n{'red ' * 300}\n")
    assert typed(run, "translate", "--file", str(tmp_path / "texts.txt")) == 65
    assert "texts.txt, line 3 has 300 tokens" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"each text is a string of its own, .* received .'a', 'b'."):
        run.translate(["a", "b"])  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", io.StringIO("red " * 300))
    assert typed(run, "translate") == 65
    assert "standard input, line 1 has 300 tokens" in capsys.readouterr().err


def test_a_translator_is_measured_on_a_known_set_of_its_languages(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pairs stand for the data set, which is fetched."""
    known = RawPairs(["not asked"], ["pas"], ("english", "french"), "made", [SAID, "the wide car"], [MEANT, "la rue"])
    monkeypatch.setattr("layerwise.data.loading.load_raw", lambda *_: known)
    result, _ = evaluate(run, "english-french", tmp_path)
    assert isinstance(result, TranslationResult)
    assert (result.count, result.exact) == (2, 0.5)


def test_a_weak_translator_is_told_so(pairs: Path, tmp_path: Path) -> None:
    weak = trained("transformer", pairs, tmp_path, epochs=2, learning_rate=1e-5)
    [notice] = weak.evaluation.notices()
    assert "no better than translating word by word" in notice.text
    assert "no better than translating word by word" in weak.report.read_text(encoding="utf-8")


def test_the_report_shows_translations_and_what_was_looked_at(run: Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    result = run.evaluation
    assert isinstance(result, TranslationResult)
    assert all(one.reference in page for one in result.examples_shown)
    assert page.count("Attention while writing") >= 3
    assert "layerwise translate" in page
    assert "layerwise code" in page


def test_attention_has_a_row_for_each_token_that_was_written(run: Run) -> None:
    alignment = run.attention(SAID)
    assert "".join(alignment.read).strip() == SAID
    assert "".join(alignment.written[:-1]).strip() == MEANT
    assert alignment.weights.shape == (len(alignment.written), len(alignment.read))
    assert alignment.weights.sum(1) == pytest.approx(1, abs=1e-5)
    other = run.attention(SAID, "la rue")
    assert "".join(other.written[:-1]).strip() == "la rue"


def test_evaluating_by_a_beam_and_on_other_pairs(run: Run, pairs: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.pairs.tsv"
    few.write_text("".join(pairs.read_text(encoding="utf-8").splitlines(keepends=True)[:9]), encoding="utf-8")
    result, files = evaluate(run, str(few), tmp_path / "out", beam=3)
    assert isinstance(result, TranslationResult)
    assert (result.count, result.beam) == (8, 3)
    assert "a beam of 3" in result.lines()[0]
    assert [file.name for file in files] == ["evaluation.json", *(f"attention-{n}.png" for n in (1, 2, 3))]
    with pytest.raises(DataError, match=r"digits is for classification, and run .* learned translation"):
        evaluate(run, "digits", tmp_path)
    with pytest.raises(DataError, match=r"other.csv is a table, and run .* was trained on a table of pairs"):
        evaluate(run, "other.csv", tmp_path)
    with pytest.raises(
        DataError, match=r"english-german is from english to german, and run .* learned english to french"
    ):
        evaluate(run, "english-german", tmp_path)
    with pytest.raises(UsageError, match="`beam` must be a whole number of at least 1, received 0"):
        evaluate(run, beam=0)


def test_a_training_of_a_translator_that_is_stopped_resumes_with_the_same_bits(pairs: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 20:
            os.kill(os.getpid(), signal.SIGINT)

    changes = {"epochs": 2, "dropout": 0.2, "ema_decay": 0.9}
    whole = trained("transformer", pairs, tmp_path / "whole", **changes)
    with pytest.raises(StoppedError):
        trained("transformer", pairs, tmp_path / "stopped", watchers=[stop], **changes)
    assert outcome(resume(runs=tmp_path / "stopped", quiet=True)) == outcome(whole)


def test_the_command_translates_texts_lines_of_a_file_and_what_it_is_fed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed(run, "translate", SAID, "--beam", "2") == 0
    assert capsys.readouterr().out.splitlines() == [MEANT]
    lines = tmp_path / "texts.txt"
    lines.write_text(f"{SAID}\n\nthe clean door behind the wide street\n")
    assert typed(run, "translate", "--file", str(lines), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["translations"][0] == {"text": SAID, "translation": MEANT}
    assert [row["translation"] for row in told["translations"][1:]] == ["la porte propre derrière la rue large"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SAID}\n"))
    assert typed(run, "translate", "--attention", str(tmp_path / "seen.png")) == 0
    assert capsys.readouterr().out.startswith(f"{MEANT}\n  wrote ")
    with Image.open(tmp_path / "seen.png") as picture:
        assert min(picture.size) > 200


def test_predict_translates_as_well(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tmp_path / "texts.txt"
    lines.write_text(f"{SAID}\n")
    assert run.predict(lines) == [{"id": SAID, "translation": MEANT}]
    assert typed(run, "predict", str(lines)) == 0
    assert MEANT in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ([""], 65, "the text is empty; there is nothing to translate in it."),
        (["a", " "], 65, "text 2 is empty"),
        (["red " * 300], 65, "the text has 300 tokens, and the longest text that the network learned from has 7;"),
        (["a", "--beam", "0"], 2, "--beam must be a whole number of at least 1, received 0"),
        (["a", "--file", "b.txt"], 2, "--file b.txt and texts were both given"),
        (["--file", "no/such.txt"], 66, "--file no/such.txt: there is no such file"),
        (["a", "--attention", "a.jpg"], 2, "--attention a.jpg: the file must end in .png, received '.jpg'"),
        (["a", "--attention", "runs.png"], 2, "--attention runs.png is a folder; name a file in it"),
        (["a", "--attention", "no/a.png"], 74, "--attention no/a.png: there is no folder no"),
        ([], 2, "nothing to translate; name a text, as in `layerwise translate latest"),
    ],
)
def test_what_cannot_be_translated_gets_a_sentence(
    words: list[str],
    code: int,
    sentence: str,
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.png").mkdir()
    assert typed(run, "translate", *words) == code
    assert sentence in capsys.readouterr().err


def test_a_file_without_texts_gets_a_sentence(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.txt").write_text("\n\n")
    assert typed(run, "translate", "--file", str(tmp_path / "none.txt")) == 65
    assert "none.txt holds no text; write one a line." in capsys.readouterr().err


def test_a_run_that_learned_something_else_does_not_translate(fruit_run: Run) -> None:
    with pytest.raises(UsageError, match="trained for classification, not for translation; name another, or train one"):
        fruit_run.translate("a")
    with pytest.raises(UsageError, match="`beam` is for runs that translate"):
        evaluate(fruit_run, beam=4)


def test_networks_and_settings_of_another_kind_are_refused_before_anything_is_trained(
    run: Run, pairs: Path, fruits: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"gru is for .*, and world is for translation; use transformer or seq2seq"):
        train("gru", pairs, runs=tmp_path, **QUICK)
    with pytest.raises(UsageError, match=r"and fruits is for classification; use resnet-small, densenet-small or mlp"):
        train("transformer", fruits, runs=tmp_path, **QUICK)
    with pytest.raises(UsageError, match="`mixup` is for classification"):
        trained("transformer", pairs, tmp_path, mixup=0.2)


def test_a_network_is_picked_for_pairs(pairs: Path, tmp_path: Path) -> None:
    picked = train(None, pairs, runs=tmp_path, limit=40, **{**SMALL, "epochs": 2, **QUICK})
    assert picked.experiment.model == "transformer"


@pytest.mark.parametrize(("library", "what"), [("tokenizers", "cut into tokens"), ("sacrebleu", "measured")])
def test_a_missing_library_is_named_with_what_to_install(
    library: str, what: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, fresh = run.dataset().test, Run.open(run.path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=rf"{what} by the package {library}.* pip install 'layerwise\[text\]'"):
        fresh.evaluate_split(test)
