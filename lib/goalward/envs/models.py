"""Where the bodies' models come from, and what every one of them gets."""

import os

import mujoco

from goalward.envs.body import MARKER


def gymnasium_spec(name: str) -> mujoco.MjSpec:
    """One of the models in the gymnasium package.

    Raises:
        ValueError: the package is missing.
    """
    try:
        import gymnasium
    except ModuleNotFoundError:
        raise ValueError("this body's model is gymnasium's: install 'goalward[online]'") from None
    folder = os.path.join(os.path.dirname(gymnasium.__file__), "envs", "mujoco", "assets")
    return mujoco.MjSpec.from_file(os.path.join(folder, name))


def prepare(
    spec: mujoco.MjSpec,
    marker: float,
    above: tuple[float, float, float],
) -> None:
    """What every model gets: few solver steps, a camera above, a marker where the goal is.

    Args:
        spec: the model to change.
        marker: the radius of the marker, in metres.
        above: where the camera `above` is, looking down.
    """
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    # With fewer, an ant at random actions flies off or becomes NaN within a hundred steps.
    spec.option.iterations, spec.option.ls_iterations = 4, 8
    # Fewer links, less to compile.
    spec.compiler.fusestatic = True
    spec.worldbody.add_camera(name="above", pos=above)
    body = spec.worldbody.add_body(name=MARKER, mocap=True)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[marker, 0, 0],
        rgba=[0.9, 0.2, 0.2, 0.6],
        contype=0,
        conaffinity=0,
    )
