// The scoreboard's filters: they hide rows, and say how many are left.
(() => {
  "use strict";
  const form = document.querySelector(".filters");
  const table = document.querySelector(".claims-table");
  const rows = [...table.querySelectorAll("tr[data-verdict]")];

  function filter() {
    const { part, verdict, from } = Object.fromEntries(new FormData(form));
    let left = 0;
    for (const body of table.tBodies) {
      let own = 0;
      for (const row of body.querySelectorAll("tr[data-verdict]")) {
        row.hidden =
          (part && body.dataset.part !== part) ||
          (verdict && row.dataset.verdict !== verdict) ||
          (from && row.dataset.from !== from);
        own += !row.hidden;
      }
      body.hidden = !own;
      left += own;
    }
    form.querySelector("output").textContent = `${left} of ${rows.length} claims`;
  }

  // A link to a row that is filtered out shows all rows again.
  function reach() {
    const target = document.getElementById(location.hash.slice(1));
    if (!target?.closest("[hidden]")) return;
    form.reset();
    filter();
    target.scrollIntoView();
  }

  form.hidden = false;
  form.addEventListener("change", filter);
  addEventListener("hashchange", reach);
  filter(); // a browser that goes back to the page keeps the choices
})();
