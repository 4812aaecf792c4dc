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
  for (const cell of cells) make("td", cell, line);
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
function send(path, files, field, progress) {
  const form = new FormData();
  for (const file of files) form.append(field, file, file.name);
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

const times = (llr) => Number(Math.exp(llr).toPrecision(2)).toString();

function showRatio(ratio) {
  const box = at("evidence");
  box.replaceChildren();
  if (!ratio) {
    make("p", "No likelihood ratio: it takes three enrolled sources or more, of two images each.", box);
    return;
  }
  const end = ratio.llr > 0 ? "most" : "least";
  const capped = Math.abs(ratio.llr) >= ratio.cap ? `; the ${end} that so few sources support` : "";
  const interval = ratio.low === null ? "" : ` [${times(ratio.low)}, ${times(ratio.high)}]`;
  make("p", `Likelihood ratio ${times(ratio.llr)}${interval}${capped}: ` +
    `that ${ratio.hp}, against: ${ratio.hd}. Calibrated on ${ratio.sources} sources.`, box);
  const bars = make("div", undefined, box);
  bars.className = "bars";
  for (const [images, [value, low, high]] of Object.entries(ratio.by_images)) {
    make("span", `${images} image${images === "1" ? "" : "s"}`, bars);
    const meter = make("meter", undefined, bars);
    meter.min = -ratio.cap;
    meter.max = ratio.cap;
    meter.value = value;
    meter.setAttribute("aria-label", `likelihood ratio with ${images} images`);
    make("span", low === null ? times(value) : `${times(value)} [${times(low)}, ${times(high)}]`, bars);
  }
}

function offer(id, text, type) {
  URL.revokeObjectURL(at(id).href);
  at(id).href = URL.createObjectURL(new Blob([text], { type }));
}

function showAnswer(answer) {
  const { evidence } = answer;
  at("verdict").textContent = answer.source ? `${answer.decision} to ${answer.source}` : answer.decision;
  at("reason").textContent = `${answer.reason}. ${answer.images} images used, ${answer.left_out.length} left out.`;
  if (evidence.threshold != null) {
    at("reason").textContent += ` Score ${evidence.score.toFixed(2)}, where ${evidence.threshold.toFixed(2)} is needed.`;
  }
  if (evidence.condition != null) {
    at("reason").textContent += ` ${evidence.condition.said.join(" ")}`;
  }
  for (const sentence of answer.said) at("reason").textContent += ` ${sentence}`;
  showRatio(evidence.ratio);
  const body = at("candidates").tBodies[0];
  body.replaceChildren();
  for (const one of evidence.candidates.slice(0, 10)) {
    row(body, [one.source, one.images, one.raw_llr.toFixed(1), `${(100 * one.posterior).toFixed(1)} %`]);
  }
  const { pictures = {}, report, ...alone } = answer;
  for (const [id, source] of [["trace", pictures.trace], ["place", pictures.tree]]) {
    at(id).hidden = !source;
    if (source) at(id).src = source;
  }
  const left = at("left-out");
  left.replaceChildren();
  for (const one of answer.left_out) make("p", `left out ${one.name}: ${one.reason}`, left);
  offer("download", JSON.stringify(alone, null, 2), "application/json");
  if (report) {
    offer("report", report.page, "text/html");
    offer("case", report.case, "application/json");
  }
  at("answer").hidden = false;
  at("answer").focus();
}

async function attribute(files) {
  if (!files.length) return;
  at("error").textContent = "";
  at("answer").hidden = true;
  const progress = at("progress");
  progress.hidden = false;
  progress.value = 0;
  at("status").textContent = `uploading ${files.length} files`;
  try {
    const answer = await send("/v1/attribute?pictures=true&report=true", files, "images", (share) => {
      progress.value = share;
      if (share >= 1) {
        progress.removeAttribute("value");
        at("status").textContent = "looking at the images";
      }
    });
    at("status").textContent = "";
    showAnswer(answer);
  } catch (error) {
    at("status").textContent = "";
    at("error").textContent = error.message;
  }
  progress.hidden = true;
}

const none = at("none").textContent;

async function showSources() {
  const body = at("sources").tBodies[0];
  try {
    const sources = await (await asked(await fetch("/v1/sources", { headers: headers() }))).json();
    body.replaceChildren();
    for (const [name, count] of Object.entries(sources)) row(body, [name, count]);
    at("none").textContent = none;
    at("none").hidden = Object.keys(sources).length > 0;
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
    title.textContent = `${label.textContent}: ${count} images enrolled`;
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
for (const kind of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") attribute(event.dataTransfer.files);
  });
}
at("enroll").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = at("enrolled");
  said.textContent = "enrolling";
  try {
    const path = `/v1/sources/${encodeURIComponent(at("name").value)}`;
    const done = await send(path, at("images").files, "images", () => {});
    said.textContent = `${done.added} images added, ${done.enrolled} enrolled`;
    at("enroll").reset();
    await showSources();
  } catch (error) {
    said.textContent = error.message;
  }
});
showSources();
