"""A table's preprocessing is fitted on the training rows alone and does the same at prediction."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler

from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Labels
from layerwise.data.raw import RawTable
from layerwise.data.tables import kind
from layerwise.data.tables.encoders import CategoryColumn, DateColumn, NumberColumn, start_fit
from layerwise.data.tables.files import open_table
from layerwise.data.tables.kind import FileRows
from layerwise.data.tables.preprocessing import TablePreprocessing, fit_columns
from layerwise.data.tables.targets import TargetColumn
from layerwise.data.tables.types import ColumnType
from layerwise.errors import DataError, UsageError

PEOPLE = pl.DataFrame(
    {
        "age": [20.0, None, 40.0, 60.0] * 10,
        "city": ["Rome", "Oslo", None, "Rome"] * 10,
        "member": [True, False, True, None] * 10,
        "joined": [datetime(2020, 1, 1) + timedelta(days=37 * i) for i in range(40)],
        "constant": [1.0] * 40,
        "empty": [None] * 40,
        "email": [f"p{i}@example.org" for i in range(40)],
        "number": range(1, 41),
        "bought": ["yes", "no", "no", "no"] * 10,
    }
)


def dataset_of(frame, target, **options):
    return build(RawTable(frame, target, None, "a test"), "people", DataConfig(**options))


def fit_one(values, kind):
    fit = start_fit("x", ColumnType(kind))
    fit.update(values)
    return fit.finish()


def test_each_kind_of_column_becomes_features_and_the_others_are_left_out_with_a_reason():
    dataset = dataset_of(PEOPLE, "bought")
    names = [column.name for column in dataset.preprocessing.columns]
    assert names == ["age", "city", "member", "joined"]
    texts = " ".join(notice.text for notice in dataset.notices)
    for name, reason in [
        ("constant", "one value"),
        ("empty", "is empty"),
        ("email", "of its own"),
        ("number", "numbers the rows"),
    ]:
        assert f"Column '{name}' is left out: " in texts
        assert reason in texts
    assert dataset.preprocessing.features[:5] == ("age", "age missing", "city = Oslo", "city = Rome", "city = missing")
    assert dataset.input_shape == (dataset.train.inputs.shape[1],)
    assert torch.isfinite(dataset.train.inputs).all()


def test_numbers_are_standardised_as_scikit_learn_does_by_the_training_rows_alone():
    wine = load_wine()
    frame = pl.DataFrame(wine.data, schema=list(wine.feature_names)).with_columns(grape=pl.Series(wine.target))
    dataset = dataset_of(frame, "grape")
    rows = [int(name.split()[1]) - 1 for name in dataset.train.ids]
    held_out = [int(name.split()[1]) - 1 for name in dataset.test.ids]
    scaler = StandardScaler().fit(wine.data[rows])
    np.testing.assert_allclose(dataset.train.inputs, scaler.transform(wine.data[rows]), atol=1e-5)
    np.testing.assert_allclose(dataset.test.inputs, scaler.transform(wine.data[held_out]), atol=1e-5)
    assert dataset.train.targets.tolist() == wine.target[rows].tolist()


def test_changing_the_test_rows_does_not_change_the_preprocessing():
    before = dataset_of(PEOPLE, "bought")
    rows = [int(name.split()[1]) - 1 for name in before.test.ids]
    ages = [1e6 if i in rows else age for i, age in enumerate(PEOPLE["age"])]
    cities = ["Paris" if i in rows else city for i, city in enumerate(PEOPLE["city"])]
    changed = PEOPLE.with_columns(age=pl.Series(ages), city=pl.Series(cities))
    after = dataset_of(changed, "bought")
    assert after.preprocessing == before.preprocessing
    assert torch.equal(after.train.inputs, before.train.inputs)
    assert not torch.equal(after.test.inputs, before.test.inputs)


def test_a_missing_number_takes_the_median_and_raises_its_flag():
    column = fit_one(pl.Series([1.0, 2.0, 9.0, None]), "number")
    assert (column.median, column.mean, column.indicator) == (2.0, 4.0, True)
    encoded = column.encode(pl.Series([None, 4.0], dtype=pl.Float64))
    np.testing.assert_allclose(encoded, [[(2 - 4) / column.deviation, 1], [0, 0]], rtol=1e-6)


def test_rare_words_share_a_feature_and_unseen_words_join_them():
    column = fit_one(pl.Series(["a"] * 5 + ["b"] * 5 + ["once"]), "text")
    assert column == CategoryColumn("x", ("a", "b"), other=True)
    assert column.encode(pl.Series(["b", "once", "new", None])).tolist() == [[0, 1, 0]] + [[0, 0, 1]] * 3


def test_an_unseen_word_is_no_category_where_training_had_no_rare_ones():
    column = fit_one(pl.Series(["a", "b", None] * 5), "text")
    assert column.encode(pl.Series(["new", None, "a"])).tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_many_categories_are_limited_to_the_most_frequent():
    column = fit_one(pl.Series([f"c{min(i, j):03}" for i in range(100) for j in range(100)]), "text")
    assert len(column.categories) == 64
    assert column.categories == tuple(f"c{i:03}" for i in range(64))
    assert column.other


def test_dates_become_elapsed_days_year_and_places_in_their_cycles():
    days = pl.Series([datetime(2020, 1, 6), datetime(2020, 7, 7), datetime(2021, 1, 4)], dtype=pl.Datetime("us"))
    column = fit_one(days, "date")
    assert isinstance(column, DateColumn)
    assert column.cycles == ("month", "weekday")
    assert column.features[0] == "x elapsed days"
    encoded = column.encode(days)
    elapsed = np.array([0, 183, 364.0])
    np.testing.assert_allclose(encoded[:, 0], (elapsed - elapsed.mean()) / elapsed.std(), atol=1e-5)
    january, july = encoded[0, 2:4], encoded[1, 2:4]
    np.testing.assert_allclose(january, -july, atol=1e-6)
    np.testing.assert_allclose(january, [math.sin(math.pi / 6), math.cos(math.pi / 6)], atol=1e-6)
    missing = column.encode(pl.Series([None], dtype=pl.Datetime("us")))
    np.testing.assert_allclose(missing, np.zeros((1, 6)), atol=1e-6)


numbers = st.floats(-1e38, 1e38) | st.floats(-1e3, 1e3) | st.integers(-5, 5).map(float) | st.none()


@given(st.lists(numbers, min_size=1, max_size=60), st.integers(1, 9))
def test_any_numbers_give_finite_features_however_they_are_cut_into_chunks(values, size):
    cells = pl.Series("x", values, dtype=pl.Float64)
    fit = start_fit("x", ColumnType("number"))
    for start in range(0, len(cells), size):
        fit.update(cells[start : start + size])
    column, whole = fit.finish(), fit_one(cells, "number")
    assert type(column) is type(whole)
    if isinstance(column, NumberColumn):
        assert np.isfinite(column.encode(cells)).all()
        assert column.median == np.median(cells.drop_nulls().to_numpy())
        assert column.deviation == pytest.approx(whole.deviation, rel=1e-6)


words = st.text(max_size=6)
column_strategy = st.one_of(
    st.builds(
        NumberColumn,
        words,
        st.floats(-9, 9),
        st.floats(0.1, 9),
        st.floats(-9, 9),
        st.booleans(),
        st.sampled_from(["", ","]),
    ),
    st.builds(CategoryColumn, words, st.lists(words).map(tuple), st.booleans(), st.booleans()),
    st.builds(
        DateColumn,
        words,
        *[st.floats(1, 9)] * 4,
        st.sampled_from([(), ("month",), ("month", "hour")]),
        st.booleans(),
        st.sampled_from(["", "%Y"]),
    ),
)
target_strategy = st.one_of(
    st.builds(TargetColumn, words, st.just("classification"), st.just(ColumnType("text")), st.lists(words).map(tuple)),
    st.builds(TargetColumn, words, st.just("regression"), st.just(ColumnType("number")), st.just(()), st.floats(-9, 9)),
)


@given(st.lists(column_strategy, max_size=5).map(tuple), target_strategy)
def test_preprocessing_survives_being_saved(columns, target):
    preprocessing = TablePreprocessing(columns, target)
    saved = json.loads(json.dumps(preprocessing.to_json()))
    assert saved["kind"] == "table"
    assert TablePreprocessing.from_json(saved) == preprocessing


@pytest.fixture(scope="module")
def people_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.csv"
    PEOPLE.write_csv(path)
    return path


def test_a_file_is_read_for_prediction_as_it_was_for_training(people_file, tmp_path):
    dataset = build(open_table(people_file), "people", DataConfig(target="bought"), 3)
    saved = json.loads(json.dumps(dataset.preprocessing.to_json()))
    preprocessing = TablePreprocessing.from_json(saved)
    inputs, ids = preprocessing.read(people_file)
    for split in (dataset.train, dataset.valid, dataset.test):
        assert torch.equal(inputs[[ids.index(name) for name in split.ids]], split.inputs)
    PEOPLE.drop("bought", "email").select("joined", "city", "age", "member").write_parquet(tmp_path / "p.parquet")
    again, names = preprocessing.read(tmp_path / "p.parquet")
    assert torch.equal(again, inputs)
    assert names[0] == "row 1"


def test_decimal_commas_are_read_the_same_at_prediction(tmp_path):
    path = tmp_path / "comma.csv"
    path.write_text("x;y\n" + "".join(f"{i},25;{'ab'[i % 2]}\n" for i in range(20)))
    dataset = build(open_table(path), "people", DataConfig(target="y"), 0)
    point = tmp_path / "point.csv"
    point.write_text("x,y\n" + "".join(f"{i}.25,a\n" for i in range(20)))
    preprocessing = TablePreprocessing.from_json(json.loads(json.dumps(dataset.preprocessing.to_json())))
    assert torch.equal(preprocessing.read(path)[0], preprocessing.read(point)[0])


def test_a_missing_column_and_a_wrong_cell_are_named_at_prediction(people_file, tmp_path):
    preprocessing = build(open_table(people_file), "people", DataConfig(target="bought"), 3).preprocessing
    path = tmp_path / "new.csv"
    path.write_text("Age,city,member,joined\n1,Oslo,true,2020-01-01\n")
    with pytest.raises(DataError, match=r"no column 'age'.*Did you mean 'Age'"):
        preprocessing.read(path)
    path.write_text("age,city,member,joined\n1,Oslo,true,2020-01-01T00:00:00\nold,Oslo,true,2020-01-01T00:00:00\n")
    with pytest.raises(DataError, match=r"new\.csv, line 3: column 'age' holds 'old' where a number was expected"):
        preprocessing.read(path)
    path.write_text("age,city,member,joined\n1e999,Oslo,true,2020-01-01T00:00:00\n")
    with pytest.raises(DataError, match=r"line 2: column 'age' holds 1e999"):
        preprocessing.read(path)
    path.write_text("age,city,member,joined\n")
    with pytest.raises(DataError, match="nothing to predict"):
        preprocessing.read(path)


def test_columns_that_the_model_does_not_use_are_ignored_with_a_notice(people_file):
    preprocessing = build(open_table(people_file), "people", DataConfig(target="bought"), 3).preprocessing
    notices = preprocessing.read_rows(people_file).notices
    assert ["constant, empty, email, number" in notice.text for notice in notices] == [True]


def test_an_evaluation_file_needs_the_target_and_known_classes(people_file, tmp_path):
    dataset = build(open_table(people_file), "people", DataConfig(target="bought"), 3)
    split = dataset.preprocessing.read_labelled(people_file, Labels("classification"))
    assert split.targets.tolist() == [1, 0, 0, 0] * 10
    row = "1,Oslo,true,2020-01-01T00:00:00.000000"
    path = tmp_path / "new.csv"
    path.write_text(f"age,city,member,joined\n{row}\n")
    with pytest.raises(DataError, match="no column 'bought'"):
        dataset.preprocessing.read_labelled(path, Labels("classification"))
    path.write_text(f"age,city,member,joined,bought\n{row},maybe\n")
    with pytest.raises(DataError, match=r"line 2: column 'bought' holds the class 'maybe'.*\(no, yes\)"):
        dataset.preprocessing.read_labelled(path, Labels("classification"))


def test_a_value_is_predicted_in_standard_units_of_the_training_rows():
    diabetes = load_diabetes()
    frame = pl.DataFrame(diabetes.data, schema=list(diabetes.feature_names)).with_columns(y=pl.Series(diabetes.target))
    dataset = dataset_of(frame, "y")
    assert (dataset.task, dataset.target_names, dataset.classes) == ("regression", ("y",), ())
    rows = [int(name.split()[1]) - 1 for name in dataset.train.ids]
    target = dataset.preprocessing.target
    assert target.mean == pytest.approx(diabetes.target[rows].mean())
    assert target.deviation == pytest.approx(diabetes.target[rows].std())
    restored = dataset.test.targets[:, 0].double() * target.deviation + target.mean
    held_out = [int(name.split()[1]) - 1 for name in dataset.test.ids]
    np.testing.assert_allclose(restored, diabetes.target[held_out], rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (["b", "a"] * 20, "classification", ("a", "b")),
        ([True, False] * 20, "classification", ("false", "true")),
        ([2, 10] * 20, "classification", ("2", "10")),
        ([float(i % 4) for i in range(40)], "classification", ("0", "1", "2", "3")),
        ([i * 0.5 for i in range(40)], "regression", ()),
        (list(range(40)), "regression", ()),
    ],
)
def test_the_goal_follows_from_the_target(target, task, classes):
    frame = pl.DataFrame({"x": [float(i * i) for i in range(40)], "y": target})
    dataset = dataset_of(frame, "y")
    assert (dataset.task, dataset.classes) == (task, classes)
    assert any(task in notice.text for notice in dataset.notices)


def test_rows_without_a_target_are_left_out_with_a_notice_and_refused_where_they_are_most():
    frame = pl.DataFrame({"x": [float(i * i) for i in range(40)], "y": ["a", "b", "a", None] * 10})
    dataset = dataset_of(frame, "y")
    assert len(dataset.train) + len(dataset.valid) + len(dataset.test) == 30
    assert "row 4" not in [*dataset.train.ids, *dataset.valid.ids, *dataset.test.ids]
    assert any("10 of 40 rows have no 'y'" in notice.text for notice in dataset.notices)
    empty = frame.with_columns(y=pl.Series(["a", None, None, "b", None] * 8))
    with pytest.raises(DataError, match="'y' is empty in 24 of 40 rows"):
        dataset_of(empty, "y")


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        ("bougt", {}, DataError, "no column 'bougt'.*`target`.*Did you mean 'bought'"),
        ("constant", {}, DataError, "'constant' has one class alone, '1'"),
        ("email", {}, DataError, "'email' has more than 20 different values in 40 rows"),
        ("joined", {}, DataError, "'joined' holds dates"),
        ("bought", {"split_by": "group"}, UsageError, "`split_by` group needs `split_column`"),
        ("bought", {"split_by": "group", "split_column": "cty"}, DataError, "`split_column`.*Did you mean 'city'"),
        ("bought", {"split_by": "time", "split_column": "email"}, DataError, "'email' holds no dates or numbers"),
        ("bought", {"split_by": "group", "split_column": "city"}, DataError, "row 3: column 'city' is empty"),
        ("bought", {"test": 1.5}, UsageError, "`test` must be a number from 0 to below 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_naming_the_column(target, options, error, words):
    with pytest.raises(error, match=words):
        dataset_of(PEOPLE, target, **options)


def test_a_text_target_is_refused_as_a_value_and_a_rare_class_and_few_rows_as_classes():
    with pytest.raises(DataError, match="'bought' holds text, which cannot be a value"):
        build(RawTable(PEOPLE, "bought", "regression", ""), "people")
    rare = PEOPLE.with_columns(bought=pl.Series(["yes"] * 38 + ["no"] * 2))
    with pytest.raises(DataError, match="the class 'no' in 2 rows; each class needs at least 3"):
        dataset_of(rare, "bought")
    with pytest.raises(DataError, match="has 8 rows with a 'bought'; at least 10"):
        dataset_of(PEOPLE[:8], "bought")
    with pytest.raises(UsageError, match="say which column to predict with `target`"):
        build_without_target()


def build_without_target():
    return build(RawTable(PEOPLE, "", None, ""), "people")


def test_a_table_of_names_alone_leaves_nothing_to_learn_from():
    with pytest.raises(DataError, match="No column is left"):
        dataset_of(PEOPLE.select("email", "constant", "bought"), "bought")


def test_groups_are_kept_apart_and_time_is_in_order():
    frame = PEOPLE.with_columns(clinic=pl.Series([f"c{i % 7}" for i in range(40)]))
    dataset = dataset_of(frame, "bought", split_by="group", split_column="clinic")
    clinics = [{frame["clinic"][int(name.split()[1]) - 1] for name in part.ids} for part in parts(dataset)]
    assert sum(map(len, clinics)) == 7
    assert "clinic" not in dataset.preprocessing.spans()
    dataset = dataset_of(frame, "bought", split_by="time", split_column="joined")
    days = [[frame["joined"][int(name.split()[1]) - 1] for name in part.ids] for part in parts(dataset)]
    assert max(days[0]) < min(days[1])
    assert max(days[1]) < min(days[2])


def parts(dataset):
    return dataset.train, dataset.valid, dataset.test


def test_a_limit_is_of_the_training_rows_and_the_fit_sees_no_others():
    dataset = dataset_of(PEOPLE, "bought", limit=12)
    assert len(dataset.train) == 12
    rows = [int(name.split()[1]) - 1 for name in dataset.train.ids]
    age = dataset.preprocessing.columns[0]
    assert age.mean == pytest.approx(PEOPLE["age"].gather(rows).mean())


def test_rows_that_do_not_fit_in_memory_are_the_same_rows_from_a_file(monkeypatch):
    in_memory = dataset_of(PEOPLE, "bought")
    monkeypatch.setattr(kind, "MEMORY_LIMIT", 0)
    on_disk = dataset_of(PEOPLE, "bought")
    for memory, disk in zip(parts(in_memory), parts(on_disk), strict=True):
        assert isinstance(disk.inputs, FileRows)
        order = torch.randperm(len(memory), generator=torch.Generator().manual_seed(0))
        assert torch.equal(memory.take(order)[0], disk.take(order)[0])
        assert torch.equal(memory.take(order)[0], disk.take(order)[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40))
def test_fitting_in_one_pass_does_not_depend_on_the_chunks(size):
    frame = PEOPLE.select("age", "city", "member", "joined").with_columns(pl.col("joined").cast(pl.Datetime("us")))
    types = {
        name: ColumnType(kind) for name, kind in zip(frame.columns, ("number", "text", "boolean", "date"), strict=True)
    }
    whole, _ = fit_columns([frame], types)
    cut, _ = fit_columns(frame.iter_slices(size), types)
    for first, second in zip(whole, cut, strict=True):
        assert first.features == second.features
        np.testing.assert_allclose(first.encode(frame[first.name]), second.encode(frame[first.name]), atol=1e-6)
