"""What is worth measuring when a GPU is at hand for a quarter of an hour, in this order."""

from goalward.bench.records.record import Part

_GOALWARD = "{python} -m goalward.cli bench"
_OFFLINE = (
    _GOALWARD + " compare {method} --env {{env}} --data {{data}} --official {{ogbench}} "
    "--python {{ogbench_python}} --out {{out}}/{method}.json"
)
_ONLINE = (
    _GOALWARD + " compare contrastive_rl --env {env} --official {{jaxgcrl}} "
    "--python {{jaxgcrl_python}} --out {{out}}/jaxgcrl.json"
)


def _text(form: str, **chosen: str) -> str:
    return form.replace("{python}", "{{python}}").format(**chosen)


def parts(tiny: bool = False) -> list[Part]:
    """The list; `tiny` sizes try every part on a CPU and measure nothing worth keeping."""
    small = " --updates 5 --repeats 1 --warmup 5 --batch 8 --width 8" if tiny else " --seeds 8"
    race = (
        " --envs 4 --episode 65 --batch 64 --width 8 --repeats 1"
        if tiny
        else " --envs 512 --seeds 8"
    )
    online = (
        "point-maze --steps 512 --envs 4 --unroll 16 --batch 8 --width 8 --eval-episodes 2"
        if tiny
        else "ant --steps 2500000 --envs 512"
    )
    tower = " --layers 4 --width 32 --batch 32 --square 64" if tiny else ""
    return [
        *(
            Part(f"offline-{method}", _text(_OFFLINE, method=method) + small, 140)
            for method in ("contrastive_rl", "gciql", "hiql")
        ),
        Part("online-jaxgcrl", _text(_ONLINE, env="no-physics" if tiny else "ant") + race, 350),
        Part(
            "online-ours",
            f"{_GOALWARD} online contrastive_rl --env {online} --out {{out}}/online",
            150,
        ),
        Part(
            "chapter-td_infonce",
            "{python} {notebooks}/1_predicting_the_future/td_infonce.py",
            150,
            {
                "GOALWARD_SCALE": "smoke" if tiny else "gpu",
                "GOALWARD_OUT": "{out}/td_infonce",
                "MPLBACKEND": "Agg",
            },
        ),
        Part("tower", "{python} -m goalward.bench.records.tower" + tower, 45),
    ]
