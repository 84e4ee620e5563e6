"""Tables that long runs fill: resumed, saved by a spreadsheet in between, merged from parts."""

from __future__ import annotations

import csv

import pytest

from hpinet.data.result_table import ResultTable
from hpinet.data.tables import csv_text

COLUMNS = ("picture", "model", "psnr", "weights_sha256", "parameters")
NAMES = ["=1+1.png", "+a", "-b", "@c", "'=d", "with a comma, and 3,5", 'ü;"x"']


def table(path, steps=2):
    content = ("model", "weights_sha256")
    return ResultTable(path, COLUMNS, ("picture",), content, {"steps": steps})


def row(found, picture, psnr, weights="w"):
    about = {"picture": picture, "model": "m", "weights_sha256": weights}
    return {**about, "psnr": psnr, "parameters": found.parameters}


@pytest.fixture
def path(tmp_path):
    found = table(tmp_path / "t.csv")
    found.add(row(found, name, -0.1 * n, f"w{n}") for n, name in enumerate(NAMES))
    return tmp_path / "t.csv"


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ".")]
)
def test_a_table_that_a_spreadsheet_saved_is_continued(path, separator, decimal):
    before = path.read_text()
    rows = [[r[0], r[1], r[2].replace(".", decimal), *r[3:]] for r in cells(path)]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=separator, lineterminator="\r\n").writerows(rows)
    found = table(path)
    for number, name in enumerate(NAMES):
        known = found.find({"picture": name, "model": "m", "weights_sha256": f"w{number}"})
        assert (known["picture"], float(known["psnr"])) == (name, -0.1 * number)
    found.add([row(found, "üz", 1.5, "new")])
    assert sorted(path.read_text().splitlines()[:-1]) == sorted(before.splitlines())


def test_names_that_a_spreadsheet_would_compute_are_escaped(path):
    assert {"'=1+1.png", "'+a", "'-b", "'@c", "''=d"} < {r[0] for r in cells(path)}
    assert csv_text([{"a": -0.5, "b": None, "c": [1, "x"]}]).splitlines()[1] == '-0.5,,"[1, ""x""]"'


def test_rows_are_known_by_content_and_written_under_every_name(path):
    found = table(path)
    about = {"picture": "renamed", "model": "m", "weights_sha256": "w1"}
    found.add([found.find(about)])
    assert sum(r[3] == "w1" for r in cells(path)) == 2
    assert found.find({**about, "weights_sha256": "other"}) is None


def test_parts_of_a_broken_run_are_merged(path):
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:4]))
    path.with_name("t.csv.part0").write_text("".join([lines[0], *lines[3:6]]))
    path.with_name("t.csv.part1").write_text("".join([lines[0], *lines[6:]]))
    table(path)
    assert path.read_text() == whole
    assert [one.name for one in path.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "t.csv"),
        (lambda text: "a,b\n1,2\n", "no table of this command"),
        (lambda text: "\n".join([*text.splitlines()[:3], "half,a,row"]), "damaged in line 4"),
        (lambda text: text.replace("-0.1,", "north,"), "damaged in line"),
        (lambda text: text + "1,2,3,4,5,6,7\n", "t.csv is damaged"),
    ],
)
def test_other_files_are_refused_and_left_alone(path, change, words):
    text = change(path.read_text())
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        table(path, steps=4)
    assert path.read_text() == text


def test_other_parameters_are_named(path):
    with pytest.raises(ValueError, match="steps 2, not 5"):
        table(path, steps=5)
