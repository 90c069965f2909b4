"""The guide's files and scripts are what their programs take."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from goalward import cli

GUIDE = Path(__file__).parents[3] / "notebooks/5_scale_and_benchmarks/sweeps.md"


def blocks(language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("number", "trials"), [(0, 4), (1, 16)])
def test_the_sweep_files(
    number: int,
    trials: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text(blocks("toml")[number])
    assert cli.main(["sweep", "sweep.toml", "--dry-run"]) == 0
    assert f"\n{trials} trials of {'1 core' if number == 0 else '4 cores, 0.5 GPUs'};" in (
        capsys.readouterr().out
    )
    assert f"--array=1-{trials}%" in "".join(blocks("bash")) or number == 0


def test_the_scripts_are_bash() -> None:
    scripts = blocks("bash")
    assert len(scripts) == 4
    for script in scripts:
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
        for line in re.findall(r"^goalward sweep .*", script, re.MULTILINE):
            arguments = line.partition("#")[0].replace('"', "").split()[1:]
            asked = ["1" if word.startswith("$SLURM") else word for word in arguments]
            assert callable(cli._parser().parse_args(asked).command)


def test_the_job_is_yaml() -> None:
    (text,) = blocks("yaml")
    spec = yaml.safe_load(text)["spec"]
    cluster = spec["rayClusterSpec"]
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in (one["template"]["spec"] for one in pods):
        mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    arguments = spec["entrypoint"].partition("goalward ")[2].rstrip('"').split()
    assert cli._parser().parse_args(arguments).address == "auto"
