// What the theme and the widgets leave out for readers without a mouse or without sight.
(() => {
  "use strict";

  const SCROLLABLE = [
    ".bd-content pre",
    ".bd-content div.math",
    ".bd-content .cell_output .output",
    ".bd-content .cell_output .text_html > div",
    ".bd-content .pst-scrollable-table-container",
    ".bd-sidebar-primary",
    ".bd-sidebar-secondary",
  ].join(",");

  // A box that scrolls must be reachable with the keyboard, and only while it scrolls.
  function reachScrollable() {
    for (const box of document.querySelectorAll(SCROLLABLE)) {
      const scrolls =
        box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (scrolls && !box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.dataset.reached = "";
      } else if (!scrolls && "reached" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.reached;
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

  let waiting = false;
  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      nameSliders();
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
    refresh();
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
