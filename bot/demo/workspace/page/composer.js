// The box to write in: Enter sends, @ completes people and the app, / shows the app's commands.

import { h, icon, sync } from "./dom.js";
import { avatar } from "./messages.js";
import { act, state } from "./state.js";

export class Composer {
  constructor(where) {
    this.where = where;
    this.at = 0;
    this.found = [];
    this.area = h("textarea", { rows: 1, spellcheck: "true", oninput: () => this.changed(), onkeydown: (event) => this.key(event), onblur: () => setTimeout(() => document.activeElement === this.area || this.close(), 150), onclick: () => this.changed() });
    this.send = h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send (Enter)", disabled: true, onclick: () => this.submit() }, icon("send", 18));
    this.popup = h("div", { class: "popup", role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.error = h("p", { class: "composer-error", role: "alert", hidden: true });
    this.prompts = h("div", { class: "prompts" });
    this.node = h("div", { class: "composer" }, this.prompts, this.popup, this.error, h("div", { class: "composer-box" }, this.area, this.send));
  }

  label(text) {
    this.area.placeholder = text;
    this.area.setAttribute("aria-label", text);
  }

  suggest(prompts) {
    sync(this.prompts, prompts.map((one) => h("button", { type: "button", class: "prompt", onclick: () => this.submit(one.message) }, one.title)));
  }

  fail(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }

  changed() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight, 200)}px`;
    this.send.disabled = !this.area.value.trim();
    this.fail("");
    const before = this.area.value.slice(0, this.area.selectionStart);
    const name = /(?:^|\s)@([\w-]*)$/.exec(before);
    const members = this.where().members;
    if (name) {
      const known = [...state.users.values()].filter((user) => (members.includes(user.id) || user.id === state.app.user) && user.name.startsWith(name[1].toLowerCase()));
      known.sort((a, b) => Number(b.id === state.app.user) - Number(a.id === state.app.user));
      this.found = known.map((user) => ({ text: `@${user.name} `, from: before.length - name[1].length - 1, row: [avatar(user, "avatar-small"), h("b", {}, user.name), h("span", {}, user.real_name), user.bot ? h("span", { class: "badge" }, "APP") : null] }));
    } else if (/^\/\S*$/.test(before)) {
      this.found = state.commands.filter((one) => one.name.startsWith(before)).map((one) => ({ text: `${one.name} `, from: 0, row: [avatar(state.users.get(state.app.user), "avatar-small"), h("b", {}, one.name), h("code", {}, one.usage_hint), h("span", {}, one.description)] }));
    } else this.found = [];
    this.at = 0;
    this.draw();
  }

  draw() {
    this.popup.hidden = !this.found.length;
    sync(this.popup, this.found.map((one, index) => h("div", { class: "option", role: "option", "aria-selected": String(index === this.at), onmousedown: (event) => { event.preventDefault(); this.choose(one); } }, one.row)));
  }

  close() {
    this.found = [];
    this.draw();
  }

  choose({ text, from }) {
    const { value, selectionStart } = this.area;
    this.area.value = value.slice(0, from) + text + value.slice(selectionStart);
    this.area.selectionStart = this.area.selectionEnd = from + text.length;
    this.close();
    this.area.focus();
    this.send.disabled = false;
  }

  key(event) {
    if (this.found.length) {
      if (["ArrowDown", "ArrowUp"].includes(event.key)) {
        event.preventDefault();
        this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + this.found.length) % this.found.length;
        this.draw();
        return;
      }
      if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
        event.preventDefault();
        this.choose(this.found[this.at]);
        return;
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        this.close();
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    }
  }

  async submit(given) {
    const text = (given ?? this.area.value).trim();
    if (!text) return;
    const { channel, thread } = this.where();
    const details = { channel, text, ...(thread ? { thread_ts: thread } : {}) };
    if (given === undefined) {
      this.area.value = "";
      this.changed();
    }
    const answer = await act(text.startsWith("/") ? "slash" : "post", details);
    if (!answer.ok) {
      if (given === undefined) this.area.value = text;
      this.changed();
      this.fail(answer.error);
    }
  }
}
