"""A list of measurements: time limits, failures, what is left out, what is not made again."""

import json
import sys
import time

import pytest

from goalward.bench.data.names import Mendable, Unknown
from goalward.bench.records import parts as room
from goalward.bench.records.parts import DEFAULT, LINES, Part, read, record
from goalward.bench.records.tower import main

PRINT = 'python -c \'import sys, pathlib; pathlib.Path(sys.argv[1], "it").write_text("2")\' {out}'
HANG = (
    "python -c 'import subprocess, sys, time;"
    ' subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]); time.sleep(60)\''
)


@pytest.fixture
def device(monkeypatch):
    """Without starting JAX in a process of its own."""
    monkeypatch.setattr(room, "DEVICE", "print('a warning'); print('cpu (cpu)')")


def lines_of(out):
    return [json.loads(line) for line in (out / LINES).read_text().splitlines()]


def test_each_part_leaves_a_line(tmp_path, device):
    asked = [
        Part("good", 20, PRINT),
        Part("bad", 20, "python -c 'print(1); raise SystemExit(\"no device\")'"),
        Part("slow", 0.5, HANG),
        Part("unknown", 20, "python {data} {out}", {"X": "{jaxgcrl}"}),
        Part("last", 20, "python -c 'import os; print(os.environ[\"X\"])'", {"X": "{out}/y"}),
    ]
    said = []
    begun = time.monotonic()
    found = record(asked, tmp_path, {}, "abc", said.append)
    assert time.monotonic() - begun < 15
    assert found == lines_of(tmp_path)
    told = {line["part"]: (line["status"], line["reason"]) for line in found}
    assert told == {
        "good": ("finished", ""),
        "bad": ("failed", "no device"),
        "slow": ("out of time", "its limit is 0.5 s"),
        "unknown": ("left out", "it needs --data --jaxgcrl"),
        "last": ("finished", ""),
    }
    assert (tmp_path / "good" / "it").read_text() == "2"
    assert found[0]["files"] == ["good/it", "good/log.txt"]
    assert (tmp_path / "last" / "log.txt").read_text().strip() == f"{tmp_path}/last/y"
    for line in found:
        assert (line["device"], line["commit"]) == ("cpu (cpu)", "abc")
        assert line["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert said[1].startswith("bad: failed (no device), ")


def test_what_is_finished_is_not_made_again(tmp_path, device):
    asked = [Part("good", 20, PRINT), Part("bad", 20, "python -c 'raise SystemExit(3)'")]
    record(asked, tmp_path, {}, "abc", lambda line: None)
    (tmp_path / "good" / "it").write_text("kept")
    with (tmp_path / LINES).open("a") as file:
        file.write('{"part": "half')
    said = []
    again = record(asked, tmp_path, {}, "abc", said.append)
    assert [line["part"] for line in again] == ["bad"]
    assert (tmp_path / "good" / "it").read_text() == "kept"
    assert said[0] == "good: finished before"


def test_a_device_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "DEVICE", "raise SystemExit('no GPU')")
    with pytest.raises(Mendable, match=r"JAX finds no device \(no GPU\)"):
        record([Part("good", 20, PRINT)], tmp_path, {}, "abc")
    monkeypatch.setattr(room, "DEVICE", "import time; time.sleep(60)")
    monkeypatch.setattr(room, "STARTING", 0.3)
    with pytest.raises(Mendable, match=r"within 0.3 seconds"):
        record([Part("good", 20, PRINT)], tmp_path, {}, "abc")
    assert not (tmp_path / LINES).exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"give at least one \[\[part\]\]"),
        ("[[part]]\nname = 'a'\nseconds = 1", "lacks its command"),
        ("[[part]]\nname = 'a'\nspeed = 1", "has no 'speed'"),
        ("[[part]", "line 1"),
        ("[[part]]\nname='a'\nseconds=1\ncommand='x'\n" * 2, "a name of its own"),
    ],
)
def test_lists_that_cannot_be(tmp_path, text, said):
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(Unknown, match=said):
        read(path)
    with pytest.raises(Unknown, match="cannot be read: No such file"):
        read(tmp_path / "none.toml")


def test_the_list_for_a_gpu():
    whole, tiny = read(DEFAULT), read(DEFAULT, tiny=True)
    assert [part.name for part in whole] == [part.name for part in tiny]
    assert sum(part.seconds for part in whole) <= 1200
    for big, small in zip(whole, tiny, strict=True):
        assert small.command.startswith(big.command)
        assert set(big.lacks({})) <= {"data", "env", "ogbench", "jaxgcrl", "python", "notebooks"}
    chapter = next(part for part in tiny if part.name.startswith("td_infonce"))
    assert chapter.environment == {"GOALWARD_SCALE": "smoke", "GOALWARD_OUT": "{out}"}


def test_a_towers_share_of_a_product(tmp_path, capsys):
    main(["--layers=4", "--width=16", "--batch=8", "--product=32", "--seconds=0.01",
          f"--out={tmp_path / 'tower.json'}"])  # fmt: skip
    told = json.loads((tmp_path / "tower.json").read_text())
    assert told["share"] == told["tower_flops_per_second"] / told["product_flops_per_second"] > 0
    assert "share of the best product" in capsys.readouterr().out
