// Block Kit: https://docs.slack.dev/reference/block-kit. `use(action_id, value)` acts on an element.

import { chart } from "./chart.js";
import { h, icon, link, sync } from "./dom.js";
import { confirmThen } from "./dialog.js";
import { markdown, mrkdwn, plainText, richText, textObject } from "./text.js";
import { people, state } from "./state.js";

const STATUS = { pending: "not started", in_progress: "in progress", complete: "done", error: "failed" };

function statusIcon(status) {
  const label = STATUS[status];
  if (status === "complete") return h("span", { class: "task-icon task-complete", role: "img", "aria-label": label }, icon("check", 12));
  if (status === "error") return h("span", { class: "task-icon task-error", role: "img", "aria-label": label }, icon("cross", 12));
  return h("span", { class: `task-icon task-${status}`, role: "img", "aria-label": label });
}

function task(block) {
  const part = (name, content) => content && h("div", { class: `task-${name}` }, richText(content));
  const sources = (block.sources || []).map((one) => h("span", { class: "task-source" }, link(one.url, icon("link", 12), one.text || one.url)));
  const words = h("div", { class: "task-words" }, h("div", { class: "task-title" }, plainText(block.title)), part("details", block.details), part("output", block.output), sources.length ? h("div", { class: "task-sources" }, sources) : null);
  return h("div", { class: `task task-is-${block.status}`, "data-task": block.task_id }, statusIcon(block.status), words);
}

/** Keeps the nodes of tasks that did not change, so that nothing flickers while a plan is streamed. */
function planInto(node, block) {
  const known = node.tasks || new Map();
  node.tasks = new Map();
  const rows = (block.tasks || []).map((one) => {
    const json = JSON.stringify(one);
    const before = known.get(one.task_id);
    const row = before?.json === json ? before.row : task(one);
    node.tasks.set(one.task_id, { json, row });
    return row;
  });
  const done = (block.tasks || []).filter((one) => ["complete", "error"].includes(one.status)).length;
  const running = (block.tasks || []).some((one) => one.status === "in_progress");
  const count = rows.length ? h("span", { class: "plan-count" }, `${done}/${rows.length}`) : null;
  const title = h("div", { class: "plan-title" }, h("span", { class: running ? "plan-name shimmer" : "plan-name" }, plainText(block.title)), count);
  sync(node, [title, ...rows]);
  return node;
}

function sendsOn(element, run) {
  return async (event) => {
    const control = event.currentTarget;
    if (control.getAttribute("aria-busy") === "true") return;
    control.setAttribute("aria-busy", "true");
    await run();
    control.removeAttribute("aria-busy");
  };
}

function button(element, use) {
  const label = textObject(element.text);
  const props = { class: `btn ${element.style ? `btn-${element.style}` : ""}`, "aria-label": element.accessibility_label, "data-action": element.action_id };
  const press = () => use(element.action_id, element.value ?? null);
  if (element.url) {
    const anchor = link(element.url, label);
    anchor.className = props.class;
    anchor.setAttribute("data-action", element.action_id);
    anchor.addEventListener("click", press);
    return anchor;
  }
  return h("button", { type: "button", ...props, onclick: sendsOn(element, () => confirmThen(element.confirm, press)) }, label);
}

function feedback(element, use) {
  const thumb = (name, drawing) => {
    const one = element[name];
    const press = async (event) => {
      const bar = event.currentTarget.parentElement;
      bar.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === event.currentTarget)));
      await use(element.action_id, one.value);
    };
    const label = one.accessibility_label || one.text.text;
    return h("button", { type: "button", class: "thumb", title: one.text.text, "aria-label": label, "aria-pressed": "false", "data-action": element.action_id, "data-value": one.value, onclick: press }, icon(drawing, 16));
  };
  return h("span", { class: "feedback" }, thumb("positive_button", "up"), thumb("negative_button", "down"));
}

function options(element) {
  if (element.type === "users_select") return people().map((user) => ({ value: user.id, text: { type: "plain_text", text: user.real_name } }));
  return element.options || [];
}

function select(element, use) {
  const initial = element.initial_option?.value ?? element.initial_user;
  const first = h("option", { value: "" }, element.placeholder?.text || (element.type === "overflow" ? "⋯" : "Choose an option"));
  const rest = options(element).map((one) => h("option", { value: one.value, selected: one.value === initial }, one.text.text));
  return h("select", { class: "select", "data-action": element.action_id, "aria-label": element.placeholder?.text || "Choose an option", onchange: (event) => event.currentTarget.value && use?.(element.action_id, event.currentTarget.value) }, first, rest);
}

function choices(element, use, name) {
  const many = element.type === "checkboxes";
  const initial = (element.initial_options || [element.initial_option]).filter(Boolean).map((one) => one.value);
  return h("div", { class: "choices", role: many ? "group" : "radiogroup", "data-action": element.action_id }, element.options.map((one) => {
    const input = h("input", { type: many ? "checkbox" : "radio", name, value: one.value, checked: initial.includes(one.value), onchange: () => use?.(element.action_id, one.value) });
    return h("label", { class: "choice" }, input, h("span", {}, textObject(one.text), one.description ? h("small", {}, textObject(one.description)) : null));
  }));
}

function imageBox(element) {
  return h("span", { class: "image-alt", role: "img", "aria-label": element.alt_text }, element.alt_text);
}

let counter = 0;

export function element(one, use) {
  counter += 1;
  const kinds = {
    button: () => button(one, use), icon_button: () => button({ ...one, style: null }, use), feedback_buttons: () => feedback(one, use),
    static_select: () => select(one, use), users_select: () => select(one, use), overflow: () => select(one, use), multi_static_select: () => choices({ ...one, type: "checkboxes" }, use, `c${counter}`),
    checkboxes: () => choices(one, use, `c${counter}`), radio_buttons: () => choices(one, use, `c${counter}`),
    datepicker: () => h("input", { type: "date", class: "select", value: one.initial_date, "data-action": one.action_id, onchange: (event) => use?.(one.action_id, event.currentTarget.value) }),
    image: () => imageBox(one),
  };
  return kinds[one.type]?.() ?? h("span", { class: "unknown" }, one.type);
}

/** A field of a modal. Its value is read by `readInput`. */
function input(block, error) {
  const one = block.element;
  const id = `input-${block.block_id}`;
  const limits = { id, maxlength: one.max_length, minlength: one.min_length, placeholder: one.placeholder?.text, "data-action": one.action_id };
  const types = { number_input: "number", url_text_input: "url", email_text_input: "email" };
  let control;
  const lines = (one.initial_value || "").split("\n").length;
  if (one.multiline) control = h("textarea", { ...limits, rows: Math.min(18, Math.max(4, lines)), class: "field" }, one.initial_value || "");
  else if (one.type === "plain_text_input" || types[one.type]) control = h("input", { ...limits, type: types[one.type] || "text", class: "field", value: one.initial_value });
  else control = element(one, null);
  if (!control.id) control.id = id;
  const optional = block.optional ? h("span", { class: "optional" }, " (optional)") : null;
  return h("div", { class: error ? "input input-wrong" : "input", "data-block": block.block_id },
    h("label", { for: id }, plainText(block.label.text), optional), control,
    error ? h("p", { class: "input-error", role: "alert" }, error) : null,
    block.hint ? h("p", { class: "hint" }, plainText(block.hint.text)) : null);
}

export function readInput(root, block) {
  const control = root.querySelector(`[data-block="${CSS.escape(block.block_id)}"] [data-action]`);
  if (!control) return null;
  if (control.classList.contains("choices")) {
    const chosen = [...control.querySelectorAll("input:checked")].map((one) => one.value);
    return ["radio_buttons"].includes(block.element.type) ? chosen[0] ?? null : chosen;
  }
  return control.value;
}

function cell(one, tag) {
  if (one.type === "raw_number") return h(tag, { class: "align-right" }, one.text || String(one.value));
  return h(tag, {}, one.type === "rich_text" ? richText(one) : plainText(one.text));
}

function table(block) {
  const [head, ...body] = block.rows;
  const settings = block.column_settings || [];
  const row = (cells, tag) => h("tr", {}, cells.map((one, x) => {
    const node = cell(one, tag);
    if (settings[x]?.align) node.classList.add(`align-${settings[x].align}`);
    return node;
  }));
  const rows = body.map((cells) => row(cells, "td"));
  const shown = block.type === "data_table" ? block.page_size || 5 : rows.length;
  const inner = h("tbody", {}, rows.slice(0, shown));
  const more = rows.length > shown
    ? h("button", { type: "button", class: "more", onclick: (event) => { inner.append(...rows.slice(shown)); event.currentTarget.remove(); } }, `Show ${rows.length - shown} more rows`) : null;
  const caption = block.caption ? h("caption", {}, block.caption) : null;
  return h("div", { class: "data-table" }, h("div", { class: "table-scroll" }, h("table", {}, caption, h("thead", {}, row(head, "th")), inner)), more);
}

const LONG = 700;

function long(text, render) {
  if (text.length <= LONG * 3) return render(text);
  const box = h("div", { class: "clipped" }, render(text));
  const toggle = h("button", { type: "button", class: "more", onclick: () => { box.classList.toggle("clipped"); toggle.textContent = box.classList.contains("clipped") ? "Show more" : "Show less"; } }, "Show more");
  return [box, toggle];
}

const BLOCKS = {
  section: (block, use) => h("div", { class: "section" },
    h("div", { class: "section-body" }, block.text ? h("div", { class: "section-text" }, textObject(block.text)) : null,
      block.fields ? h("div", { class: "fields" }, block.fields.map((one) => h("div", { class: "field-cell" }, textObject(one)))) : null),
    block.accessory ? h("div", { class: "accessory" }, element(block.accessory, use)) : null),
  header: (block) => h("h3", { class: "header" }, plainText(block.text.text)),
  divider: () => h("hr"),
  context: (block) => h("div", { class: "context" }, block.elements.map((one) => h("span", {}, one.type === "image" ? imageBox(one) : textObject(one)))),
  actions: (block, use) => h("div", { class: "actions" }, block.elements.map((one) => element(one, use))),
  context_actions: (block, use) => h("div", { class: "context-actions" }, block.elements.map((one) => element(one, use))),
  markdown: (block) => h("div", { class: "markdown" }, long(block.text, markdown)),
  rich_text: (block) => h("div", { class: "rich" }, richText(block)),
  image: (block) => h("figure", { class: "image" }, block.title ? h("figcaption", {}, block.title.text) : null, imageBox(block)),
  alert: (block) => h("div", { class: `alert alert-${block.level || "default"}`, role: "note" }, textObject(block.text)),
  table, data_table: table,
  data_visualization: (block) => chart(block),
  plan: (block) => planInto(h("section", { class: "plan", "aria-label": "Plan" }), block),
  task_card: (block) => h("section", { class: "plan plan-single" }, task(block)),
  input: (block, use, error) => input(block, error),
};

export function renderBlock(block, use, error) {
  return (BLOCKS[block.type] || (() => h("div", { class: "unknown" }, `[${block.type}]`)))(block, use, error);
}

/** Shows `blocks` in `root`; nodes of unchanged blocks stay, plans are updated in place. */
export function renderInto(root, blocks, use) {
  const before = root.parts || [];
  root.parts = blocks.map((block, index) => {
    const json = JSON.stringify(block);
    const old = before[index];
    if (old?.json === json) return old;
    if (old && old.type === "plan" && block.type === "plan") return { ...old, json, node: planInto(old.node, block) };
    return { json, type: block.type, node: renderBlock(block, use) };
  });
  sync(root, root.parts.map((part) => part.node));
}

export function attachment(one, use) {
  const blocks = (one.blocks || []).map((block) => renderBlock(block, use));
  const fields = (one.fields || []).map((field) => h("div", { class: field.short ? "att-field att-short" : "att-field" }, h("div", { class: "att-name" }, plainText(field.title || "")), h("div", {}, mrkdwn(field.value || ""))));
  const bar = h("div", { class: "att-bar" });
  if (/^#?[0-9a-f]{6}$/i.test(one.color || "")) bar.style.background = `#${one.color.replace("#", "")}`;
  else if (["good", "warning", "danger"].includes(one.color)) bar.classList.add(`att-${one.color}`);
  const title = one.title ? h("div", { class: "att-title" }, one.title_link ? link(one.title_link, plainText(one.title)) : plainText(one.title)) : null;
  return [
    one.pretext ? h("div", { class: "att-pretext" }, mrkdwn(one.pretext)) : null,
    h("div", { class: "attachment" }, bar, h("div", { class: "att-body" },
      one.author_name ? h("div", { class: "att-author" }, plainText(one.author_name)) : null, title,
      one.text ? h("div", { class: "section-text" }, mrkdwn(one.text)) : null,
      fields.length ? h("div", { class: "att-fields" }, fields) : null, blocks,
      one.footer ? h("div", { class: "att-footer" }, plainText(one.footer)) : null)),
  ];
}

export const nameOf = (id) => state.users.get(id)?.real_name || id;
