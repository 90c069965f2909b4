"""What JupyterLab reads under `make lab`: notebooks that opening does not change.

When a notebook gets its kernel, JupyterLab writes into it how the kernel and its language are
called, version included. A pair knows no version, since readers have different ones; so JupyterLab
would mark each notebook as changed as soon as it is opened. Here it is told beforehand.
"""

from functools import cache
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

KERNEL = "python3"


class Contents(AsyncLargeFileManager):
    """JupyterLab's own way to files; notebooks come with the names that their kernel will give."""

    async def get(self, path: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        """A file or folder, as JupyterLab asks for it."""
        model: dict[str, Any] = await super().get(path, *arguments, **options)
        if model["type"] == "notebook" and model.get("content") is not None:
            metadata = model["content"]["metadata"]
            if metadata.get("kernelspec", {}).get("name", KERNEL) == KERNEL:
                metadata.update(names())
        return model


@cache
def names() -> dict[str, Any]:
    """What JupyterLab writes into a notebook whose kernel is this Python."""
    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return {}
    return {
        "kernelspec": {
            "display_name": spec.display_name,
            "language": spec.language,
            "name": KERNEL,
        },
        "language_info": dict(IPythonKernel.language_info),
    }
