"use strict";
// Adds to the page: search, facets and order; one player at a time; a large view; marks that stay in this browser.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const fold = (text) => text.normalize("NFKC").toLowerCase();
const { batch, store } = document.body.dataset;
const bar = one("#bar");
const large = one("#large");
const groups = all(".group").map((element) => {
  const cards = all("article", element);
  return { element, cards, text: fold(promptOf(element)), keys: cards.map((card) => card.dataset.key) };
});
const cards = groups.flatMap((group) => group.cards);

function promptOf(element) {
  const heading = one("h2", element.closest(".group"));
  return heading.dataset.verbatim ?? heading.textContent;
}

function say(text) {
  one("#said").textContent = text;
}

// Search, facets, order: the fields of the bar, kept in the address.

const FACETS = ["state", "gateway", "model", "shape"].filter((name) => bar.elements[name]);
const SIZE = bar.elements.size.value;
let order = "";

function update() {
  const wanted = Object.fromEntries(new FormData(bar));
  const words = fold(wanted.q).split(/\s+/).filter(Boolean);
  const marks = readMarks();
  let found = 0;
  for (const group of groups) {
    const named = words.every((word) => group.text.includes(word) || group.keys.includes(word));
    for (const card of group.cards) {
      const mark = marks.get(card.dataset.key) ?? "none";
      const fits = FACETS.every((name) => !wanted[name] || card.dataset[name] === wanted[name]);
      card.hidden = !(named && fits && (!wanted.mark || wanted.mark === mark));
      found += !card.hidden;
    }
    group.element.hidden = group.cards.every((card) => card.hidden);
  }
  one("#found").textContent = `${found} of ${cards.length} videos`;
  one("#nothing").hidden = found || !cards.length;
  showMissing(found);
  sort(wanted.sort);
  resize(`${wanted.size}rem`);
  if (players.some((player) => player.closest("article").hidden)) stop();
}

function resize(size) {
  const { style } = document.documentElement;
  if (style.getPropertyValue("--size") !== size) style.setProperty("--size", size); // which computes all styles anew
}

function showMissing(found) {
  const missing = one("#missing");
  if (!missing) return;
  const count = all("article:not([hidden])", missing).length;
  missing.hidden = !count;
  if (count && count === found) missing.open = true;
}

function sort(by) {
  if (by === order) return;
  order = by;
  const value = ({ cards }) => Math.max(...cards.map((card) => Number(card.dataset[by])));
  const sorted = by ? groups.toSorted((a, b) => value(b) - value(a)) : groups;
  for (const list of all(".groups")) list.append(...sorted.map((group) => group.element).filter((element) => list.contains(element)));
}

function remember() {
  const wanted = [...new FormData(bar)].filter(([name, value]) => value && !(name === "size" && value === SIZE));
  history.replaceState(null, "", `#${new URLSearchParams(wanted)}`);
}

function recall() {
  bar.reset();
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const field = bar.elements[name];
    if (field?.name) field.value = value;
    if (field?.selectedIndex === -1) field.selectedIndex = 0;
  }
  update();
}

bar.addEventListener("input", () => say(""));
bar.addEventListener("input", update);
bar.addEventListener("change", remember);
bar.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", recall);

// Marks: an object in the browser's storage, from keys to marks; other tabs may change it.

const MARKS = ["keep", "reject", "again"];
const SHELF = `omnivideo marks: ${store || location.pathname} ${batch}`;
let unkept = {}; // the marks, where the browser keeps nothing

function readMarks() {
  let marks = unkept;
  try {
    marks = JSON.parse(localStorage.getItem(SHELF)) ?? unkept;
  } catch {}
  return new Map(Object.entries(marks).filter(([, mark]) => MARKS.includes(mark)));
}

function toggleMark(card, mark) {
  const marks = readMarks();
  const key = card.dataset.key;
  if (marks.get(key) === mark) marks.delete(key);
  else marks.set(key, mark);
  unkept = Object.fromEntries(marks);
  say(`${marks.get(key) ?? "no mark"}: ${card.ariaLabel}`);
  try {
    localStorage.setItem(SHELF, JSON.stringify(unkept));
  } catch {
    say("This browser keeps no marks: export them before you close the page.");
  }
  showMarks();
}

function showMarks() {
  const marks = readMarks();
  for (const card of cards) {
    const mark = marks.get(card.dataset.key);
    if (card.dataset.mark === mark) continue;
    if (mark) card.dataset.mark = mark;
    else delete card.dataset.mark;
    press(card, mark);
  }
  if (current) press(large, marks.get(cardOf(current).dataset.key));
  const count = cards.filter((card) => card.dataset.mark).length;
  const button = one("[value=export]");
  button.textContent = count ? `Export marks (${count})` : "Export marks";
  button.disabled = !count;
}

function press(element, mark) {
  for (const button of all(".marks button", element)) button.ariaPressed = String(button.value === mark);
}

function exportMarks() {
  const marks = cards
    .filter((card) => card.dataset.mark)
    .map((card) => ({
      key: card.dataset.key,
      mark: card.dataset.mark,
      prompt: promptOf(card),
      take: Number(card.dataset.take),
    }));
  const text = `${JSON.stringify({ batch, store: store || null, marks }, null, 2)}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `marks-${batch.replaceAll("/", "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

addEventListener("storage", showMarks);

{% include "players.js" %}
// The large view has a player of its own.

const screen = one("video", large);
let current = null; // the frame in the large view

function cardOf(element) {
  return (current ?? element).closest("article");
}

function playable() {
  return all("a.frame").filter((frame) => !cardOf(frame).hidden && !frame.closest(".group").hidden);
}

function enlarge(frame) {
  stop();
  const frames = playable();
  const card = frame.closest("article");
  const place = frames.indexOf(frame);
  current = frame;
  screen.poster = one("img", frame)?.src ?? "";
  screen.src = frame.href;
  screen.ariaLabel = card.ariaLabel;
  one(".prompt", large).textContent = promptOf(card);
  one(".facts", large).textContent = `${place + 1} of ${frames.length} · ${one(".facts", card).textContent}`;
  one("a[download]", large).href = frame.href;
  one("[value=previous]", large).disabled = !frames[place - 1];
  one("[value=next]", large).disabled = !frames[place + 1];
  press(large, card.dataset.mark);
  if (large.open) return;
  large.showModal();
  large.focus(); // not the player, whose controls have keys of their own
}

function step(by) {
  const frames = playable();
  const next = frames[frames.indexOf(current) + by];
  if (next) enlarge(next);
}

function shut() {
  screen.removeAttribute("src");
  screen.load();
  current.focus();
  current = null;
}

screen.addEventListener("error", complain);
large.addEventListener("close", shut);
// A click on a button leaves the focus where it is, so that space goes on to mean play and pause.
large.addEventListener("mousedown", (event) => event.target.closest("button") && event.preventDefault());

// What buttons and keys do.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // There is no clipboard on a page that came over plain http.
    const field = document.createElement("textarea");
    field.value = text;
    (large.open ? large : document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) return say("The browser does not allow copying.");
  }
  say("Prompt copied.");
}

function showAll() {
  const { sort, size } = bar.elements;
  const kept = [sort.value, size.value];
  bar.reset();
  [sort.value, size.value] = kept;
  update();
  remember();
  bar.elements.q.focus();
}

const BUTTONS = {
  keep: (card) => toggleMark(card, "keep"),
  reject: (card) => toggleMark(card, "reject"),
  again: (card) => toggleMark(card, "again"),
  copy: (card) => copy(promptOf(card)),
  enlarge: (card) => enlarge(one("a.frame", card)),
  together: (card, button) => playTogether(playable().filter((frame) => button.closest(".group").contains(frame))),
  previous: () => step(-1),
  next: () => step(1),
  close: () => large.close(),
  all: showAll,
};
const KEYS = { k: "keep", r: "reject", a: "again" };

document.addEventListener("click", (event) => {
  const { target } = event;
  const frame = target.closest("a.frame");
  const button = target.closest("button");
  if (button?.value === "export") exportMarks();
  else if (button) BUTTONS[button.value](cardOf(button), button);
  else if (frame && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    play(frame);
  }
});

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("#bar")) return;
  const action = large.open ? onLargeView(key, target) : null;
  const card = cardOf(target);
  const mark = KEYS[key.toLowerCase()];
  if (action) event.preventDefault();
  action?.();
  if (mark && card && one(".marks", card)) toggleMark(card, mark);
});

function onLargeView(key, target) {
  if (key === "ArrowLeft") return () => step(-1);
  if (key === "ArrowRight") return () => step(1);
  if (key === " " && !target.closest("button, a, video")) return () => (screen.paused ? screen.play().catch(() => {}) : screen.pause());
  return null;
}

document.documentElement.classList.add("live");
showMarks();
recall();
