// Slack's mrkdwn, Markdown and rich text, turned into nodes. https://docs.slack.dev/messaging/formatting-message-text

import { h, link } from "./dom.js";
import { EMOJI, emoji, emojiOf } from "./emoji.js";
import { state } from "./state.js";

export const decode = (text) => text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);

export function mention(id) {
  const user = state.users.get(id);
  const self = id === state.me;
  return h("span", { class: self ? "mention mention-self" : "mention" }, `@${user ? user.name : id}`);
}

function date(token, format, fallback) {
  const when = new Date(Number(token) * 1000);
  const clock = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const day = when.toLocaleDateString([], { month: "long", day: "numeric", year: "numeric" });
  const text = format.replace(/\{time_secs\}/g, when.toTimeString().slice(0, 8)).replace(/\{time\}/g, clock).replace(/\{[^}]*date[^}]*\}/g, day);
  return h("time", { datetime: when.toISOString(), title: fallback }, text);
}

function angle(inner) {
  const [target, label] = inner.split("|");
  if (target.startsWith("@")) return mention(target.slice(1));
  if (target.startsWith("#")) return h("span", { class: "mention" }, `#${label || state.channels.get(target.slice(1))?.name || target.slice(1)}`);
  if (target.startsWith("!date")) {
    const [, token, format] = target.split("^");
    return date(token, format, label || "");
  }
  if (target.startsWith("!")) return h("span", { class: "mention mention-self" }, `@${label || target.slice(1).split("^")[0]}`);
  return link(decode(target), decode(label || target));
}

/** Inline rules: [pattern, node from match]. The earliest match wins, then the order here. */
const EMOJI_RULE = [EMOJI, (m) => (m[1] ? emoji(m[1]) || m[0] : emojiOf(m[2]))];
const CODE_RULE = [/`([^`\n]+)`/, (m) => h("code", {}, decode(m[1]))];

const MRKDWN = [
  [/```\n?([\s\S]*?)\n?```/, (m) => h("pre", {}, decode(m[1]))],
  CODE_RULE,
  [/<([^<>\n]+)>/, (m) => angle(m[1])],
  [/(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])/, (m) => h("strong", {}, mrkdwn(m[1]))],
  [/(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])/, (m) => h("em", {}, mrkdwn(m[1]))],
  [/(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])/, (m) => h("s", {}, mrkdwn(m[1]))],
  EMOJI_RULE,
];

const MARKDOWN = [
  CODE_RULE,
  [/\[([^\]\n]+)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)/, (m) => link(m[2], inline(m[1], MARKDOWN))],
  [/<((?:@|#|!|https?:|mailto:)[^<>\n]+)>/, (m) => angle(m[1])],
  [/\*\*(?!\s)([\s\S]+?)(?<!\s)\*\*/, (m) => h("strong", {}, inline(m[1], MARKDOWN))],
  [/(?<![\w_])__(?!\s)([\s\S]+?)(?<!\s)__(?![\w_])/, (m) => h("strong", {}, inline(m[1], MARKDOWN))],
  [/~~(?!\s)([\s\S]+?)(?<!\s)~~/, (m) => h("s", {}, inline(m[1], MARKDOWN))],
  [/(?<![\w*])\*(?![\s*])([^*\n]+?)(?<!\s)\*(?!\*)/, (m) => h("em", {}, inline(m[1], MARKDOWN))],
  [/(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])/, (m) => h("em", {}, inline(m[1], MARKDOWN))],
  [/https?:\/\/[^\s<>()]+[^\s<>().,;:!?'"]/, (m) => link(m[0], m[0])],
  EMOJI_RULE,
];

function inline(text, rules, plain = (one) => one) {
  let best = null;
  for (const [pattern, build] of rules) {
    const match = pattern.exec(text);
    if (match && (!best || match.index < best.match.index)) best = { match, build };
  }
  if (!best) return text ? [plain(text)] : [];
  const end = best.match.index + best.match[0].length;
  const before = text.slice(0, best.match.index);
  return [before && plain(before), best.build(best.match), ...inline(text.slice(end), rules, plain)].filter((one) => one !== "");
}

/** Slack's own markup. Lines that start with > become quotes. */
export function mrkdwn(text) {
  const out = [];
  for (const part of text.split(/(```[\s\S]*?```)/)) {
    if (part.startsWith("```")) out.push(...inline(part, MRKDWN, decode));
    else {
      const groups = part.split(/((?:^(?:&gt;|>) ?.*$\n?)+)/m);
      for (const group of groups) {
        if (/^(&gt;|>)/.test(group)) out.push(h("blockquote", {}, inline(group.replace(/^(&gt;|>) ?/gm, "").trimEnd(), MRKDWN, decode)));
        else out.push(...inline(group, MRKDWN, decode));
      }
    }
  }
  return out;
}

export function textObject(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text) : inline(object.text, [EMOJI_RULE]);
}

export const plainText = (text) => inline(text, [EMOJI_RULE]);

/** Markdown of the `markdown` block and of streams. */
export function markdown(source) {
  const lines = source.replace(/\r/g, "").split("\n");
  const out = [];
  let at = 0;
  const take = (test) => {
    const start = at;
    while (at < lines.length && test(lines[at])) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    let match;
    if (!line.trim()) at += 1;
    else if ((match = /^\s*(```|~~~)/.exec(line))) {
      at += 1;
      const code = take((one) => !one.trim().startsWith(match[1]));
      at += 1;
      out.push(h("pre", {}, code.join("\n")));
    } else if ((match = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line))) {
      at += 1;
      out.push(h(`h${Math.min(match[1].length + 2, 6)}`, { class: `md-h${match[1].length}` }, inline(match[2], MARKDOWN)));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      at += 1;
      out.push(h("hr"));
    } else if (/^\s*>/.test(line)) {
      const quoted = take((one) => /^\s*>/.test(one)).map((one) => one.replace(/^\s*> ?/, ""));
      out.push(h("blockquote", {}, markdown(quoted.join("\n"))));
    } else if (line.includes("|") && /^\s*\|?[\s:|-]*-[\s:|-]*$/.test(lines[at + 1] || "")) {
      out.push(table(take((one) => one.includes("|"))));
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      out.push(list(take((one) => /^\s*([-*+]|\d+[.)])\s+/.test(one) || /^\s{2,}\S/.test(one))));
    } else {
      const text = take((one) => one.trim() && !/^\s*(```|~~~|#{1,6}\s|>|([-*+]|\d+[.)])\s+)/.test(one));
      if (!text.length) { text.push(lines[at]); at += 1; }
      out.push(h("p", {}, inline(text.join("\n"), MARKDOWN)));
    }
  }
  return out;
}

function list(lines) {
  const indent = /^\s*/.exec(lines[0])[0].length;
  const ordered = /^\s*\d+[.)]/.exec(lines[0]);
  const items = [];
  for (const line of lines) {
    const depth = /^\s*/.exec(line)[0].length;
    if (depth <= indent + 1 && /^\s*([-*+]|\d+[.)])\s+/.test(line)) items.push({ text: line.replace(/^\s*([-*+]|\d+[.)])\s+/, ""), below: [] });
    else items.at(-1).below.push(line);
  }
  const start = ordered ? parseInt(ordered[0], 10) : 1;
  return h(ordered ? "ol" : "ul", { start: ordered && start > 1 ? start : null }, items.map(({ text, below }) => {
    const nested = below.length && /^\s*([-*+]|\d+[.)])\s+/.test(below[0]);
    return h("li", {}, inline(nested ? text : [text, ...below.map((one) => one.trim())].join("\n"), MARKDOWN), nested ? list(below) : null);
  }));
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const align = cells(lines[1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : null));
  const row = (line, tag) => h("tr", {}, cells(line).map((cell, x) => h(tag, { class: align[x] && `align-${align[x]}` }, inline(cell, MARKDOWN))));
  return h("div", { class: "table-scroll" }, h("table", {}, h("thead", {}, row(lines[0], "th")), h("tbody", {}, lines.slice(2).map((line) => row(line, "td")))));
}

function piece(element) {
  const style = element.style || {};
  const kinds = {
    text: () => plainText(element.text),
    link: () => link(element.url, element.text || element.url),
    user: () => mention(element.user_id),
    channel: () => h("span", { class: "mention" }, `#${state.channels.get(element.channel_id)?.name || element.channel_id}`),
    emoji: () => emoji(element.name) || `:${element.name}:`,
    date: () => date(element.timestamp, element.format, element.fallback || ""),
    broadcast: () => h("span", { class: "mention mention-self" }, `@${element.range}`),
    usergroup: () => h("span", { class: "mention" }, "@group"),
    color: () => h("code", {}, element.value),
  };
  let node = [kinds[element.type]?.() ?? ""].flat();
  if (style.code) node = [h("code", {}, node)];
  if (style.strike) node = [h("s", {}, node)];
  if (style.italic) node = [h("em", {}, node)];
  if (style.bold) node = [h("strong", {}, node)];
  return node;
}

/** A rich_text block or one of its containers. */
export function richText(block) {
  return block.elements.map((element) => {
    if (element.type === "rich_text_list") {
      const items = element.elements.map((item) => h("li", {}, item.elements.map(piece)));
      return h(element.style === "ordered" ? "ol" : "ul", { class: `indent-${element.indent || 0}` }, items);
    }
    if (element.type === "rich_text_preformatted") return h("pre", {}, element.elements.map((one) => one.text || one.url || ""));
    if (element.type === "rich_text_quote") return h("blockquote", {}, element.elements.map(piece));
    return h("div", { class: "rich-section" }, element.elements.map(piece));
  });
}
