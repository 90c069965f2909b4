"""A page of the book, opened in a browser, and all that goes wrong while it is open."""

from typing import Any

from playwright import sync_api as playwright

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READY = """() => !window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)"""


class Visit:
    """A page, and all that went wrong while it was open."""

    def __init__(self, browser: playwright.Browser, home: str, **options: Any) -> None:
        self.home = home
        self.context = browser.new_context(viewport=WIDE, color_scheme="light", **options)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url}"))
        self.page.on("response", self._answered)
        self.page.on("request", self._asked)

    def _said(self, message: playwright.ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _answered(self, response: playwright.Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def _asked(self, request: playwright.Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.problems.append(f"foreign: {request.url}")

    def report(self) -> str:
        return "\n".join(self.problems)

    def open(self, path: str) -> playwright.Page:
        self.page.goto(self.home + path, wait_until="load")
        self.page.evaluate(READY)
        return self.page
