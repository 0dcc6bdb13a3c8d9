"use strict";
// The page of `kbert serve`. Nothing is asked of any other server, and text that came
// from outside is never read as markup: only textContent and elements.

const WORDS = {
  en: {
    model: "Model", curl: "The same as a curl command", run: "Run", examples: "Try:",
    other: "한국어", working: "Working…", took: "s", text: "Text", text_b: "Second text",
    question: "Question", context: "Passage", k: "Candidates", layer: "Layer", head: "Head",
    insert: "Insert [MASK]", lines: "one text a line",
    truncated: "The text is longer than the model reads; the rest was left out.",
    nothing: "Please type something first.", no_mask: "Put [MASK] into the text first.",
    no_model: "The server has no model that is ready.",
    lost: "The server did not answer. Is it still running?",
    all: "Show all", no_entities: "No entities were found.", entities: "Entities",
    no_answer: "No answer in this passage", best: "Best answers", follows: "follows",
    not_follows: "does not follow", probability: "probability", mask: "Mask",
    dimensions: "dimensions, length", similarity: "Cosine similarity", layers: "layers",
    parameters: "parameters", version: "version", heat: "Row: from. Column: to.",
    lines_view: "Point at a word to see where it looks", none: "(nothing)",
  },
  ko: {
    model: "모델", curl: "같은 요청을 curl로", run: "실행", examples: "예시:",
    other: "English", working: "계산 중…", took: "초", text: "문장", text_b: "둘째 문장",
    question: "질문", context: "지문", k: "후보 수", layer: "층", head: "헤드",
    insert: "[MASK] 넣기", lines: "한 줄에 하나씩",
    truncated: "모델이 읽을 수 있는 길이를 넘어 뒷부분은 읽지 않았습니다.",
    nothing: "먼저 글을 입력해 주세요.", no_mask: "먼저 문장에 [MASK]를 넣어 주세요.",
    no_model: "준비된 모델이 없습니다.",
    lost: "서버가 응답하지 않습니다. 아직 실행 중인가요?",
    all: "모두 보기", no_entities: "찾은 개체가 없습니다.", entities: "개체",
    no_answer: "이 지문에는 답이 없습니다", best: "답 후보", follows: "이어지는 문장입니다",
    not_follows: "이어지지 않습니다", probability: "확률", mask: "마스크",
    dimensions: "차원, 길이", similarity: "코사인 유사도", layers: "층",
    parameters: "매개변수", version: "버전", heat: "행: 보는 쪽, 열: 보이는 쪽",
    lines_view: "단어를 가리키면 어디를 보는지 나타납니다", none: "(빈 글)",
  },
};

const MOVIES = ["정말 재미있게 봤습니다. 최고의 영화!", "시간이 아깝다. 돈 주고 보지 마세요",
  "The best film I have seen this year."];
const PAIRS = [["이 영화는 정말 재미있었다.", "배우들의 연기도 훌륭했다."],
  ["한 남자가 기타를 친다.", "남자가 악기를 연주하고 있다."],
  ["She opened the door.", "Nobody was in the room."]];
const $ = (id) => document.getElementById(id);
const state = { models: [], model: null, signature: "", running: null, number: 0 };
let language = navigator.language.startsWith("ko") ? "ko" : "en";
const word = (name) => WORDS[language][name] ?? name;
/** What the model's card says of a signature, or of its task, for people. */
const about = (signature) => state.model.card.words?.signatures[signature] ?? {};
const taskName = (card) => card.words?.task[language] ?? card.task?.replaceAll("_", " ");
const percent = (x) => `${(100 * x).toFixed(1)}%`;

/** An element with attributes, handlers (functions) and children. */
function h(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line", "text", "g", "title"].includes(name);
  const element = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (key === "width" && !svg) element.style.width = value;
    else if (value !== null && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// ---- Choosing a model and what to do with it -------------------------------------

async function start() {
  try {
    const answer = await fetch("/v1/models");
    state.models = (await answer.json()).models;
  } catch {
    return say(word("lost"), true);
  }
  $("model").replaceChildren(
    ...state.models.map((model) => h("option", { value: model.name }, model.name)));
  if (!state.models.length) return say(word("no_model"), true);
  choose(state.models[0].name);
}

function choose(name, signature) {
  state.model = state.models.find((model) => model.name === name);
  const { card, signatures, versions } = state.model;
  $("about").textContent = [
    taskName(card), `${word("version")} ${versions[0]}`,
    card.num_layers && `${card.num_layers} ${word("layers")}`,
    card.parameters && `${card.parameters.toLocaleString()} ${word("parameters")}`,
  ].filter(Boolean).join(" · ");
  const names = Object.keys(signatures);
  show(signature in signatures ? signature : card.default_signature ?? names[0]);
}

function show(signature) {
  state.signature = signature;
  $("signatures").replaceChildren(...Object.keys(state.model.signatures).map((name) =>
    h("button", {
      type: "button", role: "tab", "aria-selected": String(name === signature),
      click: () => show(name),
    }, about(name)[language] ?? name)));
  buildForm();
  clear();
}

function clear() {
  state.running?.abort();
  $("result").hidden = $("same").hidden = true;
  say("");
}

function say(message, isError = false) {
  $("note").textContent = message;
  $("note").className = isError ? "error" : "";
}

// ---- The form of a signature ------------------------------------------------------

const inputsOf = () => Object.entries(state.model.signatures[state.signature].inputs);
const isText = ([, tensor]) => tensor.dtype === "string";
const rank = (name) => state.model.signatures[state.signature].inputs[name].shape.length;
/** Whether a field takes a text on each line: several rows, or several texts of a row. */
const hasLines = (name) => state.signature === "embed" || rank(name) > 1;
const linesOf = (value) => value.split("\n").filter((line) => line.trim());

function buildForm() {
  const texts = inputsOf().filter(isText).map(([name]) => {
    const isMany = hasLines(name);
    const rows = name === "context" || isMany ? 4 : 2;
    const own = about(state.signature).inputs?.[name]?.[language] ?? word(name);
    const label = isMany ? `${own} (${word("lines")})` : own;
    return h("label", {}, label, h("textarea", { name, rows, keydown: runOnEnter }));
  });
  const numbers = inputsOf().filter((input) => !isText(input)).map(([name, tensor]) =>
    h("label", {}, `${word(name)} `, numberField(name, tensor)));
  const insert = state.signature !== "fill_mask" ? null
    : h("button", { type: "button", click: insertMask }, word("insert"));
  $("form").replaceChildren(
    ...texts, h("div", { class: "fields" }, ...numbers),
    h("div", { class: "actions" }, h("button", { class: "run" }, word("run")), insert),
    examplesFor(texts.length));
}

function numberField(name, tensor) {
  const { num_layers, num_heads } = state.model.card;
  const most = { layer: num_layers, head: num_heads }[name];
  if (!most) return h("input", { name, type: "number", min: 1, value: tensor.default ?? 0 });
  const choices = Array.from({ length: most }, (_, i) => h("option", { value: i }, i));
  return h("select", { name, change: () => state.number && run() }, ...choices);
}

function examplesFor(count) {
  const own = about(state.signature).examples ?? [];
  const rows = own.length ? own : count > 1 ? PAIRS : MOVIES;
  const fitting = rows.filter((row) => [row].flat().length >= count);
  return h("div", { class: "examples" }, h("span", {}, word("examples")),
    ...(fitting.length ? fitting : PAIRS).map((row) => h("button", {
      type: "button",
      click: () => {
        [row].flat().forEach((text, i) => {
          const field = $("form").querySelectorAll("textarea")[i];
          if (field) field.value = text;
        });
        run();
      },
    }, [row].flat()[0].split("\n").join(" / "))));
}

function insertMask() {
  const field = $("form").querySelector("textarea");
  field.setRangeText("[MASK]", field.selectionStart, field.selectionEnd, "end");
  field.focus();
}

function runOnEnter(event) {
  const isMany = hasLines(event.target.name) || event.target.name === "context";
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  if (isMany && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  run();
}

// ---- Asking the server ------------------------------------------------------------

async function run() {
  const inputs = {};
  for (const [name, tensor] of inputsOf()) {
    const value = $("form").elements[name].value;
    if (tensor.dtype !== "string") inputs[name] = Number(value);
    else if (rank(name) > 1) inputs[name] = [linesOf(value)];
    else if (hasLines(name)) inputs[name] = linesOf(value);
    else inputs[name] = [value];
  }
  const first = Object.values(inputs)[0];
  if (!first.length || !first[0].trim()) return say(word("nothing"), true);
  if (state.signature === "fill_mask" && !first[0].includes("[MASK]")) {
    return say(word("no_mask"), true);
  }
  state.running?.abort();
  const running = (state.running = new AbortController());
  state.number += 1;
  say(word("working"));
  const path = `/v1/models/${encodeURIComponent(state.model.name)}:predict`;
  const body = JSON.stringify({ signature_name: state.signature, inputs });
  const begin = performance.now();
  try {
    const answer = await fetch(path, { method: "POST", body, signal: running.signal });
    const value = await answer.json();
    if (running.signal.aborted) return;
    if (!answer.ok) return fail(`${answer.status}: ${value.error}`);
    say(`${((performance.now() - begin) / 1000).toFixed(2)} ${word("took")}`);
    present(value.outputs, inputs);
    $("curl").textContent = `curl ${quoted(location.origin + path)} -d ${quoted(body)}`;
    $("same").hidden = false;
  } catch (error) {
    if (error.name !== "AbortError") fail(word("lost"));
  }
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function fail(message) {
  $("result").hidden = $("same").hidden = true;
  say(message, true);
}

function present(outputs, inputs) {
  const draw = DRAW[about(state.signature).draws ?? state.signature] ?? drawAnything;
  const parts = [draw(outputs, inputs)].flat();
  const isCut = outputs.truncated?.some(Boolean);
  if (isCut) parts.unshift(h("p", { class: "warning" }, word("truncated")));
  $("result").replaceChildren(...parts);
  $("result").hidden = false;
}

// ---- Drawing answers --------------------------------------------------------------

/** Rows of [label, share, handlers]; the most that are shown at first. */
function bars(rows, most = 20) {
  const list = h("ul", { class: "bars" }, ...rows.map(([label, share, more = {}], i) =>
    h("li", { hidden: i >= most ? "" : null, ...more },
      h("span", {}, label || word("none")),
      h("div", { class: "track" }, h("div", { class: "fill", width: percent(share) })),
      h("span", { class: "number" }, percent(share)))));
  if (rows.length <= most) return [list];
  const all = h("button", {
    type: "button", class: "quiet",
    click: () => { list.querySelectorAll("li").forEach((li) => (li.hidden = false)); all.remove(); },
  }, `${word("all")} (${rows.length})`);
  return [list, all];
}

const heading = (text) => h("h2", {}, text);

/** Handlers that call `act` when a row is pointed at, focused or tapped. */
function pointable(act) {
  const go = (event) => {
    const row = event.currentTarget;
    row.parentNode.querySelectorAll(".on").forEach((other) => other.classList.remove("on"));
    row.classList.add("on");
    act();
  };
  return { tabindex: 0, mouseenter: go, focus: go, click: go };
}

function drawClasses(outputs) {
  const rows = outputs.labels[0].map((label, i) => [label, outputs.scores[0][i]]);
  rows.sort((a, b) => b[1] - a[1]);
  const chosen = outputs.is_chosen
    ? outputs.labels[0].filter((_, i) => outputs.is_chosen[0][i]).join(", ") || word("none")
    : outputs.label[0];
  const share = outputs.is_chosen ? null : h("small", {}, percent(outputs.score[0]));
  return [h("p", { class: "big" }, chosen, share), ...bars(rows)];
}

function drawNumber(outputs) {
  return h("p", { class: "big" }, outputs.score[0].toFixed(3));
}

/** Hues that people with any colour vision tell apart best, one for each type. */
const HUES = [212, 28, 330, 165, 50, 280, 190, 0];

function drawEntities(outputs, inputs) {
  const points = Array.from(inputs.text[0]); // offsets are in characters, not UTF-16
  const types = [...new Set(outputs.types[0])];
  const hue = (type) => HUES[types.indexOf(type) % HUES.length];
  const passage = h("p", { class: "passage tall" });
  let place = 0;
  for (let i = 0; i < outputs.num_entities[0]; i += 1) {
    const [start, end] = [outputs.starts[0][i], outputs.ends[0][i]];
    const type = outputs.types[0][i];
    passage.append(points.slice(place, start).join(""),
      h("span", { class: "entity", "--hue": hue(type) },
        points.slice(start, end).join(""), h("small", {}, type)));
    place = end;
  }
  passage.append(points.slice(place).join(""));
  if (!outputs.num_entities[0]) return [passage, h("p", {}, word("no_entities"))];
  const rows = outputs.texts[0].slice(0, outputs.num_entities[0]).map((text, i) =>
    [`${outputs.types[0][i]}  ${text}`, outputs.scores[0][i]]);
  return [passage, heading(word("entities")), ...bars(rows)];
}

function drawAnswer(outputs, inputs) {
  const points = Array.from(inputs.context[0]);
  const passage = h("p", { class: "passage tall" });
  const mark = (start, end) => {
    const marked = h("mark", {}, points.slice(start, end).join(""));
    passage.replaceChildren(points.slice(0, start).join(""),
      ...(start < 0 ? [] : [marked]), points.slice(Math.max(end, 0)).join(""));
    if (start >= 0) passage.scrollTop = marked.offsetTop - passage.offsetTop - 60;
  };
  const isNone = outputs.start[0] < 0;
  const rows = outputs.n_best_answers[0].slice(0, outputs.num_answers[0]).map((text, i) => {
    const [start, end] = [outputs.n_best_starts[0][i], outputs.n_best_ends[0][i]];
    const shown = start < 0 ? word("no_answer") : text;
    return [shown, outputs.n_best_scores[0][i], pointable(() => mark(start, end))];
  });
  const title = h("p", { class: "big" }, isNone ? word("no_answer") : outputs.answer[0],
    h("small", {}, percent(outputs.score[0])));
  const parts = [title, passage, heading(word("best")), ...bars(rows, 8)];
  requestAnimationFrame(() => mark(outputs.start[0], outputs.end[0]));
  return parts;
}

function drawMasks(outputs) {
  const filled = h("p", { class: "passage" }, outputs.filled[0][0]?.[0] ?? "");
  const lists = outputs.tokens[0].flatMap((tokens, m) => [
    heading(`${word("mask")} ${m + 1}`),
    ...bars(tokens.map((token, i) => [
      token, outputs.scores[0][m][i],
      pointable(() => (filled.textContent = outputs.filled[0][m][i])),
    ])),
  ]);
  return [filled, ...lists];
}

function drawNext(outputs) {
  const text = word(outputs.is_next[0] ? "follows" : "not_follows");
  return [h("p", { class: "big" }, text),
    ...bars([[word("follows"), outputs.score[0]], [word("not_follows"), 1 - outputs.score[0]]])];
}

function drawVectors(outputs, inputs) {
  const vectors = outputs.embedding;
  const norm = (v) => Math.hypot(...v);
  const cosine = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0) / (norm(a) * norm(b));
  const about = `${vectors[0].length} ${word("dimensions")} ${norm(vectors[0]).toFixed(2)}`;
  if (vectors.length < 2) {
    return [h("p", { class: "big" }, about), h("pre", {}, vectors[0].map((x) => x.toFixed(4)).join(", "))];
  }
  const rows = vectors.map((a, i) => h("tr", {},
    h("th", { scope: "row" }, inputs.text[i]),
    ...vectors.map((b) => {
      const value = cosine(a, b);
      return h("td", { class: "number", "--share": Math.max(0, value).toFixed(3) }, value.toFixed(2));
    })));
  return [heading(`${word("similarity")} (${about})`),
    h("div", { class: "scroll" }, h("table", { class: "cosine" }, ...rows))];
}

function drawPieces(outputs) {
  const count = outputs.num_tokens[0];
  const chips = outputs.tokens[0].slice(0, count).map((token, i) => {
    const kind = token === "[UNK]" ? "unknown" : token.startsWith("##") ? "inner" : "";
    const place = `${outputs.starts[0][i]}–${outputs.ends[0][i]}`;
    return h("li", { class: kind, title: place }, token, h("small", {}, outputs.token_ids[0][i]));
  });
  return [heading(String(count)), h("ul", { class: "chips" }, ...chips)];
}

function drawAttention(outputs) {
  const count = outputs.num_tokens[0];
  const tokens = outputs.tokens[0].slice(0, count);
  return [heading(word("heat")), h("div", { class: "scroll" }, heatMap(tokens, outputs.attention[0])),
    heading(word("lines_view")), h("div", { class: "scroll" }, lineView(tokens, outputs.attention[0]))];
}

const short = (token) => (token.length > 9 ? `${token.slice(0, 8)}…` : token);

function heatMap(tokens, weights) {
  const size = tokens.length > 32 ? 14 : 22;
  const [left, top] = [84, 78];
  const width = left + size * tokens.length + 40;
  const best = tokens.map((_, i) => tokens[weights[i].indexOf(Math.max(...weights[i]))]);
  const label = tokens.map((token, i) => `${token} → ${best[i]}`).join(", ");
  const parts = [h("rect", {
    class: "cell-frame", x: left, y: top, width: size * tokens.length, height: size * tokens.length,
  })];
  tokens.forEach((token, i) => {
    const middle = top + size * i + size / 2 + 4;
    const across = left + size * i + size / 2 + 4;
    parts.push(h("text", { x: left - 6, y: middle, "text-anchor": "end" }, short(token)),
      h("text", { x: across, y: top - 6, transform: `rotate(-55 ${across} ${top - 6})` }, short(token)));
    tokens.forEach((other, j) => parts.push(h("rect", {
      x: left + size * j, y: top + size * i, width: size - 1, height: size - 1,
      "fill-opacity": (weights[i][j] ** 0.6).toFixed(3), // small weights are seen, too
    }, h("title", {}, `${token} → ${other}: ${percent(weights[i][j])}`))));
  });
  return h("svg", {
    class: "map", role: "img", "aria-label": label, width, height: top + size * tokens.length + 4,
  }, ...parts);
}

function lineView(tokens, weights) {
  const size = 24;
  const [left, right] = [100, 240];
  const lines = h("g", {});
  const look = (i) => {
    const most = Math.max(...weights[i]);
    lines.replaceChildren(...tokens.map((_, j) => h("line", {
      x1: left + 6, y1: size * i + 14, x2: right - 6, y2: size * j + 14,
      "stroke-width": ((6 * weights[i][j]) / most).toFixed(2),
      "stroke-opacity": (weights[i][j] / most).toFixed(2),
    })));
  };
  const names = h("g", {}, ...tokens.map((token, i) => h("text", {
    class: "token", x: left, y: size * i + 18, "text-anchor": "end", ...pointable(() => look(i)),
  }, short(token))));
  const others = tokens.map((token, j) => h("text", { x: right, y: size * j + 18 }, short(token)));
  look(0);
  return h("svg", { class: "map", width: right + 110, height: size * tokens.length + 8 }, lines, names, ...others);
}

function drawAnything(outputs) {
  return h("pre", {}, JSON.stringify(outputs, null, 1));
}

/** By the name that a card gives; those of cards without one, by their signature's. */
const DRAW = {
  classes: drawClasses, number: drawNumber, entities: drawEntities, answer: drawAnswer,
  masks: drawMasks, next: drawNext, vectors: drawVectors, pieces: drawPieces,
  attention: drawAttention, classify: drawClasses, regress: drawNumber, tag: drawEntities,
  fill_mask: drawMasks, next_sentence: drawNext, embed: drawVectors, tokenize: drawPieces,
};

// ---- Beginning --------------------------------------------------------------------

function speak() {
  document.documentElement.lang = language;
  document.querySelectorAll("[data-word]").forEach((e) => (e.textContent = word(e.dataset.word)));
  $("language").textContent = word("other");
}

$("model").addEventListener("change", () => choose($("model").value));
$("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
$("language").addEventListener("click", () => {
  language = language === "ko" ? "en" : "ko";
  speak();
  if (state.model) choose(state.model.name, state.signature);
});
speak();
start();
