"use strict";
// Adds to the page: players in place of the pictures, one at a time or those of a row together.

const one = (selector, root = document) => root.querySelector(selector);

function say(text) {
  one("#said").textContent = text;
}

{% include "players.js" %}
document.addEventListener("click", (event) => {
  const frame = event.target.closest("a.frame");
  const button = event.target.closest("button");
  if (button) playTogether([...button.closest("tr").querySelectorAll("a.frame")]);
  else if (frame && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    play(frame);
  }
});

document.documentElement.classList.add("live");
