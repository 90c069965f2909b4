// What the theme and the widgets leave out for readers without a mouse or without sight.
(() => {
  "use strict";

  // The widgets ask MathJax 2 for the mathematics in their labels; answer with MathJax 3.
  if (window.MathJax && !MathJax.Hub) {
    MathJax.Hub = {
      Queue: (...tasks) =>
        MathJax.startup.promise.then(() => MathJax.typesetPromise(tasks.map((task) => task[2]))),
    };
  }

  const SCROLLABLE = [
    ".bd-content pre",
    ".bd-content div.math",
    ".bd-content mjx-container[display='true']",
    ".bd-content mjx-container.wide",
    ".bd-content .cell_output .output",
    ".bd-content .cell_output .text_html > div",
    ".bd-content .pst-scrollable-table-container",
    ".bd-content .prerequisites .drawing",
    ".bd-sidebar-primary",
    ".bd-sidebar-secondary",
  ].join(",");

  // A box that scrolls must be reachable with the keyboard, and only while it scrolls.
  function reachScrollable() {
    for (const box of document.querySelectorAll(SCROLLABLE)) {
      const scrolls =
        box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      // The theme does so for some boxes, a second late.
      if (scrolls) {
        box.tabIndex = 0;
        box.dataset.reached = "";
      } else if ("reached" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.reached;
      }
    }
  }

  // A formula in a line of text that is longer than the line scrolls, like a displayed one.
  function boxWideFormulas() {
    for (const formula of document.querySelectorAll(".bd-content mjx-container:not([display])")) {
      const block = formula.closest("p, li, td, th, dd, h1, h2, h3, figcaption, div:not(.math)");
      const inner = formula.querySelector("mjx-math");
      if (block && inner) {
        formula.classList.toggle("wide", inner.offsetWidth > block.clientWidth);
      }
    }
  }

  // A slider says its name and its value as written beside it, not the position.
  function nameSliders() {
    for (const slider of document.querySelectorAll(".widget-slider")) {
      const handle = slider.querySelector(".noUi-handle");
      const label = slider.querySelector(".widget-label");
      const readout = slider.querySelector(".widget-readout");
      if (!handle || !label) continue;
      const name = label.textContent.trim() || "slider";
      handle.setAttribute("aria-label", name);
      if (!readout) continue;
      readout.setAttribute("aria-label", name);
      if (readout.textContent) handle.setAttribute("aria-valuetext", readout.textContent);
    }
  }

  // The arrows that unfold the sidebar carry no text.
  function nameFolds() {
    for (const fold of document.querySelectorAll(".bd-sidebar-primary details > summary")) {
      const page = fold.closest("li")?.querySelector("a");
      if (page) fold.setAttribute("aria-label", `Pages below ${page.textContent.trim()}`);
    }
  }

  let waiting = false;
  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      nameSliders();
      boxWideFormulas();
      reachScrollable();
    });
  }

  function start() {
    const content = document.querySelector(".bd-content");
    if (!content) return;
    new MutationObserver(refresh).observe(content, {
      childList: true,
      subtree: true,
      characterData: true,
    });
    addEventListener("resize", refresh);
    addEventListener("load", refresh);
    nameFolds();
    refresh();
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
