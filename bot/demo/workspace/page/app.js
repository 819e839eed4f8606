// Joins the parts: sidebar, conversation, thread, Home tab, modals, push previews.

import { readInput, renderBlock, renderInto } from "./blocks.js";
import { Composer } from "./composer.js";
import { renderModal } from "./dialog.js";
import { h, icon, sync } from "./dom.js";
import { MessageList, avatar, replyDivider, statusLine, threadOf, topLevel } from "./messages.js";
import { act, appUser, changed, connect, markRead, me, myChannels, onChange, people, state, statusKey, unread } from "./state.js";
import { decode } from "./text.js";

const $ = (id) => document.getElementById(id);
const { place } = state;

/* Where one is: kept in the address, so that a reload and a permalink lead to the same place. */

function readAddress() {
  const permalink = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (permalink) {
    const thread = new URLSearchParams(location.search).get("thread_ts") || `${permalink[2]}.${permalink[3]}`;
    history.replaceState(null, "", `/#${permalink[1]}/${thread}`);
  }
  const [channel, thread] = location.hash.slice(1).split("/");
  if (channel === "home") Object.assign(place, { home: true, channel: null, thread: null });
  else if (state.channels.has(channel)) Object.assign(place, { channel, thread: thread || null, home: false });
}

function go(channel, thread = null, pane = null) {
  const home = channel === "home";
  const moved = place.channel !== channel || home;
  Object.assign(place, { channel: home ? null : channel, thread, home });
  history.replaceState(null, "", `#${channel}${thread ? `/${thread}` : ""}`);
  document.body.dataset.pane = pane || (thread ? "thread" : "main");
  if (moved) mainList.reset();
  if (thread) threadList.reset();
  if (home) act("home", { tab: "home" });
  else if (state.channels.get(channel)?.im && moved) act("home", { tab: "messages" });
  changed();
}

/** The current person must be a member of what is shown. */
function settle() {
  const mine = myChannels();
  if (!place.home && !mine.some((channel) => channel.id === place.channel)) {
    Object.assign(place, { channel: (mine.find((one) => one.name === "incidents") || mine[0])?.id ?? null, thread: null });
    mainList.reset();
  }
  if (place.thread && !state.messages.get(place.channel)?.has(place.thread)) place.thread = null;
}

/* Sidebar */

const mark = (channel) => (channel.ext ? "share" : channel.private ? "lock" : "hash");

function row({ active, label, sign, count, dot, onclick, name }) {
  const number = count ? h("span", { class: "unread", "aria-label": `${count} unread` }, count > 99 ? "99+" : count) : null;
  return h("button", { type: "button", class: `row${active ? " row-active" : ""}${count ? " row-unread" : ""}`, "aria-current": active ? "page" : null, "data-name": name, onclick }, sign, h("span", { class: "row-label" }, label), dot, number);
}

let picking = false;

function personas() {
  if (!picking) return null;
  const options = people().map((user) => h("button", {
    type: "button", role: "menuitemradio", "aria-checked": String(user.id === state.me), class: "persona", "data-persona": user.name,
    onclick: () => { picking = false; become(user.id); },
  }, avatar(user, "avatar-small"), h("span", {}, h("b", {}, user.real_name), h("small", {}, user.title)), user.id === state.me ? icon("check", 16) : null));
  return h("div", { class: "personas", role: "menu", "aria-label": "Act as" }, h("p", {}, "Click and write as"), options);
}

function become(id) {
  state.me = id;
  sessionStorage.setItem("me", id);
  mainList.reset();
  threadList.reset();
  changed();
}

function sidebar() {
  const mine = myChannels();
  const channelRow = (channel) => row({
    active: place.channel === channel.id, label: channel.name, name: channel.name, count: place.channel === channel.id ? 0 : unread(channel.id),
    sign: icon(mark(channel), 16), onclick: () => go(channel.id),
  });
  const dm = mine.find((channel) => channel.im);
  const app = appUser();
  const dot = h("span", { class: `dot${state.connections ? " dot-on" : ""}`, title: state.connections ? "connected" : "not connected" });
  const switcher = h("button", { type: "button", class: "me", id: "persona", "aria-haspopup": "menu", "aria-expanded": String(picking), onclick: () => { picking = !picking; changed(); } },
    avatar(me(), "avatar-small"), h("span", {}, "You are ", h("b", {}, me().name)), icon("chevron", 16));
  sync($("sidebar"), [
    h("header", { class: "team" }, h("h1", {}, state.team), h("span", { class: "local" }, "local")),
    h("div", { class: "rows" },
      h("h2", {}, "Channels"), mine.filter((channel) => !channel.im).map(channelRow),
      dm ? [h("h2", {}, "Direct messages"), row({ active: place.channel === dm.id, label: app.real_name, name: "dm", count: place.channel === dm.id ? 0 : unread(dm.id), sign: avatar(app, "avatar-small"), dot, onclick: () => go(dm.id) })] : null,
      state.app.home_tab ? [h("h2", {}, "Apps"), row({ active: place.home, label: `${app.real_name} Home`, name: "home", sign: icon("home", 16), onclick: () => go("home") })] : null),
    h("div", { class: "foot" }, personas(), switcher),
  ].filter(Boolean));
}

/* Conversation */

const failing = (composer) => (text) => composer.fail(text);
const mainComposer = new Composer(() => ({ channel: place.channel, thread: null, members: state.channels.get(place.channel)?.members || [] }));
const threadComposer = new Composer(() => ({ channel: place.channel, thread: place.thread, members: state.channels.get(place.channel)?.members || [] }));
const mainList = new MessageList({ open: (ts) => go(place.channel, ts), fail: failing(mainComposer) });
const threadList = new MessageList({ open: null, fail: failing(threadComposer) });
const homeBox = h("div", { class: "home-blocks blocks" });

const back = (pane) => h("button", { type: "button", class: "ghost back", "aria-label": "Back", onclick: () => { document.body.dataset.pane = pane; } }, icon("back"));

function conversation() {
  if (place.home) return homeTab();
  const channel = state.channels.get(place.channel);
  if (!channel) return;
  const name = channel.im ? [avatar(appUser(), "avatar-small"), appUser().real_name] : [icon(mark(channel), 18), channel.name];
  const outside = channel.ext ? h("span", { class: "outside" }, "Shared with an outside organisation") : null;
  const count = channel.im ? null : h("span", { class: "members", title: `${channel.members.length} members` }, icon("people", 16), channel.members.length);
  mainComposer.label(channel.im ? `Message ${appUser().real_name}` : `Message #${channel.name}`);
  const intro = h("div", { class: "intro" }, h("h2", {}, channel.im ? `Your messages with ${appUser().real_name}` : `#${channel.name}`), h("p", {}, channel.im ? "Only you and the app see them." : channel.topic));
  const top = topLevel(channel.id);
  mainComposer.suggest(channel.im && !top.length ? state.prompts[channel.id] || state.app.prompts : []);
  sync($("main"), [h("header", { class: "head" }, back("sidebar"), h("h2", {}, name), h("span", { class: "topic" }, channel.topic), outside, count), mainList.box, mainComposer.node]);
  mainList.show([intro], top, { days: true, replies: (one) => threadOf(channel.id, one.ts), after: channel.im ? statusLine(channel.id, "") : [] });
  if (document.hasFocus() || document.visibilityState === "visible") markRead(channel.id);
}

function homeTab() {
  const view = [...state.views.values()].find((one) => one.view.type === "home" && one.user === state.me);
  const dm = myChannels().find((channel) => channel.im);
  const tab = (label, active, onclick) => h("button", { type: "button", role: "tab", "aria-selected": String(active), class: "tab", onclick }, label);
  sync($("main"), [
    h("header", { class: "head" }, back("sidebar"), h("h2", {}, avatar(appUser(), "avatar-small"), appUser().real_name)),
    h("div", { class: "tabs", role: "tablist" }, tab("Home", true, () => {}), dm ? tab("Messages", false, () => go(dm.id)) : null),
    h("div", { class: "scroll" }, view ? homeBox : h("p", { class: "empty" }, "The app has not published its Home tab for you yet.")),
  ]);
  if (view) renderInto(homeBox, view.view.blocks, (actionId, value) => act("click", { ts: view.id, action_id: actionId, value }));
}

function thread() {
  const pane = $("thread");
  pane.hidden = !place.thread;
  document.body.classList.toggle("has-thread", Boolean(place.thread));
  if (!place.thread) return;
  const channel = state.channels.get(place.channel);
  const parent = state.messages.get(place.channel).get(place.thread);
  const replies = threadOf(place.channel, place.thread);
  threadComposer.label("Reply…");
  const title = state.sessions.get(statusKey(place.channel, place.thread))?.title;
  sync(pane, [
    h("header", { class: "head" }, back("main"), h("h2", {}, "Thread"), h("span", { class: "topic" }, title || (channel.im ? appUser().real_name : `# ${channel.name}`)),
      h("button", { type: "button", class: "ghost close-thread", "aria-label": "Close thread", onclick: () => go(place.channel) }, icon("close"))),
    threadList.box, threadComposer.node,
  ]);
  // The parent is shown by a list of its own kind: a first message, a divider, then the replies.
  threadParent.show([], [parent], { days: false, replies: () => [] });
  threadList.show([threadParent.node, replyDivider(replies.filter((one) => !one.ephemeral_for).length)], replies, { days: false, replies: () => [], after: statusLine(place.channel, place.thread) });
}

const threadParent = new MessageList({ open: null, fail: failing(threadComposer) });

/* What a phone would show */

function toast(kind, title, text, onclick) {
  const face = kind === "push" ? avatar(appUser(), "avatar-small") : icon("close", 16);
  const box = h("button", { type: "button", class: `toast toast-${kind}`, onclick: () => { box.remove(); onclick?.(); } }, face, h("span", {}, h("b", {}, title), h("span", { class: "toast-text" }, text)));
  const stack = $("toasts");
  stack.append(box);
  while (stack.childNodes.length > 3) stack.firstChild.remove();
  setTimeout(() => box.remove(), 7000);
}

function heard(kind, data) {
  document.body.classList.toggle("offline", kind === "offline");
  if (kind === "snapshot" && !state.me) {
    const wanted = sessionStorage.getItem("me") || new URLSearchParams(location.search).get("as");
    state.me = (people().find((one) => one.id === wanted || one.name === wanted) || people().find((one) => one.name === "mia")).id;
    readAddress();
    document.title = `${state.team} (local workspace)`;
  }
  if (kind === "push" && state.channels.get(data.channel)?.members.includes(state.me)) {
    const channel = state.channels.get(data.channel);
    toast("push", `${appUser().real_name}${channel.im ? "" : ` in #${channel.name}`}`, decode(data.text), () => go(data.channel, data.thread_ts));
  }
  if (kind === "failed" && data.user === state.me) toast("failed", "No answer", data.text);
}

/** The sidebar is drawn anew; what had the focus keeps it. */
function keepingFocus(draw) {
  const { id, dataset } = document.activeElement || {};
  const inside = $("sidebar").contains(document.activeElement);
  draw();
  if (!inside) return;
  const again = id ? $(id) : dataset.name ? $("sidebar").querySelector(`[data-name="${CSS.escape(dataset.name)}"]`) : $("persona");
  again?.focus();
}

onChange(() => {
  if (!state.me) return;
  settle();
  keepingFocus(sidebar);
  conversation();
  thread();
  renderModal({ renderBlock, readInput });
});

window.addEventListener("hashchange", () => { readAddress(); mainList.reset(); changed(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && picking) { picking = false; changed(); }
  else if (event.key === "Escape" && place.thread) go(place.channel);
});
document.addEventListener("click", (event) => {
  if (picking && !event.target.closest(".foot")) { picking = false; changed(); }
});

connect(heard);
