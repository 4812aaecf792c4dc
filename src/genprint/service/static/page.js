"use strict";
// Text from the server is only ever set as text, never as HTML.
const at = (id) => document.getElementById(id);

function make(tag, text, parent) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function row(body, cells) {
  const line = make("tr", undefined, body);
  for (const [i, cell] of cells.entries()) make(i ? "td" : "th", cell, line);
  line.firstElementChild.scope = "row";
  return line;
}

function headers() {
  const token = at("token").value;
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function asked(response) {
  if (response.status === 401 || response.status === 403) at("token-row").hidden = false;
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    const told = (await response.json()).detail;
    detail = typeof told === "string" ? told : told.map((one) => one.msg).join("; ");
  } catch { /* no JSON */ }
  throw new Error(detail);
}

// fetch tells nothing of an upload's progress; XMLHttpRequest does.
function send(path, files, field, progress, name = (file) => file.name) {
  const form = new FormData();
  for (const file of files) form.append(field, file, name(file));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onerror = () => reject(new Error("the service cannot be reached"));
    request.onload = () => {
      const response = new Response(request.responseText, { status: request.status, statusText: request.statusText });
      asked(response).then((good) => good.json()).then(resolve, reject);
    };
    request.send(form);
  });
}

// What sections are made of, as reports have it; see genprint.report.blocks.
const draw = {
  text(one, box) {
    make("p", one.text, box).className = one.tone;
  },
  items(one, box) {
    const list = make("ul", undefined, box);
    for (const item of one.items) make("li", item, list);
  },
  terms(one, box) {
    const list = make("dl", undefined, box);
    list.className = "terms";
    for (const [term, mark, text] of one.terms) {
      const pair = make("div", undefined, list);
      const name = make("dt", `${term} `, pair);
      if (mark) make("b", mark, name).className = `mark ${mark.replaceAll(" ", "-")}`;
      make("dd", text, pair);
    }
  },
  picture(one, box) {
    const picture = make("img", undefined, make("figure", undefined, box));
    picture.src = one.uri;
    picture.alt = one.description;
  },
  table(one, box) {
    if (one.searched) {
      const label = make("label", `Search ${one.rows.length} rows `, box);
      label.className = "filter";
      make("input", undefined, label).type = "search";
    }
    const around = make("div", undefined, box);
    around.className = "wide";
    const table = make("table", undefined, around);
    const head = make("tr", undefined, make("thead", undefined, table));
    for (const column of one.columns) make("th", column, head).scope = "col";
    const body = make("tbody", undefined, table);
    for (const cells of one.rows) {
      const line = row(body, cells);
      one.columns.forEach((column, i) => {
        if (i && one.digests.includes(column)) line.cells[i].className = "digest";
      });
    }
  },
};

function showVerdict({ title, tone, lead, points }, used, box = at("verdict")) {
  box.replaceChildren();
  box.className = `verdict ${tone}`;
  make("p", used, box).className = "about";
  make("h2", title, box).className = "title";
  make("p", lead, box).className = "lead";
  const list = make("dl", undefined, box);
  for (const [question, answer] of points) {
    const pair = make("div", undefined, list);
    make("dt", question, pair);
    make("dd", answer, pair);
  }
}

function showSections(sections, box = at("sections")) {
  box.replaceChildren();
  for (const { title, blocks, folded } of sections) {
    const section = make(folded ? "details" : "section", undefined, box);
    section.className = "section";
    make("h2", title, folded ? make("summary", undefined, section) : section);
    for (const one of blocks) draw[one.kind](one, section);
  }
}

function offer(id, text, type) {
  URL.revokeObjectURL(at(id).href);
  at(id).href = URL.createObjectURL(new Blob([text], { type }));
}

const several = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

function showAnswer(answer) {
  const { report, ...alone } = answer;
  showVerdict(report.verdict, `${several(answer.images, "image")} used, ${answer.left_out.length} left out`);
  showSections(report.sections);
  offer("download", JSON.stringify(alone, null, 2), "application/json");
  offer("report", report.page, "text/html");
  offer("case", report.case, "application/json");
  at("answer").hidden = false;
  at("answer").focus();
}

// Uploads files and shows the answer; a card's parts are called alike, after its own beginning ("" or "sort-").
async function ask(card, path, files, { answer, waiting, show, name }) {
  if (!files.length) return;
  at(`${card}error`).textContent = "";
  at(answer).hidden = true;
  const [progress, status] = [at(`${card}progress`), at(`${card}status`)];
  progress.hidden = false;
  progress.value = 0;
  status.textContent = `uploading ${several(files.length, "file")}`;
  try {
    const found = await send(path, files, "images", (share) => {
      progress.value = share;
      if (share >= 1) {
        progress.removeAttribute("value");
        status.textContent = waiting;
      }
    }, name);
    status.textContent = "";
    show(found);
  } catch (error) {
    status.textContent = "";
    at(`${card}error`).textContent = error.message;
  }
  progress.hidden = true;
}

const attribute = (files) => ask("", "/v1/attribute?report=true", files, {
  answer: "answer", waiting: "looking at the images", show: showAnswer,
});

const none = at("none").textContent;
const MANY = 12;  // sources from which on one wants to search

async function showSources() {
  const body = at("sources").tBodies[0];
  try {
    const sources = await (await asked(await fetch("/v1/sources", { headers: headers() }))).json();
    body.replaceChildren();
    for (const [name, count] of Object.entries(sources)) row(body, [name, count]);
    const count = Object.keys(sources).length;
    at("none").textContent = none;
    at("none").hidden = count > 0;
    at("list").hidden = count === 0;
    at("search").hidden = count <= MANY;
    at("search").lastElementChild.value = "";
    at("search").firstElementChild.textContent = several(count, "source");
    await showTree(sources);
  } catch (error) {
    at("none").textContent = error.message;
  }
}

async function showTree(sources) {
  const box = at("tree");
  if (Object.keys(sources).length < 2) {
    box.textContent = "It takes two enrolled sources or more.";
    return;
  }
  const svg = await (await asked(await fetch("/v1/families.svg", { headers: headers() }))).text();
  const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  for (const label of drawn.querySelectorAll("text")) {
    const count = sources[label.textContent];
    if (count === undefined) continue;
    const title = document.createElementNS(drawn.namespaceURI, "title");  // shown while the mouse is over it
    title.textContent = `${label.textContent}: ${several(count, "image")} enrolled`;
    label.append(title);
  }
  box.replaceChildren(document.importNode(drawn, true));
}

at("tree").addEventListener("click", () => at("tree").firstElementChild?.classList.toggle("wide"));
at("tree").addEventListener("keydown", (event) => {
  if (event.key === "Enter") at("tree").firstElementChild?.classList.toggle("wide");
});
at("probe").addEventListener("change", () => attribute(at("probe").files));
at("token").addEventListener("change", showSources);
function onDrop(box, take) {
  for (const kind of ["dragover", "dragleave", "drop"]) {
    box.addEventListener(kind, (event) => {
      event.preventDefault();
      box.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer);
    });
  }
}

onDrop(at("drop"), (dropped) => attribute(dropped.files));
at("enroll").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = at("enrolled");
  said.textContent = "enrolling";
  at("concerns").replaceChildren();
  try {
    const path = `/v1/sources/${encodeURIComponent(at("name").value)}`;
    const done = await send(path, at("images").files, "images", () => {});
    said.textContent = `${several(done.added, "image")} added, ${done.enrolled} enrolled`;
    for (const concern of done.concerns) make("li", concern.said, at("concerns"));
    at("enroll").reset();
    await showSources();
  } catch (error) {
    said.textContent = error.message;
  }
});
showSources();
