"use strict";
// A mixed folder, sorted: the groups with thumbnails, which are made here of the files that were dropped, and enrolling.
// What page.js has is used here: at, make, several, send, ask, offer, draw, onDrop, showVerdict, showSections, showSources.
let pile = new Map();  // files by the names that they are sent under
let groups = new Map();  // of the answer, by name
const SIDE = 96;  // px of a thumbnail, twice that on paper and on fine screens

// All files of a dropped folder, each with its path; a folder gives its entries in portions.
async function below(entry) {
  if (entry.isFile) return [[entry.fullPath, await new Promise((done, fail) => entry.file(done, fail))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...await below(one));
  }
}

async function takeDropped(dropped) {
  // Entries are there only as long as the event lasts: all are taken before the first is waited for.
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.());
  if (entries.some((entry) => entry?.isDirectory)) {
    try {
      sort((await Promise.all(entries.filter(Boolean).map(below))).flat());
    } catch (error) {
      at("sort-error").textContent = `the folder cannot be read: ${error.message}`;
    }
  } else {
    sort([...dropped.files].map((file) => [file.name, file]));
  }
}

// Sends files by names that are each of one, and hold nothing that is shown otherwise than it is.
function sort(found) {
  pile = new Map();
  const names = new Map();
  for (const [path, file] of found) {
    const plain = path.replace(/^\//, "").replace(/[\p{C}\p{Z}]/gu, (one) => (one === " " ? one : "_"));
    let name = plain;
    for (let i = 2; pile.has(name); i++) name = `${plain} (${i})`;
    pile.set(name, file);
    names.set(file, name);
  }
  return ask("sort-", "/v1/sort?report=true", [...pile.values()], {
    answer: "sorted", waiting: "sorting the images; this takes a while", show: showSorted, name: (file) => names.get(file),
  });
}

function showSorted(answer) {
  const { report, ...alone } = answer;
  groups = new Map(answer.groups.map((group) => [group.name, group]));
  showVerdict(report.verdict, `${several(pile.size, "file")} sent, ${answer.left_out.length} left out`, at("sort-verdict"));
  showSections(report.sections, at("sort-sections"));
  offer("sort-page", report.page, "text/html");
  offer("sort-json", JSON.stringify(alone, null, 2), "application/json");
  at("sorted").hidden = false;
  at("sorted").focus();
  drawThumbnails(pile);
}

draw.sheet = (one, box) => {
  drawRow(one.first, box);
  if (one.more) {
    make("p", `and ${one.more} more${one.last.length ? "; at the end, the least sure:" : ""}`, box).className = "more";
  }
  if (one.last.length) drawRow(one.last, box);
  const group = groups.get(one.group);
  if (group) offerEnrolling(group, box);
};

function drawRow(images, box) {
  const list = make("ul", undefined, box);
  list.className = "sheet";
  for (const { name, caption } of images) {
    const place = make("li", undefined, list);
    make("code", name, place);
    make("small", caption, place);
  }
}

// Names become pictures, one after the other; of what the browser cannot show (members of zips, HEIC), the name stays.
async function drawThumbnails(files) {
  for (const named of at("sort-sections").querySelectorAll(".sheet code")) {
    const file = files.get(named.textContent);
    if (files !== pile) return;  // another pile has come
    if (!file) continue;
    try {
      const bitmap = await createImageBitmap(file);
      const scale = Math.min(1, 2 * SIDE / Math.max(bitmap.width, bitmap.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(scale * bitmap.width));
      canvas.height = Math.max(1, Math.round(scale * bitmap.height));
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      bitmap.close();
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", named.textContent);
      canvas.title = named.textContent;
      named.replaceWith(canvas);
    } catch { /* not a kind that browsers show */ }
  }
}

function offerEnrolling(group, box) {
  const files = group.images.map(({ image }) => pile.get(image)).filter(Boolean);
  if (files.length < group.images.length) {
    make("p", "To enroll it from here, drop images or folders, not a zip.", box).className = "more";
    return;
  }
  const form = make("form", undefined, box);
  const name = make("input", undefined, make("label", "Its source ", form));
  Object.assign(name, { required: true, maxLength: 100, pattern: at("name").pattern, autocomplete: "off" });
  name.value = group.source ?? "";
  const button = make("button", `Enroll ${files.length === 1 ? "this image" : `these ${files.length} images`}`, form);
  const said = make("p", undefined, form);
  said.setAttribute("role", "status");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "enrolling";
    button.disabled = true;
    try {
      const done = await send(`/v1/sources/${encodeURIComponent(name.value)}`, files, "images", () => {});
      said.textContent = `${several(done.added, "image")} added to ${name.value}, ${done.enrolled} enrolled`;
      await showSources();
    } catch (error) {
      said.textContent = error.message;
      button.disabled = false;
    }
  });
}

at("sort-files").addEventListener("change", () => sort([...at("sort-files").files].map((file) => [file.name, file])));
at("sort-folder").addEventListener("change", () => {
  sort([...at("sort-folder").files].map((file) => [file.webkitRelativePath, file]));
});
onDrop(at("sort-drop"), takeDropped);
