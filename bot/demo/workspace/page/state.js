// What the page knows, fed by the live connection. `onChange` runs once per frame after changes.

export const state = {
  me: null,
  team: "",
  app: {},
  connections: 0,
  users: new Map(),
  channels: new Map(),
  messages: new Map(),
  views: new Map(),
  statuses: new Map(),
  sessions: new Map(),
  stoppable: false,
  prompts: {},
  commands: [],
  read: new Map(),
  place: { channel: null, thread: null, home: false },
};

export const people = () => [...state.users.values()].filter((user) => !user.bot);
export const me = () => state.users.get(state.me);
export const appUser = () => state.users.get(state.app.user);
export const statusKey = (channel, thread) => `${channel}/${thread}`;

/** Messages of a channel that the current person may see, by time. */
export function visible(channel) {
  const all = [...(state.messages.get(channel)?.values() || [])];
  return all.filter((one) => !one.ephemeral_for || one.ephemeral_for === state.me).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

export const isReply = (message) => Boolean(message.thread_ts && message.thread_ts !== message.ts);

export function myChannels() {
  return [...state.channels.values()].filter((channel) => channel.members.includes(state.me));
}

const readKey = (channel) => `${state.me}/${channel}`;

export function unread(channel) {
  const since = state.read.get(readKey(channel)) ?? state.read.get("*") ?? "";
  return visible(channel).filter((one) => one.ts > since && one.user !== state.me).length;
}

export function markRead(channel) {
  const last = visible(channel).at(-1);
  if (last) state.read.set(readKey(channel), last.ts);
}

function put(message) {
  if (!state.messages.has(message.channel)) state.messages.set(message.channel, new Map());
  state.messages.get(message.channel).set(message.ts, message);
}

const HANDLERS = {
  snapshot(data) {
    Object.assign(state, { team: data.team, app: data.app, prompts: data.prompts, commands: data.commands, connections: data.connections, stoppable: data.stoppable });
    state.users = new Map(data.users.map((user) => [user.id, user]));
    state.channels = new Map(data.channels.map((channel) => [channel.id, channel]));
    state.messages = new Map();
    data.messages.forEach(put);
    state.views = new Map(data.views.map((view) => [view.id, view]));
    state.statuses = new Map(data.statuses.map((one) => [statusKey(one.channel, one.thread_ts), one.text]));
    state.sessions = new Map(data.sessions.map((one) => [statusKey(one.channel, one.thread_ts), one]));
    if (!state.read.has("*")) state.read.set("*", data.messages.map((one) => one.ts).sort().at(-1) || "");
  },
  message: ({ message }) => put(message),
  deleted: ({ channel, ts }) => state.messages.get(channel)?.delete(ts),
  channel: ({ channel }) => state.channels.set(channel.id, channel),
  view: ({ view }) => state.views.set(view.id, view),
  view_closed: ({ id }) => state.views.delete(id),
  status: ({ channel, thread_ts: thread, text }) => state.statuses.set(statusKey(channel, thread), text),
  session: ({ session }) => state.sessions.set(statusKey(session.channel, session.thread_ts), session),
  prompts: ({ channel, prompts }) => { state.prompts[channel] = prompts; },
  connections: ({ count }) => { state.connections = count; },
};

const listeners = [];
let planned = false;
let pressed = false;

export function onChange(listener) {
  listeners.push(listener);
}

function redraw() {
  if (pressed) return;
  planned = false;
  listeners.forEach((listener) => listener());
}

export function changed() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(redraw);
}

/* What is replaced between press and release is never clicked: while something is pressed, nothing is redrawn. */

function press(event) {
  if (event.type === "keydown" && event.key !== " ") return;
  pressed = Boolean(event.target.closest?.("button, a, label, [role=option]"));
}

function release() {
  if (!pressed) return;
  pressed = false;
  if (planned) requestAnimationFrame(redraw);
}

for (const begin of ["pointerdown", "keydown"]) document.addEventListener(begin, press, true);
for (const end of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(end, release, true);
window.addEventListener("blur", release);

/** Connects and stays connected; `onKind` hears of every change after it was applied. */
export function connect(onKind) {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/page/live`);
  socket.addEventListener("message", (event) => {
    const data = JSON.parse(event.data);
    HANDLERS[data.kind]?.(data);
    onKind(data.kind, data);
    changed();
  });
  socket.addEventListener("close", () => {
    onKind("offline", {});
    setTimeout(() => connect(onKind), 1000);
  });
}

/** Does something as the current person. Resolves to the answer; `ok` is false when nobody could do it. */
export async function act(action, details) {
  try {
    const response = await fetch("/page/act", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ action, as: state.me, ...details }),
    });
    return response.ok ? await response.json() : { ok: false, error: `refused (${response.status})` };
  } catch {
    return { ok: false, error: "the workspace is not reachable" };
  }
}
