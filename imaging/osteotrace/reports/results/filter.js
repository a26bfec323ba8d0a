"use strict";
(() => {
  const form = document.getElementById("filter");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const cards = [...document.querySelectorAll("article")];
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const card of cards) {
      const fits = kept.has(card.dataset.status)
        && wanted.every((word) => card.dataset.words.includes(word));
      card.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === cards.length ? "" : `${count} of ${cards.length} shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();
