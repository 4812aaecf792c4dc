"use strict";
// Searches in long tables. Without scripts there is no field, and all rows are shown.
document.documentElement.classList.add("scripted");
document.addEventListener("input", (event) => {
  const field = event.target.closest(".filter input");
  if (!field) return;
  const wanted = field.value.trim().toLowerCase();
  for (const row of field.closest(".filter").nextElementSibling.querySelectorAll("tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
