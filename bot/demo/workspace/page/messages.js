// Message lists: of a channel, and of a thread. Nodes are kept and updated, so that nothing jumps.

import { attachment, nameOf, renderInto } from "./blocks.js";
import { h, icon, sync } from "./dom.js";
import { emoji } from "./emoji.js";
import { act, appUser, isReply, state, statusKey, visible } from "./state.js";
import { mrkdwn } from "./text.js";

const GROUP_SECONDS = 300;

export function avatar(user, size = "") {
  const props = { class: `avatar ${size}`, "aria-hidden": "true" };
  const box = h("span", props);
  box.style.background = user?.color || "#667";
  if (user && user.id === state.app.user) box.append(icon("pulse", size ? 14 : 22));
  else if (user?.bot) box.append(icon("bell", size ? 12 : 20));
  else box.append((user?.real_name || "?").split(" ").map((word) => word[0]).slice(0, 2).join(""));
  return box;
}

const when = (ts) => new Date(Number(ts) * 1000);
const clock = (ts) => when(ts).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
const dayKey = (ts) => when(ts).toDateString();

function dayName(ts) {
  const day = when(ts);
  const ago = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86400000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return day.toLocaleDateString([], { weekday: "long", month: "long", day: "numeric" });
}

function badge(user) {
  if (user?.bot) return h("span", { class: "badge" }, "APP");
  if (user?.guest) return h("span", { class: "badge badge-quiet" }, "Guest");
  if (user?.stranger) return h("span", { class: "badge badge-quiet" }, user.title);
  return null;
}

/** One message in one list. `update` changes what differs. */
class Message {
  constructor(onThread) {
    this.onThread = onThread;
    this.gutter = h("div", { class: "gutter" });
    this.head = h("div", { class: "msg-head" });
    this.text = h("div", { class: "msg-text" });
    this.blocks = h("div", { class: "blocks" });
    this.extra = h("div", { class: "msg-extra" });
    this.note = h("div", { class: "only-you" }, icon("eye", 13), "Only visible to you");
    this.body = h("div", { class: "msg-body" });
    this.node = h("article", { class: "msg" }, this.gutter, this.body);
  }

  use = async (actionId, value) => {
    const answer = await act("click", { ts: this.message.ts, action_id: actionId, value });
    if (!answer.ok) this.onThread.fail(answer.error);
  };

  update(message, { compact, replies }) {
    const same = JSON.stringify([message, compact, replies.map((one) => one.ts), state.me, dayName(message.ts)]);
    if (same === this.same) return this.node;
    this.same = same;
    this.message = message;
    const user = state.users.get(message.user);
    const time = h("time", { class: "msg-time", datetime: when(message.ts).toISOString(), title: when(message.ts).toLocaleString() }, clock(message.ts));
    this.node.className = `msg${compact ? " msg-compact" : ""}${message.ephemeral_for ? " msg-private" : ""}`;
    this.node.setAttribute("data-ts", message.ts);
    sync(this.gutter, [compact ? time : avatar(user)]);
    if (!compact) sync(this.head, [h("span", { class: "msg-name" }, user?.real_name || message.user), badge(user), time].filter(Boolean));
    renderInto(this.blocks, message.blocks, this.use);
    this.#words(message);
    this.#below(message, replies);
    this.blocks.classList.toggle("is-streaming", message.streaming);
    const parts = [message.ephemeral_for && this.note, !compact && this.head, this.text, this.blocks, this.extra];
    sync(this.body, parts.filter(Boolean));
    return this.node;
  }

  #words(message) {
    const edited = message.edited ? h("span", { class: "edited" }, " (edited)") : null;
    const shown = message.blocks.length ? [] : mrkdwn(message.text);
    sync(this.text, []);
    this.text.append(...shown);
    if (edited && shown.length) this.text.append(edited);
    this.text.hidden = !shown.length;
  }

  #below(message, replies) {
    const use = this.use;
    const reactions = Object.entries(message.reactions).map(([name, users]) => h("span", { class: "reaction", title: users.map(nameOf).join(", ") }, emoji(name) || `:${name}:`, h("span", {}, users.length)));
    const parts = [
      ...message.attachments.map((one) => attachment(one, use)).flat().filter(Boolean),
      reactions.length ? h("div", { class: "reactions" }, reactions) : null,
      this.onThread.open ? this.#thread(message, replies) : null,
    ];
    sync(this.extra, parts.filter(Boolean));
  }

  #thread(message, replies) {
    if (message.ephemeral_for) return null;
    const open = () => this.onThread.open(message.ts);
    const tools = h("div", { class: "tools" }, h("button", { type: "button", class: "ghost", title: "Reply in thread", "aria-label": "Reply in thread", onclick: open }, icon("reply", 17)));
    const told = publicly(replies);
    if (!told.length) return tools;
    const faces = [...new Set(told.map((one) => one.user))].slice(0, 4).map((id) => avatar(state.users.get(id), "avatar-small"));
    const count = `${told.length} ${told.length === 1 ? "reply" : "replies"}`;
    const last = h("span", { class: "thread-last" }, `Last reply ${dayName(told.at(-1).ts).toLowerCase()} at ${clock(told.at(-1).ts)}`);
    const row = h("button", { type: "button", class: "thread-row", "data-thread": message.ts, onclick: open }, faces, h("span", { class: "thread-count" }, count), last);
    return h("div", {}, row, tools);
  }
}

/** A list of messages in a scrolling box that stays at the end while one reads there. */
export class MessageList {
  constructor(onThread) {
    this.onThread = onThread;
    this.known = new Map();
    this.node = h("div", { class: "list", role: "log", "aria-live": "polite" });
    this.box = h("div", { class: "scroll", tabindex: "0", "aria-label": "Messages" }, this.node);
    new ResizeObserver(() => this.pinned !== false && this.toEnd()).observe(this.node);
    this.box.addEventListener("scroll", () => { this.pinned = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 60; });
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  reset() {
    this.known.clear();
    this.pinned = true;
  }

  show(before, messages, { days, replies, after = [] }) {
    const nodes = [...before];
    let last = null;
    for (const message of messages) {
      if (days && (!last || dayKey(last.ts) !== dayKey(message.ts))) nodes.push(this.#divider(`day-${dayKey(message.ts)}`, dayName(message.ts)));
      const close = last && last.user === message.user && Number(message.ts) - Number(last.ts) < GROUP_SECONDS && dayKey(last.ts) === dayKey(message.ts);
      const compact = Boolean(close && !message.ephemeral_for && !last.ephemeral_for && !message.blocks.length && !message.attachments.length);
      if (!this.known.has(message.ts)) this.known.set(message.ts, new Message(this.onThread));
      nodes.push(this.known.get(message.ts).update(message, { compact, replies: replies(message) }));
      last = message;
    }
    const pinned = this.pinned !== false;
    sync(this.node, [...nodes, ...after]);
    if (pinned) this.toEnd();
  }

  #divider(key, text) {
    if (!this.known.has(key)) this.known.set(key, h("div", { class: "day", role: "separator" }, h("span", {}, text)));
    return this.known.get(key);
  }
}

export function replyDivider(count) {
  return h("div", { class: "reply-divider" }, h("span", {}, count ? `${count} ${count === 1 ? "reply" : "replies"}` : "No replies yet"));
}

export function threadOf(channel, ts) {
  return visible(channel).filter((one) => one.thread_ts === ts && one.ts !== ts);
}

const publicly = (messages) => messages.filter((one) => !one.ephemeral_for);

export function topLevel(channel) {
  return visible(channel).filter((one) => !isReply(one) || one.broadcast);
}

const SESSION_WORDS = { processing: "is working…", suspended: "waits for a decision" };

/** What the app is doing in a thread: its session, with Slack's Stop button, or its status line. */
export function statusLine(channel, thread) {
  const session = state.sessions.get(statusKey(channel, thread));
  const text = state.statuses.get(statusKey(channel, thread)) || SESSION_WORDS[session?.status];
  if (!text) return [];
  const busy = session?.status !== "suspended";
  const stop = state.stoppable && session?.status === "processing"
    ? h("button", { type: "button", class: "stop-session", onclick: (event) => { event.target.disabled = true; act("stop", { channel, thread_ts: thread }); } }, "Stop") : null;
  return [h("div", { class: "status-line", role: "status" }, avatar(appUser(), "avatar-small"), h("span", { class: busy ? "shimmer" : "" }, `${appUser().real_name} ${text}`), stop)];
}
