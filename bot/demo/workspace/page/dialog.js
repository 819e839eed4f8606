// Dialogs over the page: confirmations, and the app's modals.

import { h, icon } from "./dom.js";
import { plainText, textObject } from "./text.js";
import { act, state } from "./state.js";

const overlay = () => document.getElementById("overlay");

function trap(box, onEscape) {
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onEscape();
    }
    if (event.key !== "Tab") return;
    const stops = [...box.querySelectorAll("button, input, textarea, select, a[href]")].filter((one) => !one.disabled);
    const edge = event.shiftKey ? stops[0] : stops.at(-1);
    if (document.activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? stops.at(-1) : stops[0]).focus();
    }
  });
}

function open(box, onDismiss) {
  const before = document.activeElement;
  const shade = h("div", { class: "shade", onmousedown: (event) => event.target === shade && onDismiss() }, box);
  trap(box, onDismiss);
  overlay().append(shade);
  (box.querySelector("input, textarea, select") || box.querySelector(".btn-primary, .btn-danger") || box.querySelector("button"))?.focus();
  return () => {
    shade.remove();
    if (before?.isConnected) before.focus();
  };
}

/** Asks when the element has a confirm object, then runs `press`. */
export function confirmThen(confirm, press) {
  if (!confirm) return press();
  return new Promise((resolve) => {
    const finish = (run) => async () => {
      close();
      resolve(run ? await press() : null);
    };
    const box = h("div", { class: "dialog", role: "alertdialog", "aria-modal": "true", "aria-label": confirm.title.text },
      h("h2", {}, plainText(confirm.title.text)), h("div", { class: "dialog-text" }, textObject(confirm.text)),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "btn", onclick: finish(false) }, plainText(confirm.deny.text)),
        h("button", { type: "button", class: `btn btn-${confirm.style || "primary"}`, onclick: finish(true) }, plainText(confirm.confirm.text))));
    const close = open(box, finish(false));
  });
}

let shown = null;

/** Shows the newest modal of the current person, or none. Typed text survives as long as the view stays the same. */
export function renderModal(blocks) {
  const view = [...state.views.values()].filter((one) => one.view.type === "modal" && one.user === state.me).at(-1);
  const key = view ? `${view.id}/${view.hash}/${JSON.stringify(view.errors)}` : null;
  if (shown?.key === key) return;
  const typed = view && shown?.id === view.id && shown.hash === view.hash ? shown.values() : {};
  shown?.close();
  shown = view ? openModal(view, key, typed, blocks) : null;
}

function openModal(view, key, typed, { renderBlock, readInput }) {
  const { title, submit, close: cancel, blocks } = view.view;
  const inputs = blocks.filter((block) => block.type === "input");
  const use = (actionId, value) => act("click", { ts: view.id, action_id: actionId, value });
  const body = h("div", { class: "modal-body" }, blocks.map((block) => renderBlock(block, use, view.errors[block.block_id])));
  const values = () => Object.fromEntries(inputs.map((block) => [block.element.action_id || block.block_id, readInput(body, block)]));
  const problem = h("p", { class: "input-error", role: "alert" });
  const dismiss = () => act("close", { view: view.id });
  const send = async (event) => {
    event.preventDefault();
    const entered = Object.fromEntries(Object.entries(values()).filter(([, value]) => value !== "" && value !== null && value?.length !== 0));
    const answer = await act("submit", { view: view.id, values: entered });
    problem.textContent = answer.ok ? (answer.acked ? "" : "The app did not answer in time. Try again.") : answer.error;
  };
  const box = h("form", { class: "dialog modal", role: "dialog", "aria-modal": "true", "aria-label": title.text, novalidate: true, onsubmit: send },
    h("header", { class: "modal-head" }, h("h2", {}, plainText(title.text)), h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: dismiss }, icon("close"))),
    body, problem,
    h("div", { class: "dialog-buttons" },
      h("button", { type: "button", class: "btn", onclick: dismiss }, cancel ? plainText(cancel.text) : submit ? "Cancel" : "Close"),
      submit ? h("button", { type: "submit", class: "btn btn-primary" }, plainText(submit.text)) : null));
  for (const block of inputs) {
    const value = typed[block.element.action_id || block.block_id];
    const control = body.querySelector(`[data-block="${CSS.escape(block.block_id)}"] .field`);
    if (control && value) control.value = value;
  }
  return { id: view.id, hash: view.hash, key, values, close: open(box, dismiss) };
}
